//! What can be made to happen to etcd: its leader dies, and comes back.

use super::Happening;
use super::clock::Clock;
use super::event::{Action, Event, Script};
use crate::cluster::EtcdCluster;
use crate::error::{BenchError, Outcome};

/// Makes everything happen at its time, one after the other.
///
/// *Errors*: something did not work out, or cannot be made to happen to etcd.
pub(crate) fn perform_on_etcd(
    cluster: &mut EtcdCluster,
    clock: &Clock,
    script: &Script,
) -> Outcome<Vec<Happening>> {
    clock.perform(script, |event| make_happen(cluster, clock, event))
}

fn make_happen(cluster: &mut EtcdCluster, clock: &Clock, event: &Event) -> Outcome<Happening> {
    let began = clock.now();
    let name = match &event.action {
        Action::Kill(who) if who == "leader" => {
            let leader = cluster.kill_leader()?;
            format!("kill leader ({leader})")
        }
        Action::Restart => {
            cluster.restart()?;
            "restart".into()
        }
        _ => return Err(BenchError::new("of etcd only kill:leader and restart can be asked for")),
    };
    let (action, ended) = (event.action.to_string(), clock.now());
    Ok(Happening { action, name, began, ended, text: String::new(), changes: Vec::new() })
}
