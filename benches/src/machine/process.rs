//! What a process has used so far, as the kernel counts it.

use std::fs;
use std::io;
use std::time::Duration;

use super::field;

/// The kernel tells processor time in these; on Linux it is so everywhere.
const TICK: Duration = Duration::from_millis(10);

/// What a process has used since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// Processor time, its own and the kernel's for it; exact to 10 ms.
    pub(crate) cpu: Duration,
    /// Memory that it has now, in bytes.
    pub(crate) resident_bytes: u64,
}

impl ProcessUsage {
    /// What the process `id` has used.
    ///
    /// *Errors*: there is no such process, or the kernel does not say.
    pub(crate) fn of(id: u32) -> io::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}"));
        let foreign = || io::Error::other(format!("/proc/{id}/stat is not as expected"));
        let status = read("status")?;
        let number = |text: &str| text.split(' ').next().and_then(|word| word.parse::<u64>().ok());
        Ok(Self {
            cpu: cpu_time(&read("stat")?).ok_or_else(foreign)?,
            resident_bytes: field(&status, "VmRSS").and_then(number).unwrap_or_default() * 1024,
        })
    }
}

/// User and system time in `/proc/PID/stat`. The name of the program, in parentheses, may have
/// spaces.
fn cpu_time(stat: &str) -> Option<Duration> {
    const USER: usize = 11;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(USER).take(2).map(|word| word.parse::<u32>().ok());
    let ticks: Vec<u32> = ticks.collect::<Option<_>>()?;
    let [user, system] = ticks[..] else { return None };
    Some(TICK * user + TICK * system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_the_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 1 0 5 0 0\n";
        assert_eq!(cpu_time(stat), Some(Duration::from_millis(2810)));
        assert_eq!(cpu_time("42 (kvs) S 1"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = ProcessUsage::of(std::process::id()).expect("it runs");
        assert!(usage.resident_bytes > 0);
        assert!(ProcessUsage::of(0).is_err());
    }
}
