//! Following the cluster: who is dialled, what is kept for the next start, and whether one is still a
//! member.
//!
//! What the leader says of the members goes to the transport and to the data directory. A process that
//! hears no leader asks the others: it may have been away while the cluster moved to other machines, or
//! the cluster may have removed it. The latter needs evidence: a later configuration without it, behind
//! which all earlier ones are collected. Then nothing that it remembers is needed by anybody; it notes
//! so durably, stops, and never starts again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paxos::runtime::{DataDir, DirectoryHandle, Identity, News, inquire};
use tokio::time::timeout;

use crate::outlook::{Known, Outlook};

/// How often it is looked whether a leader is heard.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A leader that was not heard for this long is missing.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// How long a member may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a process follows no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// For the operator.
    pub reason: String,
}

/// Follows the cluster that `outlook` shows for as long as this process is a member. `on_leaving` is
/// called as soon as it shall serve no new clients.
///
/// *Durable*: who the members are, soon after it is known; on return, that this process was removed.
///
/// *Errors*: of the disk.
pub async fn follow(
    outlook: Outlook,
    directory: DirectoryHandle,
    data_dir: DataDir,
    on_leaving: impl Fn(),
) -> io::Result<Removed> {
    let identity = data_dir.identity().clone();
    let data_dir = Arc::new(Mutex::new(data_dir));
    let mut changes = outlook.changes();
    let mut kept = outlook.known();
    directory.replace(kept.members.directory()?, kept.encode());
    loop {
        match timeout(LOOK_INTERVAL, changes.changed()).await {
            Ok(_) => {
                let known = outlook.known();
                directory.replace(known.members.directory()?, known.encode());
                // Acceptors may be replaced many times a second, and matchmakers know of them.
                if known.members != kept.members || known.matchmakers() != kept.matchmakers() {
                    let bytes = known.encode();
                    on_disk(&data_dir, move |data_dir| data_dir.set_members(bytes)).await?;
                }
                let own = known.members.member(&identity.node).ok();
                if own.is_some_and(|own| own.is_leaving && own.incarnation == identity.incarnation)
                {
                    on_leaving();
                    if known.is_collected() {
                        let version = known.configuration().version();
                        let reason = format!(
                            "it has no part in version {version} of the configuration, and all before \
                             it is collected"
                        );
                        let retired = reason.clone();
                        on_disk(&data_dir, move |data_dir| data_dir.retire(&retired)).await?;
                        return Ok(Removed { reason });
                    }
                }
                kept = known;
            }
            Err(_) => {
                if outlook.last_leader().is_some_and(|(_, age)| age < SILENCE_MAX) {
                    continue;
                }
                if let Some(removed) = ask_around(&identity, &outlook).await {
                    let reason = removed.reason.clone();
                    on_disk(&data_dir, move |data_dir| data_dir.retire(&reason)).await?;
                    return Ok(removed);
                }
            }
        }
    }
}

/// Asks all members; the newest that they know is adopted.
async fn ask_around(identity: &Identity, outlook: &Outlook) -> Option<Removed> {
    let known = outlook.known();
    for member in known.members.all().filter(|member| member.name != identity.node) {
        let asked = timeout(ANSWER_TIMEOUT, inquire(identity, &member.peer)).await;
        let (bytes, is_member) = match asked {
            Ok(Ok(News::Member(bytes))) => (bytes, true),
            Ok(Ok(News::Stranger(bytes))) => (bytes, false),
            Ok(Err(_)) | Err(_) => continue,
        };
        let Ok(theirs) = Known::decode(&bytes) else { continue };
        match is_member {
            true => outlook.adopt(theirs),
            false => {
                let removed = removal(identity, &known, &theirs, &member.name);
                if removed.is_some() {
                    return removed;
                }
            }
        }
    }
    None
}

/// The evidence that this process was removed, if `theirs` is that: what the member called `witness`
/// knows.
fn removal(identity: &Identity, own: &Known, theirs: &Known, witness: &str) -> Option<Removed> {
    let is_there =
        theirs.members.member(&identity.node).is_ok_and(|m| m.incarnation == identity.incarnation);
    let is_evidence = own.is_older_than(theirs) && theirs.is_collected() && !is_there;
    is_evidence.then(|| Removed {
        reason: format!(
            "version {} of the configuration, which {witness} knows, is without {}, and all before it \
             is collected",
            theirs.configuration().version(),
            identity.node
        ),
    })
}

async fn on_disk(
    data_dir: &Arc<Mutex<DataDir>>,
    write: impl FnOnce(&mut DataDir) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let data_dir = Arc::clone(data_dir);
    let written = tokio::task::spawn_blocking(move || {
        write(&mut data_dir.lock().unwrap_or_else(PoisonError::into_inner))
    });
    written.await.map_err(io::Error::other)?
}
