//! What the application wants all processes of a cluster to agree on, for the life of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::wire::{Decode, Encode};

/// Differences that are told at once.
const TOLD_MAX: usize = 4;

/// Characters of one text that are told.
const TOLD_CHARS_MAX: usize = 1000;

/// Texts that all processes of a cluster agree on when they found it, by topic: what must never
/// change or differ between processes, such as who has which role.
///
/// They mean nothing here. Two charters are the same if all their texts are; the texts are for the
/// operator who must find out what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[bincode(crate = "crate::wire::bincode")]
pub struct Charter(pub BTreeMap<String, String>);

impl Charter {
    /// What differs between this charter and `other`, for people: each topic with both texts, which
    /// are introduced by `own` and `others`. `None` if nothing does.
    pub(in crate::runtime) fn difference(
        &self,
        own: &str,
        other: &Self,
        others: &str,
    ) -> Option<String> {
        let topics: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let mut topics: Vec<&String> =
            topics.into_iter().filter(|topic| self.0.get(*topic) != other.0.get(*topic)).collect();
        let untold_count = topics.len().saturating_sub(TOLD_MAX);
        topics.truncate(TOLD_MAX);
        let told = topics.into_iter().map(|topic| {
            let (one, two) = (Text(self.0.get(topic)), Text(other.0.get(topic)));
            format!("{}: {own} {one}, {others} {two}", shortened(topic))
        });
        let mut told: Vec<String> = told.collect();
        if untold_count > 0 {
            told.push(format!("and {untold_count} more"));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The text of a topic, if there is one.
struct Text<'a>(Option<&'a String>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(text) => write!(f, "\"{}\"", shortened(text)),
            None => f.write_str("nothing"),
        }
    }
}

/// A peer may send long texts, and any characters.
fn shortened(text: &str) -> String {
    text.chars().filter(|shown| !shown.is_control()).take(TOLD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charter(texts: &[(&str, &str)]) -> Charter {
        Charter(texts.iter().map(|(topic, text)| ((*topic).into(), (*text).into())).collect())
    }

    #[test]
    fn every_topic_that_differs_is_told_with_both_texts() {
        let one = charter(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let two = charter(&[("a", "1"), ("b", "9"), ("d", "4")]);
        let told = one.difference("founded as", &two, "now");
        let expected = "b: founded as \"2\", now \"9\"; c: founded as \"3\", now nothing; \
                        d: founded as nothing, now \"4\"";
        assert_eq!(told.as_deref(), Some(expected));
        assert_eq!(one.difference("", &one, ""), None);
    }

    #[test]
    fn a_long_story_is_cut_short() {
        let long = "x".repeat(60_000);
        let topics: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let pairs: Vec<(&str, &str)> =
            topics.iter().map(|topic| (topic.as_str(), long.as_str())).collect();
        let told = charter(&pairs).difference("", &Charter::default(), "").unwrap();
        assert!(told.len() < 8000 && told.ends_with("and 96 more"), "{}", told.len());
    }
}
