//! The page of a run, in a real browser. Skipped where none is installed, unless the environment
//! sets `CI_REQUIRES_BROWSER`.

mod browser;
mod run;

use browser::Browser;
use run::{COMMANDS, HOSTILE_AS_HTML, eventful};
use simulator::mutation::Mutation;
use simulator::plan::{ProtocolName, Reduction};
use simulator::show::{Story, page};
use simulator::swarm::trace_seed;

#[test]
fn the_whole_run_is_in_view_at_first() {
    let story = eventful(COMMANDS);
    let Some(browser) = Browser::with(&page(&story)) else { return };
    let dom = browser.open("");
    assert_eq!(dom.number("messages"), story.messages.len() as i64);
    assert!(dom.number("messages") > 9_000, "a run as long as real ones");
    assert_eq!(dom.number("marks"), story.marks.len() as i64);
    assert!(dom.number("from-us") <= 0 && dom.number("to-us") >= 400_000);
    assert!(dom.number("drawn") > 1_000, "{}", dom.number("drawn"));
    assert_eq!(dom.attribute("selected"), "");
    assert_eq!(dom.attribute("hidden"), "Heartbeat", "what is boring is hidden");
    let events = dom.section("events");
    for event in [
        "p2 crashes, two records are lost",
        "p0 is cut off from p1 p2",
        "leads 2.p1.0",
        "v3 [p0.accB p1.accB p2.accA]",
        "slow disk: 9 ms",
        "two leaders at once",
    ] {
        assert!(events.contains(event), "{event} is no event of the story: {events}");
    }
    assert!(dom.section("failure").contains("agreement at 386.000 ms"));
}

#[test]
fn an_address_leads_to_a_time_a_node_or_the_failure() {
    let Some(browser) = Browser::with(&page(&eventful(COMMANDS))) else { return };
    let dom = browser.open("#t=12.5");
    let (from, to) = (dom.number("from-us"), dom.number("to-us"));
    assert!(((from + to) / 2 - 12_500).abs() < 10, "12.5 ms is the centre of {from}..{to}");
    assert!(to - from < 20_000, "single messages can be told apart");
    assert!((10..400).contains(&dom.number("drawn")), "only what is in view is drawn");

    let dom = browser.open("#t=12.5&span=2");
    assert_eq!((dom.number("from-us"), dom.number("to-us")), (11_500, 13_500));

    let dom = browser.open("#node=p1.proposer&t=129");
    assert_eq!(dom.attribute("selected"), "p1.proposer at 129.000 ms");
    assert!(dom.section("selected").contains("leading 2.p1.0"), "its last state is shown");
    assert!(dom.section("selected").contains("new leader: leads 2.p1.0"), "and what came before");

    let dom = browser.open("#failure=1");
    assert_eq!(dom.attribute("selected"), "p2.replica at 386.000 ms");
    assert!((dom.number("from-us")..dom.number("to-us")).contains(&386_000));
}

#[test]
fn an_address_leads_to_a_message() {
    let story = eventful(COMMANDS);
    let Some(browser) = Browser::with(&page(&story)) else { return };
    let is_far = |at: u64| at > 20_000;
    let lost = story.messages.iter().position(|m| is_far(m.sent_us) && m.arrives_us.is_none());
    let copied = story.messages.iter().position(|m| is_far(m.sent_us) && m.is_duplicate);
    for (name, badge) in [(lost, ">lost<"), (copied, ">duplicate<"), (Some(3000), "arrives")] {
        let name = name.expect("the network loses and duplicates");
        let dom = browser.open(&format!("#message={name}"));
        let sent = story.messages[name].sent_us as i64;
        assert!((dom.number("from-us")..dom.number("to-us")).contains(&sent), "{name} is in view");
        assert!(dom.attribute("selected").contains(" → "), "{}", dom.attribute("selected"));
        let panel = dom.section("selected");
        assert!(panel.contains(badge) && panel.contains(&format!("#message={name}")), "{panel}");
        assert!(panel.contains("<pre class=\"content\">"), "its content is shown: {panel}");
    }
}

