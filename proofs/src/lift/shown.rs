//! States and steps for readers.

use std::fmt::{self, Debug};

use paxos::actor::Actor;

use super::{Input, State, Step};

impl<A: Actor, G: Debug> Debug for State<A, G>
where
    A: Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for seat in &self.seats {
            writeln!(f, "{:?}", seat.actor)?;
        }
        for message in self.inboxes.iter().flat_map(|inbox| inbox.iter()) {
            writeln!(f, "{} -> {}: {:?}", message.from, message.to, message.message)?;
        }
        match &self.complaint {
            Some(complaint) => write!(f, "{:?}\n{complaint:?}", self.ghost),
            None => write!(f, "{:?}", self.ghost),
        }
    }
}

impl<A: Actor, F> Debug for Step<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, input) in self.inputs.iter().enumerate() {
            let separator = if number > 0 { "; " } else { "" };
            match input {
                Input::Message(m) => {
                    write!(f, "{separator}{} -> {}: {:?}", m.from, m.to, m.message)?;
                }
                Input::Timer(timer) => write!(f, "{separator}seat {}: {timer:?}", self.seat)?,
                Input::Restart => write!(f, "{separator}seat {}: crash, restart", self.seat)?,
            }
        }
        Ok(())
    }
}
