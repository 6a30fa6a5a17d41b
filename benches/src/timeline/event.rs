//! What shall happen, and when: as it is written on the command line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::duration;
use crate::error::{BenchError, Outcome};

/// What is written after a time.
pub(crate) const EVENTS: &str = "\
  reconfigure[:every=TIME][,for=TIME]  replace the acceptors, by others drawn at random
  handover[:every=TIME][,for=TIME]     replace the matchmakers by others; needs --spares
  kill:WHO       end a process at once: leader, acceptor, matchmaker, replica, or the name of a node
  restart        start the node that was killed last
  replace:WHAT   acceptor or matchmaker: use others than those that are dead;
                 node: a new node takes all places of the one that was killed last
  transfer       have another node lead
What is repeated goes on until the next event, if it does not say for how long.";

/// How often something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// The time from one beginning to the next; once only if there is none.
    pub(crate) every: Option<Duration>,
    /// For how long; until the next event if it does not say.
    pub(crate) lasts: Option<Duration>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Reconfigure(Repeat),
    Handover(Repeat),
    /// Whose process is ended.
    Kill(String),
    Restart,
    ReplaceAcceptor,
    ReplaceMatchmaker,
    ReplaceNode,
    Transfer,
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        match (name, rest) {
            ("reconfigure", rest) => repeat(rest).map(Self::Reconfigure),
            ("handover", rest) => repeat(rest).map(Self::Handover),
            ("kill", who) if !who.is_empty() => Ok(Self::Kill(who.to_owned())),
            ("restart", "") => Ok(Self::Restart),
            ("replace", "acceptor") => Ok(Self::ReplaceAcceptor),
            ("replace", "matchmaker") => Ok(Self::ReplaceMatchmaker),
            ("replace", "node") => Ok(Self::ReplaceNode),
            ("transfer", "") => Ok(Self::Transfer),
            _ => Err(format!("{text:?} is no event; there are:\n{EVENTS}")),
        }
    }
}

/// `every=100ms,for=10s`
fn repeat(text: &str) -> Result<Repeat, String> {
    let mut repeat = Repeat::default();
    for option in text.split(',').filter(|option| !option.is_empty()) {
        let place = match option.split_once('=') {
            Some(("every", time)) => (&mut repeat.every, time),
            Some(("for", time)) => (&mut repeat.lasts, time),
            _ => {
                return Err(format!(
                    "{option:?}: write every=TIME or for=TIME, such as every=100ms"
                ));
            }
        };
        *place.0 = Some(duration(place.1)?);
    }
    match repeat {
        Repeat { every: None, lasts: Some(_) } => {
            Err(format!("{text:?}: what is done once does not last; add every=TIME"))
        }
        repeat => Ok(repeat),
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = |f: &mut fmt::Formatter<'_>, name: &str, repeat: &Repeat| match repeat.every
        {
            Some(every) => write!(f, "{name} every {} ms", every.as_millis()),
            None => f.write_str(name),
        };
        match self {
            Self::Reconfigure(repeat) => repeated(f, "reconfigure", repeat),
            Self::Handover(repeat) => repeated(f, "handover", repeat),
            Self::Kill(who) => write!(f, "kill {who}"),
            Self::Restart => f.write_str("restart"),
            Self::ReplaceAcceptor => f.write_str("replace acceptor"),
            Self::ReplaceMatchmaker => f.write_str("replace matchmaker"),
            Self::ReplaceNode => f.write_str("replace node"),
            Self::Transfer => f.write_str("transfer"),
        }
    }
}

/// Something at its time, since the beginning of the measured part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) action: Action,
}

/// Events in the order of their times, each over before the next one begins; and all of them again
/// in each further round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    events: Vec<Event>,
    /// How long a round takes.
    length: Duration,
    rounds: u32,
}

impl Script {
    /// What shall happen within `length`. What is repeated without saying for how long goes on
    /// until the next event or the end.
    ///
    /// *Errors*: an event after the end, or one that begins while another one is repeated.
    pub(crate) fn new(mut events: Vec<Event>, length: Duration) -> Outcome<Self> {
        events.sort_by_key(|event| event.at);
        let mut next = length;
        for event in events.iter_mut().rev() {
            let (name, at) = (event.action.to_string(), event.at);
            if at >= length {
                return Err(BenchError::new(format_args!(
                    "{name} at {at:?} is not within the {length:?} that are measured: raise --duration"
                )));
            }
            if let Action::Reconfigure(repeat) | Action::Handover(repeat) = &mut event.action
                && repeat.every.is_some()
            {
                let lasts = *repeat.lasts.get_or_insert(next.saturating_sub(at));
                if at + lasts > next {
                    return Err(BenchError::new(format_args!(
                        "{name} from {at:?} lasts {lasts:?}, and the next event or the end is at {next:?}"
                    )));
                }
            }
            next = at;
        }
        Ok(Self { events, length, rounds: 1 })
    }

