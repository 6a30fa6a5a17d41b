//! A process that the program has started, and ends by its id.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{BenchError, Outcome};
use crate::interrupt::Interrupt;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// How often a server that starts is looked at.
const START_PERIOD: Duration = Duration::from_millis(20);

/// What a server said last, in lines, when it is quoted.
const QUOTED_LINES: usize = 5;

/// A process. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    /// Where it writes what it has to say.
    output: PathBuf,
}

impl Child {
    /// Starts `command` under a name; what it says goes to a file in `directory`.
    ///
    /// *Errors*: the program is missing.
    pub(crate) fn start(name: &str, command: &mut Command, directory: &Path) -> Outcome<Self> {
        let output = directory.join(format!("{name}.out"));
        let file = File::options().create(true).append(true).open(&output)?;
        let program = Path::new(command.get_program()).display().to_string();
        let process =
            command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn().map_err(
                |error| BenchError::new(format_args!("cannot start {program}: {error}")),
            )?;
        Ok(Self { name: name.to_owned(), process, output })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits until `is_ready` says so.
    ///
    /// *Errors*: the process has ended, which is told with what it said last; or it takes too long.
    pub(crate) fn wait_until_ready(
        &mut self,
        interrupt: &Interrupt,
        mut is_ready: impl FnMut() -> bool,
    ) -> Outcome<()> {
        let started = Instant::now();
        while !is_ready() {
            interrupt.check()?;
            let ended = self.process.try_wait()?;
            if ended.is_some() || started.elapsed() > START_MAX {
                let what = if ended.is_some() { "has ended" } else { "does not serve" };
                return Err(BenchError::new(format_args!(
                    "{} {what}:\n{}",
                    self.name,
                    self.said()
                )));
            }
            std::thread::sleep(START_PERIOD);
        }
        Ok(())
    }

    fn said(&self) -> String {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Loopback addresses that nobody listens on now, as the system hands them out.
///
/// *Errors*: there are too few.
pub(crate) fn free_addresses(count: usize) -> Outcome<Vec<SocketAddr>> {
    // All are held until all are known, so no two are the same.
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
    Ok(listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn free_addresses_differ() {
        let addresses = free_addresses(8).expect("eight ports");
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() > 0));
        let different: BTreeSet<SocketAddr> = addresses.into_iter().collect();
        assert_eq!(different.len(), 8);
    }

    #[test]
    fn a_process_that_ends_is_told_with_what_it_said() {
        let directory = tempfile::tempdir().expect("a directory");
        let interrupt = Interrupt::watch().expect("signals can be caught");
        let mut command = Command::new("sh");
        command.args(["-c", "echo the port is taken; exit 1"]);
        let mut child = Child::start("server", &mut command, directory.path()).expect("it starts");
        let error = child.wait_until_ready(&interrupt, || false).expect_err("it ends");
        assert!(error.to_string().contains("server has ended:\nthe port is taken"), "{error}");
        let missing = Child::start("x", &mut Command::new("/no/such/program"), directory.path());
        assert!(missing.expect_err("missing").to_string().contains("/no/such/program"));
    }
}
