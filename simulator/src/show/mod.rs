//! A simulated run as one page for the browser: a space-time diagram.
//!
//! [`Story`] is what happened, as plain data. [`page`] puts it, with the program that draws it,
//! into one file that needs nothing else: it opens from a disk, from a mail, or from a server, and
//! it is forbidden to load anything.
//!
//! ```text
//!  world ──► Story ──► page() ──► run.html ──► story.js     what happened, ordered and indexed
//!                                              kinds.js     which messages belong together
//!                                              view.js      which time, which node is where
//!                                              arrows.js    messages; marks.js, bands.js
//!                                              scene.js     the diagram
//!                                              overview.js  the whole run in a strip
//!                                              panel.js     what is selected, and the events
//!                                              search.js
//!                                              page.js      mouse, keys, address
//! ```
//!
//! The address of the page may say what to look at: `run.html#t=12.5` (in ms), `#message=123`,
//! `#mark=7`, `#node=p0.proposer&t=12.5`, `#find=text`, `#failure=1`; `&span=4` says how many ms to
//! show. So a test that fails can name the spot.
//!
//! The page reports on itself in attributes of its body (`data-drawn`, `data-selected`,
//! `data-found`, `data-errors` and more), which is how its test, in a real browser, knows what it
//! did.

mod story;
mod telling;

pub use story::{
    Band, BandKind, Failure, Mark, MarkKind, Message, NodeIndex, Place, ProcessIndex, State, Story,
    Text,
};
pub use telling::opens_at_once;

const FRAME: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// The program of the page, in the order in which its parts need each other.
const PROGRAM: [&str; 11] = [
    include_str!("page/story.js"),
    include_str!("page/kinds.js"),
    include_str!("page/view.js"),
    include_str!("page/bands.js"),
    include_str!("page/arrows.js"),
    include_str!("page/marks.js"),
    include_str!("page/scene.js"),
    include_str!("page/overview.js"),
    include_str!("page/search.js"),
    include_str!("page/panel.js"),
    include_str!("page/page.js"),
];

/// The page that shows `story`: a whole HTML document.
///
/// No text of the story can become markup or a program. It is data in JSON, in which no `<` is
/// left, and the program of the page shows it as text only.
///
/// *Cost*: O(size of the story); about 40 bytes for each message and the length of each distinct
/// text.
pub fn page(story: &Story) -> String {
    let data = serde_json::to_string(story).expect("numbers, strings and lists are always JSON");
    let data = data.replace('<', "\\u003c");
    let program = PROGRAM.concat();
    let mut page = String::with_capacity(FRAME.len() + STYLE.len() + program.len() + data.len());
    let mut rest = FRAME;
    for (place, content) in [("{style}", STYLE), ("{story}", &data), ("{program}", &program)] {
        let (before, after) = rest.split_once(place).expect("the frame has a place for each part");
        page.push_str(before);
        page.push_str(content);
        rest = after;
    }
    page.push_str(rest);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_story_never_becomes_markup() {
        let hostile = "</script><!--<b>{program}";
        let mut story = Story::new(7, hostile, hostile);
        story.replay = hostile.into();
        let process = story.process(hostile);
        let node = story.node(process, hostile, hostile);
        let text = story.text(hostile);
        story.marks.push(Mark { at_us: 1, place: node.into(), kind: MarkKind::Fault, text });
        let plain = page(&Story::new(7, "", ""));
        let page = page(&story);
        for markup in ["</script>", "<!--", "<b>", "{program}"] {
            let expected = plain.matches(markup).count();
            let own = if markup == "{program}" { 7 } else { 0 };
            assert_eq!(page.matches(markup).count(), expected + own, "{markup}");
        }
    }

    #[test]
    fn a_page_loads_nothing() {
        let page = page(&Story::new(7, "Matchmaker MultiPaxos", "a quiet run"));
        for loader in ["http:", "https:", " src=", "<link", "@import", "url(", "fetch("] {
            assert!(!page.contains(loader), "{loader}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}