    /// The same in so many rounds, one after the other.
    pub(crate) fn in_rounds(mut self, rounds: u32) -> Self {
        let once = std::mem::take(&mut self.events);
        for round in 0..rounds {
            let moved =
                |event: &Event| Event { at: event.at + self.length * round, ..event.clone() };
            self.events.extend(once.iter().map(moved));
        }
        Self { rounds, ..self }
    }

    /// The events of all rounds.
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// How long all rounds take together.
    pub(crate) fn duration(&self) -> Duration {
        self.length * self.rounds
    }

    /// When each round begins, and the end of the last one.
    pub(crate) fn bounds(&self) -> Vec<Duration> {
        (0..=self.rounds).map(|round| self.length * round).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long an event is repeated; nothing if it is done once.
    fn lasts(event: &Event) -> Option<Duration> {
        match event.action {
            Action::Reconfigure(repeat) | Action::Handover(repeat) => repeat.lasts,
            _ => None,
        }
    }

    fn event(at: u32, action: &str) -> Event {
        Event { at: at * SECOND, action: action.parse().expect("an event") }
    }

    #[test]
    fn events_are_read() {
        let every = |ms| Some(Duration::from_millis(ms));
        let repeat = Repeat { every: every(100), lasts: every(10_000) };
        assert_eq!("reconfigure:every=100ms,for=10s".parse(), Ok(Action::Reconfigure(repeat)));
        assert_eq!("handover".parse(), Ok(Action::Handover(Repeat::default())));
        assert_eq!("kill:leader".parse(), Ok(Action::Kill("leader".into())));
        assert_eq!("replace:acceptor".parse(), Ok(Action::ReplaceAcceptor));
        assert_eq!("replace:node".parse(), Ok(Action::ReplaceNode));
        for text in ["restart", "transfer"] {
            assert_eq!(text.parse::<Action>().expect("an event").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_event_is_refused_with_what_is() {
        for (text, hint) in [
            ("explode", "kill:WHO"),
            ("kill", "kill:WHO"),
            ("replace:everything", "replace:WHAT"),
            ("restart:n1", "restart"),
            ("reconfigure:often", "every=TIME"),
            ("reconfigure:every=5", "5s"),
            ("reconfigure:for=5s", "add every=TIME"),
        ] {
            let cause = text.parse::<Action>().expect_err("no event");
            assert!(cause.contains(hint), "{text}: {cause}");
        }
    }

    #[test]
    fn what_is_repeated_goes_on_until_the_next_event() {
        let events = vec![event(8, "kill:leader"), event(2, "reconfigure:every=100ms")];
        let script = Script::new(events, 10 * SECOND).expect("possible");
        let found: Vec<_> = script.events().iter().map(lasts).collect();
        assert_eq!(found, [Some(6 * SECOND), None]);
        let alone = Script::new(vec![event(2, "handover:every=1s")], 10 * SECOND);
        assert_eq!(lasts(&alone.expect("possible").events()[0]), Some(8 * SECOND));
    }

    #[test]
    fn a_script_is_repeated_in_rounds() {
        let script =
            Script::new(vec![event(2, "restart")], 10 * SECOND).expect("possible").in_rounds(3);
        let times: Vec<Duration> = script.events().iter().map(|event| event.at).collect();
        assert_eq!(times, [2, 12, 22].map(|at| at * SECOND));
        assert_eq!(script.duration(), 30 * SECOND);
        assert_eq!(script.bounds(), [0, 10, 20, 30].map(|at| at * SECOND));
    }

    #[test]
    fn events_that_do_not_fit_are_refused() {
        let late = Script::new(vec![event(10, "restart")], 10 * SECOND).expect_err("late");
        assert!(late.to_string().contains("raise --duration"), "{late}");
        let events = vec![event(1, "reconfigure:every=1s,for=5s"), event(4, "restart")];
        let overlap = Script::new(events, 10 * SECOND).expect_err("both at once");
        assert!(overlap.to_string().contains("the next event"), "{overlap}");
    }
}
