//! The tables of `docs/invariants.md`: properties, and the bugs that they catch.

use std::fmt::Write as _;

use crate::mutation::Description;
use crate::plan::ProtocolName;
use crate::properties::{self, Property};
use crate::swarm::Caught;

/// A bug, and what caught it.
pub type Tried = (&'static Description, Caught);

/// The row of a bug: what is wrong, what caught it, and how many seeds that took.
pub fn row((bug, caught): &Tried) -> String {
    let Description { id, text, .. } = bug;
    match &caught.first {
        Some((seed, failure)) => {
            format!("| {id} | {text} | {} | {} |", failure.property, seed + 1)
        }
        None => format!("| {id} | {text} | not within the seeds that were tried | - |"),
    }
}

/// Every bug that was tried.
pub fn mutations_table(tried: &[Tried]) -> String {
    let mut table =
        String::from("| bug | what is wrong | caught by | seeds |\n|---|---|---|---|\n");
    for one in tried {
        table.push_str(&row(one));
        table.push('\n');
    }
    table
}

/// The properties that are told of with the bugs of `protocol`.
pub fn properties_of(protocol: ProtocolName) -> &'static [Property] {
    match protocol {
        ProtocolName::Matchmaker => &properties::ALL,
        ProtocolName::Bpaxos => &properties::bpaxos::ALL,
    }
}

/// Where the tables of `protocol` stand in the document: of its properties, and of its bugs.
pub const fn places(protocol: ProtocolName) -> [&'static str; 2] {
    match protocol {
        ProtocolName::Matchmaker => ["properties", "mutations"],
        ProtocolName::Bpaxos => ["bpaxos properties", "bpaxos mutations"],
    }
}

/// Every property of `protocol`, and the bugs that it was the first to catch.
pub fn properties_table(protocol: ProtocolName, tried: &[Tried]) -> String {
    let mut table = String::from(
        "| property | what it says | paper | upheld by | bugs that it was the first to catch |\n\
         |---|---|---|---|---|\n",
    );
    for property in properties_of(protocol).iter().copied() {
        let Property { statement, paper, module, .. } = property;
        let caught = |(bug, caught): &Tried| {
            let (_, failure) = caught.first.as_ref()?;
            (failure.property == property).then_some(bug.id)
        };
        let caught: Vec<&str> = tried.iter().filter_map(caught).collect();
        let caught = if caught.is_empty() { "-".to_owned() } else { caught.join(" ") };
        writeln!(table, "| {property} | {statement} | {paper} | {module} | {caught} |")
            .expect("writing to a string does not fail");
    }
    table
}

/// Puts a table into a document, between the lines `<!-- name -->` and `<!-- end of name -->`.
///
/// *Errors*: the document has no such lines.
pub fn put(document: &str, name: &str, table: &str) -> Result<String, String> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let split = document.split_once(&start).zip(document.split_once(&end));
    let Some(((before, _), (_, after))) = split else {
        return Err(format!("there is no place for the {name} in the document"));
    };
    Ok(format!("{before}{start}\n{table}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_one_before() {
        let document = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n";
        let once = put(document, "x", "| new |\n").unwrap();
        assert_eq!(once, "a\n<!-- x -->\n\n| new |\n\n<!-- end of x -->\nb\n");
        assert_eq!(put(&once, "x", "| new |\n").unwrap(), once);
        put(document, "y", "").unwrap_err();
    }
}
