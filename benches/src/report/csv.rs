//! Reports as comma-separated values, one line for each run.

use super::{Report, RunReport};

const COLUMNS: &str = "system,clients,pipeline,rate,value_bytes,read_percent,keys,seconds,commands,\
commands_per_second,window_median,window_p25,window_p75,window_stdev,mean_ms,p50_ms,p90_ms,p95_ms,p99_ms,\
p99_9_ms,p99_99_ms,max_ms,errors,lost,unanswered,cpu_us_per_command,commands_per_fdatasync";

/// The runs of a report.
pub(crate) fn csv(report: &Report) -> String {
    let lines = report.runs.iter().map(line);
    std::iter::once(COLUMNS.to_owned()).chain(lines).map(|line| line + "\n").collect()
}

fn line(run: &RunReport) -> String {
    let workload = &run.workload;
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut cells = vec![
        quoted(&run.system),
        workload.clients.to_string(),
        workload.pipeline.to_string(),
        number(workload.rate),
        workload.value_bytes.to_string(),
        workload.read_percent.to_string(),
        workload.keys.to_string(),
        run.seconds.to_string(),
        run.commands.to_string(),
    ];
    let spread = &run.throughput;
    cells.extend(
        [run.rate(), spread.median, spread.p25, spread.p75, spread.standard_deviation]
            .map(|value| value.to_string()),
    );
    cells.push(run.latency.mean_ms.to_string());
    let percentiles = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];
    cells.extend(percentiles.map(|percent| run.latency.at(percent).to_string()));
    let errors: u64 = run.failures.errors.values().sum();
    cells.extend(
        [errors, run.failures.lost, run.failures.unanswered].map(|count| count.to_string()),
    );
    cells.push(run.resources.cpu_us_per_command().to_string());
    cells.push(number(run.resources.commands_per_fdatasync()));
    cells.join(",")
}

/// A cell that may have commas.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_is_a_line_with_every_column() {
        let report = crate::report::tests::report();
        let text = csv(&report);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + report.runs.len());
        let count = lines[0].split(',').count();
        for line in &lines[1..] {
            let unquoted = line.replace("\"kvs, 3 processes\"", "kvs");
            assert_eq!(unquoted.split(',').count(), count, "{line}");
        }
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
