//! Makes happen what a script says, as an operator would.

use std::time::{Duration, Instant};

use kvs::admin::{ChangeReport, CollectedReport, HandoverReport, ReconfigureReport, Status};
use kvs::deployment::Role;
use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::event::{Action, Event, Repeat, Script};
use crate::cluster::OwnCluster;
use crate::error::{BenchError, Outcome};

/// Pause after a step that could not be taken.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How long an operator goes on asking.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event that has happened. Times count from the beginning of the measured part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Happening {
    /// What was asked for.
    pub(crate) action: String,
    /// The same, with whom it met.
    pub(crate) name: String,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    /// What came of it.
    pub(crate) text: String,
    /// The changes of acceptors and matchmakers that it consists of.
    pub(crate) changes: Vec<Change>,
}

/// One replacement of acceptors or matchmakers. Times are in milliseconds from the command, by the
/// clock of the node that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// When the new ones were in use.
    pub(crate) active_ms: f64,
    /// When the old ones were not needed any more, if they were acceptors.
    pub(crate) collected_ms: Option<f64>,
    /// Earlier configurations that the matchmakers knew of, if they were acceptors.
    pub(crate) history_count: Option<u64>,
}

/// Operates a cluster during a run.
pub(crate) struct Director<'a> {
    cluster: &'a mut OwnCluster,
    clock: Clock,
    random: Xoshiro256PlusPlus,
    /// The node that was killed last.
    killed: Option<String>,
    joiner_count: usize,
}

impl<'a> Director<'a> {
    pub(crate) fn new(cluster: &'a mut OwnCluster, clock: Clock, seed: u64) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { cluster, clock, random, killed: None, joiner_count: 0 }
    }

    /// Makes everything happen at its time, one after the other.
    ///
    /// *Errors*: something did not work out; the text says what.
    pub(crate) fn perform(mut self, script: &Script) -> Outcome<Vec<Happening>> {
        let clock = self.clock.clone();
        clock.perform(script, |event| self.make_happen(event))
    }

    fn make_happen(&mut self, event: &Event) -> Outcome<Happening> {
        let began = self.clock.now();
        let mut changes = Vec::new();
        let mut name = event.action.to_string();
        let text = match &event.action {
            Action::Reconfigure(repeat) => {
                self.repeat(event.at, *repeat, &mut changes, Self::reconfigure)?
            }
            Action::Handover(repeat) => {
                self.repeat(event.at, *repeat, &mut changes, Self::hand_over)?
            }
            Action::Kill(who) => {
                let node = self.victim(who)?;
                self.cluster.kill(&node)?;
                name = format!("kill {who} ({node})");
                self.killed = Some(node);
                String::new()
            }
            Action::Restart => {
                let node = self.last_killed()?;
                self.cluster.restart(&node)?;
                name = format!("restart {node}");
                String::new()
            }
            Action::ReplaceAcceptor => self.once(&mut changes, Self::reconfigure)?,
            Action::ReplaceMatchmaker => self.once(&mut changes, Self::hand_over)?,
            Action::ReplaceNode => self.replace_node()?,
            Action::Transfer => self.transfer()?,
        };
        let action = event.action.to_string();
        Ok(Happening { action, name, began, ended: self.clock.now(), text, changes })
    }

    fn once(
        &mut self,
        changes: &mut Vec<Change>,
        step: impl Fn(&mut Self) -> Outcome<(Change, String)>,
    ) -> Outcome<String> {
        let (change, text) = step(self)?;
        changes.push(change);
        Ok(text)
    }

    /// Takes a step again and again, at even times; or once.
    fn repeat(
        &mut self,
        at: Duration,
        repeat: Repeat,
        changes: &mut Vec<Change>,
        step: impl Fn(&mut Self) -> Outcome<(Change, String)>,
    ) -> Outcome<String> {
        let Repeat { every: Some(every), lasts: Some(lasts) } = repeat else {
            return self.once(changes, step);
        };
        let mut due = at;
        while due < at + lasts {
            self.clock.wait_until(due)?;
            let (change, _) = step(self)?;
            changes.push(change);
            due += every;
        }
        self.clock.wait_until(at + lasts)?;
        Ok(format!("{} times", changes.len()))
    }

    fn reconfigure(&mut self) -> Outcome<(Change, String)> {
        let status = self.cluster.status()?;
        let acceptors = self.other_acceptors(&status)?;
        let mut operator = self.cluster.operator_at(&status.leader)?;
        let names: Vec<&str> = acceptors.iter().map(String::as_str).collect();
        let command = [&["KVS.RECONFIGURE"], &names[..]].concat();
        let report: ReconfigureReport = operator.report(&command)?;
        let version = report.version.to_string();
        let collected: CollectedReport = operator.report(&["KVS.COLLECTED", &version])?;
        let change = Change {
            active_ms: millis(report.active_after_us),
            collected_ms: Some(millis(collected.collected_after_us)),
            history_count: Some(report.history_count),
        };
        Ok((change, format!("{} vote", report.acceptors.join(" "))))
    }

