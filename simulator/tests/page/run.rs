//! A run that was never run: three processes, a leader change behind a partition, reconfigurations,
//! a crash, faults of disk and network, and a failure. Always the same.

use simulator::show::{
    Band, BandKind, Failure, Mark, MarkKind, Message, NodeIndex, Place, ProcessIndex, State, Story,
};

/// Text that must stay text.
pub(crate) const HOSTILE: &str = "</script><b>hostile & \"bold\"</b><!--";

/// [`HOSTILE`] as HTML writes it.
pub(crate) const HOSTILE_AS_HTML: &str =
    "&lt;/script&gt;&lt;b&gt;hostile &amp; \"bold\"&lt;/b&gt;&lt;!--";

/// As many commands as make about 10,000 messages.
pub(crate) const COMMANDS: u64 = 690;

const ROLES: [&str; 8] =
    ["proposer", "matchmaker", "accA", "accB", "replica", "archive", "session", "app"];
const PROPOSER: usize = 0;
const MATCHMAKER: usize = 1;
const ACCEPTOR: usize = 2;
const REPLICA: usize = 4;
const ARCHIVE: usize = 5;
const SESSION: usize = 6;
const APPLICATION: usize = 7;

/// From when on, in ms, which process leads in which round.
const LEADERS: [(u64, usize, &str); 5] = [
    (4, 0, "1.p0.0"),
    (60, 0, "1.p0.1"),
    (128, 1, "2.p1.0"),
    (200, 1, "2.p1.1"),
    (310, 1, "2.p1.2"),
];
/// From when on, in ms, which acceptors are used: of each process A or B.
const CONFIGURATIONS: [(u64, [usize; 3]); 4] =
    [(0, [0, 0, 0]), (60, [0, 1, 0]), (200, [1, 1, 0]), (310, [1, 0, 1])];
const END: u64 = 400_000;
const FAILED_AT: u64 = 386_000;

struct Run {
    story: Story,
    processes: Vec<ProcessIndex>,
    nodes: Vec<Vec<NodeIndex>>,
    dice: u64,
}

/// The run, with about fifteen messages for each of `commands`.
pub(crate) fn eventful(commands: u64) -> Story {
    let mut run = Run {
        story: Story::new(
            42,
            "Matchmaker MultiPaxos",
            "Partition, leader change, reconfigurations",
        ),
        processes: Vec::new(),
        nodes: Vec::new(),
        dice: 42,
    };
    run.story.end_us = END;
    run.story.replay = "simulator show 42 --out run.html".into();
    run.people();
    run.leaders();
    run.configurations();
    run.troubles();
    run.keep_alive();
    for command in 0..commands {
        run.command(command, 5_000 + command * (END - 8_000) / commands);
    }
    run.failure();
    run.story
}

impl Run {
    fn people(&mut self) {
        for process in 0..3 {
            let index = self.story.process(format!("p{process}"));
            self.processes.push(index);
            let nodes =
                ROLES.map(|role| self.story.node(index, format!("p{process}.{role}"), role));
            self.nodes.push(nodes.to_vec());
            self.mark(0, index.into(), MarkKind::Start, "started");
        }
        let operator = self.story.process("operator");
        self.processes.push(operator);
        let node = self.story.node(operator, "operator", "operator");
        self.nodes.push(vec![node]);
    }

    fn leaders(&mut self) {
        for (i, (from, process, round)) in LEADERS.into_iter().enumerate() {
            let proposer = self.nodes[process][PROPOSER];
            // The first leader does not notice that it was replaced until the partition heals.
            let until = match i {
                1 => 151,
                _ => LEADERS.get(i + 1).map_or(END / 1000, |next| next.0),
            };
            self.band(from * 1000, until * 1000, proposer.into(), BandKind::Leader, round);
            if round.ends_with(".0") {
                self.mark(from * 1000, proposer.into(), MarkKind::Lead, &format!("leads {round}"));
                for other in 0..3 {
                    let acceptor = self.nodes[other][ACCEPTOR];
                    self.ask(from * 1000 - 1500, proposer, acceptor, "Phase1", round);
                }
            }
        }
    }

