//! What is known of the machine: what it is, what it can do at best, and what processes use of it.

mod limits;
mod process;

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Outcome;

pub(crate) use limits::{Cost, Limits};
pub(crate) use process::ProcessUsage;

/// The machine that a measurement was made on. Figures of different machines are not compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Processors that may be used.
    pub(crate) processors: usize,
    /// Their name.
    pub(crate) processor: String,
    /// The release of the kernel.
    pub(crate) kernel: String,
    /// The kind of file system that the data are on. On `tmpfs` nothing is durable.
    pub(crate) filesystem: String,
    /// Share of the last ten seconds in which somebody waited for a processor, in percent, before
    /// the measurement began; nothing if the kernel does not say.
    pub(crate) cpu_pressure_percent: Option<f64>,
    /// What disk and loopback can do at best.
    pub(crate) limits: Limits,
}

impl Machine {
    /// Looks at the machine, and measures its limits; the disk's in `directory`.
    ///
    /// *Errors*: the directory cannot be written to, or loopback does not work.
    pub(crate) fn look(directory: &Path) -> Outcome<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = field(&cpuinfo, "model name").unwrap_or("unknown").to_owned();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
        Ok(Self {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor,
            kernel: kernel.trim().to_owned(),
            filesystem: filesystem(&mounts, &directory.canonicalize()?),
            cpu_pressure_percent: pressure_percent(&pressure),
            limits: Limits::measure(directory)?,
        })
    }
}

/// The value of a line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|f| f.1)
}

/// The kind of the file system that `directory` is on, from `/proc/self/mounts`.
fn filesystem(mounts: &str, directory: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Path::new(words.next()?), words.next()?))
    });
    let above = mounts.filter(|(point, _)| directory.starts_with(point));
    let nearest = above.max_by_key(|(point, _)| point.components().count());
    nearest.map_or("unknown", |(_, kind)| kind).to_owned()
}

/// The share of the last ten seconds in `/proc/pressure/cpu`.
fn pressure_percent(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("some"))?;
    let word = line.split(' ').find_map(|word| word.strip_prefix("avg10="))?;
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_files_are_understood() {
        let text = "some avg10=12.34 avg60=1.00 avg300=0.10 total=99\nfull avg10=0.00\n";
        assert_eq!(pressure_percent(text), Some(12.34));
        assert_eq!(pressure_percent(""), None);
        let mounts = "/dev/a / ext4 rw 0 0\nnone /dev/shm tmpfs rw 0 0\n";
        assert_eq!(filesystem(mounts, Path::new("/dev/shm/x")), "tmpfs");
        assert_eq!(filesystem(mounts, Path::new("/dev/shmx")), "ext4");
        assert_eq!(field("a\t: 1\nmodel name\t: X 5\n", "model name"), Some("X 5"));
    }

    #[test]
    fn a_machine_is_described_with_its_limits() {
        let directory = tempfile::tempdir().expect("a directory");
        let machine = Machine::look(directory.path()).expect("it can be looked at");
        assert!(machine.processors > 0 && machine.limits.loopback.p50_us > 0.0);
        let left = fs::read_dir(directory.path()).expect("it can be read").count();
        assert_eq!(left, 0, "nothing is left in the directory");
    }
}
