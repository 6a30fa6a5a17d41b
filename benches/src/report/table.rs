//! Reports as text for a terminal.

use super::RunReport;
use crate::machine::{Cost, Machine};

/// Rows with columns as wide as their widest cell: the first to the left, the others to the right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let space = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            if column == 0 { format!("{cell}{space}") } else { format!("{space}{cell}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Milliseconds with three digits that mean something.
pub(crate) fn ms(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.3}"),
        value if value < 100.0 => format!("{value:.2}"),
        value => format!("{value:.1}"),
    }
}

/// A number with its thousands apart.
pub(crate) fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// What the machine is and can do.
pub(crate) fn machine_lines(machine: &Machine) -> String {
    let limits = &machine.limits;
    let pressure = match machine.cpu_pressure_percent {
        Some(percent) => {
            format!("somebody waited for a processor {percent:.0} % of the time before")
        }
        None => "the kernel does not say how busy it was".into(),
    };
    let cost =
        |cost: &Cost| format!("p50 {} us, p99 {} us", whole(cost.p50_us), whole(cost.p99_us));
    format!(
        "machine       {} x {}, Linux {}, data on {}; {pressure}\n\
         fdatasync     4 KiB preallocated {}; growing file {}\n\
         loopback      64 bytes and back {}",
        machine.processors,
        machine.processor,
        machine.kernel,
        machine.filesystem,
        cost(&limits.fdatasync_preallocated),
        cost(&limits.fdatasync_growing),
        cost(&limits.loopback),
    )
}

/// The load runs, one in each row, and what their processes used.
pub(crate) fn loads(runs: &[RunReport]) -> String {
    let mut rows = vec![
        [
            "load",
            "commands/s",
            "median",
            "IQR",
            "p50 ms",
            "p90",
            "p99",
            "p99.9",
            "p99.99",
            "max",
            "failed",
        ]
        .map(String::from)
        .to_vec(),
    ];
    let mut system = "";
    let mut texts = Vec::new();
    for run in runs {
        if run.system != system {
            texts.push(format!("{}: {}", run.system, run.durability));
            system = &run.system;
        }
        rows.push(row(run));
    }
    let costs = runs.iter().filter(|run| !run.resources.processes.is_empty());
    let costs: Vec<String> = costs.map(cost_lines).collect();
    let failed = runs.iter().filter(|run| run.failures.count() > 0).map(|run| {
        let (load, system) = (run.workload.label(), short(&run.system));
        format!("\nfailed: {load} [{system}]: {}", run.failures.text())
    });
    let failed: String = failed.collect();
    let costs: String = costs.iter().map(|costs| format!("\n\n{}", costs.trim_end())).collect();
    format!("{}\n\n{}{failed}{costs}", texts.join("\n"), aligned(&rows))
}

fn row(run: &RunReport) -> Vec<String> {
    let latency = |percent| ms(run.latency.at(percent));
    vec![
        format!("{} [{}]", run.workload.label(), short(&run.system)),
        whole(run.rate()),
        whole(run.throughput.median),
        whole(run.throughput.iqr()),
        latency(50.0),
        latency(90.0),
        latency(99.0),
        latency(99.9),
        latency(99.99),
        ms(run.latency.max()),
        run.failures.count().to_string(),
    ]
}

/// The system up to its first comma.
fn short(system: &str) -> &str {
    system.split(',').next().unwrap_or(system)
}

fn cost_lines(run: &RunReport) -> String {
    let mut rows = vec![
        ["process", "cpu us/cmd", "cpu %", "MiB", "cmds/fdatasync", "log B/cmd"]
            .map(String::from)
            .to_vec(),
    ];
    let shown = |value: Option<f64>, digits: usize| {
        value.map_or("-".into(), |value| format!("{value:.digits$}"))
    };
    for process in &run.resources.processes {
        rows.push(vec![
            process.name.clone(),
            shown(process.cpu_us_per_command, 1),
            shown(process.cpu_percent, 0),
            shown(process.resident_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20)), 0),
            shown(process.commands_per_fdatasync, 1),
            shown(process.log_bytes_per_command, 0),
        ]);
    }
    let resources = &run.resources;
    let [sent, received] = resources.client_bytes_per_command;
    let loopback = resources.loopback_bytes_per_command;
    format!(
        "{} [{}]: the load itself {:.1} us of processor per command; {sent:.0} bytes sent and \
         {received:.0} received per command; {} over loopback, all programs together\n{}\n",
        run.workload.label(),
        short(&run.system),
        resources.load_cpu_us_per_command,
        shown(loopback, 0),
        aligned(&rows),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a".into(), "1".into()], vec!["long".into(), "1,234".into()]];
        assert_eq!(aligned(&rows), "a         1\nlong  1,234");
    }

    #[test]
    fn numbers_are_short_and_readable() {
        assert_eq!([ms(0.1234), ms(12.345), ms(1234.56)], ["0.123", "12.35", "1234.6"]);
        assert_eq!([whole(0.4), whole(999.0), whole(1_234_567.0)], ["0", "999", "1,234,567"]);
        assert_eq!(whole(-1234.0), "-1,234");
    }

    #[test]
    fn a_table_has_every_run() {
        let report = crate::report::tests::report();
        let text = loads(&report.runs);
        assert_eq!(text.matches("4 clients [").count(), 6, "{text}");
        assert!(text.contains("failed: 4 clients [kvs]: 1 AMBIGUOUS"), "{text}");
        assert!(
            text.contains("cmds/fdatasync") && machine_lines(&report.machine).contains("loopback")
        );
    }
}