#[test]
fn a_search_finds_messages_marks_and_states() {
    let Some(browser) = Browser::with(&page(&eventful(COMMANDS))) else { return };
    for (address, found, selected) in [
        ("#find=ReconfigureA", 3, "ReconfigureA operator → p0.proposer"),
        ("#find=two+LEADERS", 1, "situation cluster: two leaders at once"),
        ("#find=next%20slot:%20101", 1, "p0.proposer at "),
        ("#find=%3C/script%3E", 1, "fault p1: "),
        ("#find=nowhere", 0, ""),
        ("#find=%3Cimg%20src%3Dx%20onerror%3Dboom()%3E", 0, ""),
    ] {
        let dom = browser.open(address);
        assert_eq!(dom.number("found"), found, "{address}");
        assert!(dom.attribute("selected").starts_with(selected), "{}", dom.attribute("selected"));
    }
}

#[test]
fn text_stays_text_and_a_wrong_address_is_no_error() {
    let Some(browser) = Browser::with(&page(&eventful(40))) else { return };
    let dom = browser.open("#find=hostile");
    for section in ["events", "failure", "selected"] {
        let html = dom.section(section);
        assert!(html.contains(HOSTILE_AS_HTML), "{section} shows the text as it is: {html}");
        assert!(!html.contains("<b>hostile"), "{section}: {html}");
    }
    for address in ["#message=99999999&mark=-1", "#message=x&t=y", "#t=1e99&node=%00", "#%"] {
        assert_eq!(browser.open(address).attribute("selected"), "", "{address}");
    }
    let Some(browser) = Browser::with(&page(&Story::new(1, "", ""))) else { return };
    assert_eq!(browser.open("").number("drawn"), 0, "nothing happened");
}

/// What a user does, as a program in the page.
const HAND: &str = include_str!("hand.js");

#[test]
fn mouse_and_keys_move_select_hide_and_find() {
    let hand = format!("<script>{HAND}</script></body>");
    let page = page(&eventful(COMMANDS)).replace("</body>", &hand);
    let Some(browser) = Browser::with(&page) else { return };
    let dom = browser.open("");
    let log = dom.attribute("log");
    let step = |name: &str| -> Vec<&str> {
        let line = log.split(';').find(|line| line.split('|').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name} is not in {log}")).split('|').collect()
    };
    let span = |name: &str| step(name)[1].parse::<i64>().expect("a span is a number");
    let from = |name: &str| step(name)[2].parse::<i64>().expect("a time is a number");
    assert!(span("nearer") < span("start"));
    assert!((span("right") - span("nearer")).abs() <= 1 && from("right") > from("nearer"));
    assert!(span("wheel") < span("right"));
    assert_eq!(span("all"), span("start"));
    assert!((span("dragged") - span("twice")).abs() <= 1 && from("dragged") > from("twice"));
    assert!(!step("clicked")[3].is_empty(), "{log}");
    assert_eq!(step("unchecked")[4], "Heartbeat Phase2A");
    assert_ne!(step("unchecked")[6], step("clicked")[6], "fewer messages are drawn");
    assert_eq!(step("typed")[5], "9");
    assert!(step("next")[3].starts_with("MatchA "), "{log}");
    assert_eq!(step("escaped")[3], "");
    assert_eq!(step("failure")[3], "p2.replica at 386.000 ms");
    assert_eq!((from("address"), span("address")), (298_000, 4_000));
    assert!(step("event")[3].starts_with("violation p2.replica"), "{log}");
}

#[test]
fn a_real_run_that_fails_is_told_from_its_trace() {
    let bug = Mutation::find("R18");
    let reduction = Reduction { calls: Some(30), ..Reduction::default() };
    let (report, trace) = trace_seed(ProtocolName::Matchmaker, 0, &reduction, bug, true);
    let trace = trace.expect("it was asked for");
    assert!(report.failure.is_some());
    let story = Story::of(&trace, 0, "a bug", &(0..u64::MAX));
    let Some(browser) = Browser::with(&page(&story)) else { return };
    let dom = browser.open("");
    assert_eq!(dom.number("errors"), 0);
    assert_eq!(dom.number("messages"), story.messages.len() as i64);
    let events = dom.section("events");
    assert!(events.contains("<b>p0 </b>starts") && events.contains(" leads in "), "{events}");
    assert!(dom.section("failure").contains("A10 collection licence"));
    let found = browser.open("#find=GarbageA");
    assert!(found.number("found") > 0);
}
