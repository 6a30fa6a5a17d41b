//! Where results go: the terminal, and files.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{BenchError, Outcome};
use crate::report::{Report, csv, html};

/// Files to write.
#[derive(Args, Clone, Debug)]
pub(super) struct OutputOptions {
    /// Write everything that was measured, for `bench compare`.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write one line for each run, for a spreadsheet.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a page with plots, for a browser.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl OutputOptions {
    /// Looks whether the files can be written, before anything is measured.
    ///
    /// *Errors*: a directory is missing.
    pub(super) fn check(&self) -> Outcome<()> {
        for path in [&self.json, &self.csv, &self.html].into_iter().flatten() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            if parent.is_some_and(|parent| !parent.is_dir()) || path.is_dir() {
                return Err(BenchError::new(format_args!(
                    "cannot write {}: its directory is missing, or it is one",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Writes the files that were asked for.
    ///
    /// *Errors*: of the disk; the text names the file.
    pub(super) fn write(&self, report: &Report) -> Outcome<()> {
        self.write_texts(|| report.json(), || csv(report), || html(report))
    }

    /// The same, of what makes these texts.
    ///
    /// *Errors*: of the disk; the text names the file.
    pub(super) fn write_texts(
        &self,
        json: impl FnOnce() -> Outcome<String>,
        csv: impl FnOnce() -> String,
        html: impl FnOnce() -> String,
    ) -> Outcome<()> {
        if let Some(path) = &self.json {
            write(path, &json()?)?;
        }
        if let Some(path) = &self.csv {
            write(path, &csv())?;
        }
        if let Some(path) = &self.html {
            write(path, &html())?;
        }
        Ok(())
    }
}

/// Writes one file.
///
/// *Errors*: of the disk; the text names the file.
pub(super) fn write(path: &Path, text: &str) -> Outcome<()> {
    fs::write(path, text)
        .map_err(|error| BenchError::new(format_args!("cannot write {}: {error}", path.display())))
}

/// Prints one line, or several. That nobody reads them any more is no error.
///
/// *Errors*: the output cannot be written to.
pub(super) fn print(text: impl Display) -> Outcome<()> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A bar for a work of this length; on a terminal only.
pub(super) fn progress(length: Duration, name: &str) -> ProgressBar {
    let style = "{bar:30} {elapsed} of {prefix}  {msg}";
    let style = ProgressStyle::with_template(style).expect("the template is well-formed");
    let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    ProgressBar::new(millis)
        .with_style(style)
        .with_prefix(format!("{:.1}s", length.as_secs_f64()))
        .with_message(name.to_owned())
}

/// A bar for so many steps; on a terminal only.
pub(super) fn steps(count: u64) -> ProgressBar {
    let style = "{bar:30} {pos} of {len}  {elapsed}  {msg}";
    let style = ProgressStyle::with_template(style).expect("the template is well-formed");
    ProgressBar::new(count).with_style(style)
}

/// The command line, as it was given.
pub(super) fn command_line() -> String {
    let program = std::env::args().next().unwrap_or_default();
    let name = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    let rest = std::env::args().skip(1);
    name.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}