    fn configurations(&mut self) {
        for (i, (from, sides)) in CONFIGURATIONS.into_iter().enumerate() {
            let until = CONFIGURATIONS.get(i + 1).map_or(END / 1000, |next| next.0) * 1000;
            let members: Vec<_> =
                (0..3).map(|p| format!("p{p}.{}", ROLES[ACCEPTOR + sides[p]])).collect();
            let version = format!("v{}", i + 1);
            let label = format!("{version} [{}]", members.join(" "));
            self.band(from * 1000, until, Place::Cluster, BandKind::Configuration, &label);
            for (process, side) in sides.into_iter().enumerate() {
                let acceptor = self.nodes[process][ACCEPTOR + side];
                let kind = BandKind::Configuration;
                self.band(from * 1000, until, acceptor.into(), kind, &version);
            }
            if i == 0 {
                continue;
            }
            let proposer = self.nodes[leader_at(from * 1000).0][PROPOSER];
            let operator = self.nodes[3][0];
            self.mark(from * 1000, proposer.into(), MarkKind::Activation, &label);
            self.ask(from * 1000 - 3000, operator, proposer, "Reconfigure", &label);
            for (process, side) in sides.into_iter().enumerate() {
                let matchmaker = self.nodes[process][MATCHMAKER];
                self.ask(from * 1000 - 1300, proposer, matchmaker, "Match", &label);
                self.ask(from * 1000 + 4000, proposer, matchmaker, "Garbage", &label);
                let acceptor = self.nodes[process][ACCEPTOR + side];
                self.ask(from * 1000 + 2500, proposer, acceptor, "Persisted", "watermark");
            }
            let text = format!("configurations below {version} are gone");
            self.mark(from * 1000 + 5200, proposer.into(), MarkKind::Collection, &text);
        }
    }

    fn troubles(&mut self) {
        let [p0, p1, p2] = [self.processes[0], self.processes[1], self.processes[2]];
        self.band(110_000, 150_000, p0.into(), BandKind::Cut, "cut off from p1 p2");
        self.mark(110_000, p0.into(), MarkKind::Fault, "p0 is cut off from p1 p2");
        self.mark(235_000, p2.into(), MarkKind::Crash, "p2 crashes, two records are lost");
        self.band(235_000, 262_000, p2.into(), BandKind::Down, "down");
        self.mark(262_000, p2.into(), MarkKind::Start, "p2 starts again with 318 records");
        self.band(280_000, 298_000, p1.into(), BandKind::SlowDisk, "slow disk: 9 ms");
        self.band(340_000, 351_000, p2.into(), BandKind::Paused, "paused");
        self.mark(152_000, Place::Cluster, MarkKind::Situation, "two leaders at once");
        self.mark(300_000, p1.into(), MarkKind::Fault, HOSTILE);
    }

    fn keep_alive(&mut self) {
        for at in (6_000..END - 2_000).step_by(5_000) {
            let (leader, round) = leader_at(at);
            for other in (0..3).filter(|other| *other != leader) {
                let (from, to) = (self.nodes[leader][PROPOSER], self.nodes[other][PROPOSER]);
                self.send(at, from, to, "Heartbeat", &format!("Heartbeat {{ round: {round} }}"));
            }
        }
    }

    /// The path of one command, from the application and back.
    fn command(&mut self, command: u64, at: u64) {
        let (leader, round) = leader_at(at);
        let client = (command % 3) as usize;
        if is_cut(at, client, leader) || is_down(at, client) {
            return;
        }
        let text = format!("slot: {command}, round: {round}, value: [s{client}#{command} incr]");
        let (application, session) = (self.nodes[client][APPLICATION], self.nodes[client][SESSION]);
        let proposer = self.nodes[leader][PROPOSER];
        let called = format!("call {command}: incr");
        self.mark(at, application.into(), MarkKind::Call, &called);
        let now = self.send(at, application, session, "Invoke", &called).unwrap_or(at);
        let Some(now) = self.send(now, session, proposer, "Request", &text) else { return };
        let mut votes = Vec::new();
        let sides = CONFIGURATIONS
            .iter()
            .rfind(|c| c.0 * 1000 <= now)
            .expect("a configuration is in use")
            .1;
        for (process, side) in sides.into_iter().enumerate() {
            let acceptor = self.nodes[process][ACCEPTOR + side];
            let Some(asked) = self.send(now, proposer, acceptor, "Phase2A", &text) else {
                continue;
            };
            let durable = asked + 180;
            self.mark(durable, acceptor.into(), MarkKind::Record, &format!("Vote {{ {text} }}"));
            let state = format!("promised: {round}\nvotes: 0..{command}\npersisted: 0");
            self.state(durable, acceptor, &state);
            votes.extend(self.send(durable, acceptor, proposer, "Phase2B", &text));
        }
        votes.sort_unstable();
        let Some(chosen) = votes.get(1).copied() else { return };
        let state = format!("leading {round}\nnext slot: {}\nin flight: 1", command + 1);
        self.state(now, proposer, &state);
        for process in 0..3 {
            let [replica, archive] = [REPLICA, ARCHIVE].map(|role| self.nodes[process][role]);
            let Some(learned) = self.send(chosen, proposer, replica, "Chosen", &text) else {
                continue;
            };
            self.send(learned, replica, archive, "Store", &text);
            self.state(learned, replica, &format!("executed: {command}\nsum: {}", command * 7));
            if process == client {
                let Some(done) = self.send(learned, replica, session, "Executed", &text) else {
                    continue;
                };
                self.send(done, session, application, "Return", &text);
                self.mark(done + 5, application.into(), MarkKind::Return, &called);
            }
        }
    }