    fn hand_over(&mut self) -> Outcome<(Change, String)> {
        let status = self.cluster.status()?;
        let matchmakers = self.other_matchmakers(&status)?;
        let mut operator = self.cluster.operator_at(&status.leader)?;
        let names: Vec<&str> = matchmakers.iter().map(String::as_str).collect();
        let command = [&["KVS.MATCHMAKERS"], &names[..]].concat();
        let report: HandoverReport = operator.report(&command)?;
        let active_ms = millis(report.finished_after_us);
        let change = Change { active_ms, collected_ms: None, history_count: None };
        Ok((change, format!("the matchmakers are {}", report.matchmakers.join(" "))))
    }

    fn transfer(&mut self) -> Outcome<String> {
        let status = self.cluster.status()?;
        let nodes = self.cluster.file().nodes.iter();
        let others = nodes.filter(|node| {
            node.roles.contains(&Role::Proposer)
                && node.name != status.leader
                && self.cluster.runs(&node.name)
        });
        let to = others.map(|node| node.name.clone()).next();
        let to = to.ok_or_else(|| BenchError::new("no other proposer runs"))?;
        let mut operator = self.cluster.operator_at(&status.leader)?;
        let report: ChangeReport = operator.report(&["KVS.TRANSFER", &to])?;
        Ok(report.text)
    }

    /// A new node takes the place of the one that was killed last, step by step.
    fn replace_node(&mut self) -> Outcome<String> {
        let old = self.last_killed()?;
        self.joiner_count += 1;
        let new = format!("new{}", self.joiner_count);
        self.cluster.launch_joiner(&new)?;
        let started = Instant::now();
        loop {
            self.clock.check()?;
            let step = self.cluster.operator().and_then(|mut operator| {
                operator.report::<ChangeReport>(&["KVS.REPLACE", &old, &new])
            });
            match step {
                Ok(report) if report.is_done => return Ok(report.text),
                Ok(_) => {}
                // It may not have reached the others yet, or nobody leads just now.
                Err(_) if started.elapsed() < PATIENCE => std::thread::sleep(RETRY_PAUSE),
                Err(error) => return Err(error),
            }
        }
    }

    fn last_killed(&self) -> Outcome<String> {
        self.killed
            .clone()
            .ok_or_else(|| BenchError::new("no node was killed before: put a kill in front of it"))
    }

    /// The node that is meant by a role, or by its name.
    fn victim(&self, who: &str) -> Outcome<String> {
        if self.cluster.runs(who) {
            return Ok(who.to_owned());
        }
        let status = self.cluster.status()?;
        let mut nodes: Vec<_> =
            self.cluster.file().nodes.iter().filter(|node| self.cluster.runs(&node.name)).collect();
        // Those that play least come first, so that as little as possible dies beside the victim.
        nodes.sort_by_key(|node| node.roles.len() + node.acceptors.len());
        let follower = |name: &str| name != status.leader;
        let votes = |names: &[String]| names.iter().any(|name| status.acceptors.contains(name));
        let found = nodes.iter().find(|node| match who {
            "leader" => node.name == status.leader,
            "acceptor" => follower(&node.name) && votes(&node.acceptors),
            "matchmaker" => follower(&node.name) && status.matchmakers.contains(&node.name),
            "replica" => follower(&node.name) && node.roles.contains(&Role::Replica),
            _ => false,
        });
        found.map(|node| node.name.clone()).ok_or_else(|| {
            BenchError::new(format_args!(
                "there is no {who:?} that runs: write leader, acceptor, matchmaker, replica, or a node"
            ))
        })
    }

    /// As many acceptors as vote now, of nodes that run: one of each node as long as there are
    /// enough.
    fn other_acceptors(&mut self, status: &Status) -> Outcome<Vec<String>> {
        let cluster = &*self.cluster;
        let nodes = cluster.file().nodes.iter().filter(|node| cluster.runs(&node.name));
        let mut hosts: Vec<Vec<String>> = nodes.map(|node| node.acceptors.clone()).collect();
        hosts.iter_mut().for_each(|acceptors| acceptors.shuffle(&mut self.random));
        hosts.shuffle(&mut self.random);
        let depth = hosts.iter().map(Vec::len).max().unwrap_or_default();
        let by_turns =
            (0..depth).flat_map(|turn| hosts.iter().filter_map(move |host| host.get(turn)));
        let mut chosen: Vec<String> = by_turns.take(status.acceptors.len()).cloned().collect();
        if chosen.len() < status.acceptors.len() {
            return Err(BenchError::new(
                "too few acceptors run to take the place of those that vote",
            ));
        }
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// As many matchmakers as there are now, of nodes that run and lead or could lead.
    fn other_matchmakers(&mut self, status: &Status) -> Outcome<Vec<String>> {
        let cluster = &*self.cluster;
        let nodes = cluster.file().nodes.iter();
        let nodes = nodes.filter(|node| !node.roles.is_empty() && cluster.runs(&node.name));
        let mut names: Vec<String> = nodes.map(|node| node.name.clone()).collect();
        let count = status.matchmakers.len();
        let is_same = |names: &[String]| {
            names.len() == count && names.iter().all(|name| status.matchmakers.contains(name))
        };
        if names.len() < count || is_same(&names) {
            return Err(BenchError::new(
                "no other matchmakers run than those that serve: start more nodes with --spares 3",
            ));
        }
        loop {
            names.shuffle(&mut self.random);
            let mut chosen = names[..count].to_vec();
            if !is_same(&chosen) {
                chosen.sort_unstable();
                return Ok(chosen);
            }
        }
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1e3
}