    fn failure(&mut self) {
        let node = self.nodes[2][REPLICA];
        self.story.failure = Some(Failure {
            property: "agreement".into(),
            detail: format!(
                "slot 577: p0.replica executed one value,\np2.replica another {HOSTILE}"
            ),
            at_us: FAILED_AT,
            node: Some(node),
        });
        self.mark(FAILED_AT, node.into(), MarkKind::Violation, "two values in slot 577");
    }

    /// A question and its answer.
    fn ask(&mut self, at: u64, from: NodeIndex, to: NodeIndex, name: &str, text: &str) {
        if let Some(asked) = self.send(at, from, to, &format!("{name}A"), text) {
            self.send(asked + 120, to, from, &format!("{name}B"), text);
        }
    }

    /// Sends a message through a network that loses and duplicates; returns when it arrives.
    fn send(
        &mut self,
        at: u64,
        from: NodeIndex,
        to: NodeIndex,
        kind: &str,
        text: &str,
    ) -> Option<u64> {
        let [a, b] = [from, to].map(|node| self.process_of(node));
        let flight = if a == b { 5 } else { 220 + self.roll(450) };
        let is_lost = a != b && (self.roll(100) < 2 || is_cut(at, a, b) || is_down(at + flight, b));
        let message = Message {
            sent_us: at,
            arrives_us: (!is_lost).then_some(at + flight),
            from,
            to,
            kind: self.story.text(kind),
            text: self.story.text(&format!("{kind} {{ {text} }}")),
            is_duplicate: false,
        };
        self.story.messages.push(message);
        if a != b && !is_lost && self.roll(100) == 0 {
            let again = Some(at + flight + 100 + self.roll(900));
            self.story.messages.push(Message { arrives_us: again, is_duplicate: true, ..message });
        }
        message.arrives_us
    }

    fn process_of(&self, node: NodeIndex) -> usize {
        self.nodes.iter().position(|nodes| nodes.contains(&node)).expect("a node of the run")
    }

    fn mark(&mut self, at_us: u64, place: Place, kind: MarkKind, text: &str) {
        let text = self.story.text(text);
        self.story.marks.push(Mark { at_us, place, kind, text });
    }

    fn band(&mut self, from_us: u64, to_us: u64, place: Place, kind: BandKind, label: &str) {
        let label = self.story.text(label);
        self.story.bands.push(Band { from_us, to_us, place, kind, label });
    }

    fn state(&mut self, at_us: u64, node: NodeIndex, text: &str) {
        let text = self.story.text(text);
        self.story.states.push(State { at_us, node, text });
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.dice >> 33) % sides
    }
}

fn leader_at(at: u64) -> (usize, &'static str) {
    let (_, process, round) = LEADERS.iter().rfind(|l| l.0 * 1000 <= at).expect("someone leads");
    (*process, round)
}

fn is_cut(at: u64, a: usize, b: usize) -> bool {
    (110_000..150_000).contains(&at) && a < 3 && b < 3 && (a == 0) != (b == 0)
}

fn is_down(at: u64, process: usize) -> bool {
    (235_000..262_000).contains(&at) && process == 2
}
