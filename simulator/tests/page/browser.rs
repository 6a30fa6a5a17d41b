//! Opens a page in a real browser that nobody sees.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with the page that it opens.
pub(crate) struct Browser {
    program: &'static str,
    directory: TempDir,
}

/// What a page is after it was drawn, as HTML.
pub(crate) struct Dom(String);

impl Browser {
    /// Writes `page` to a file to open. None, with a note, where no browser is installed; a panic
    /// where one is required.
    pub(crate) fn with(page: &str) -> Option<Self> {
        let Some(program) = BROWSERS.into_iter().find(|program| is_installed(program)) else {
            assert!(env::var_os("CI_REQUIRES_BROWSER").is_none(), "no browser is installed");
            eprintln!("skipped: chromium is not installed");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("run.html"), page).expect("room for a page");
        Some(Self { program, directory })
    }

    /// Opens the page at `address`, which begins with `#`, and waits until it has settled.
    pub(crate) fn open(&self, address: &str) -> Dom {
        let path = self.directory.path();
        let began = Instant::now();
        let output = Command::new(self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"])
            .args(["--window-size=1600,1000", "--virtual-time-budget=3000"])
            .arg(format!("--user-data-dir={}", path.join("profile").display()))
            .arg(format!("file://{}/run.html{address}", path.display()))
            .output()
            .expect("the browser is installed");
        println!("{address:>24}: {} ms with the start of the browser", began.elapsed().as_millis());
        let dom = Dom(String::from_utf8(output.stdout).expect("the page is UTF-8"));
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(dom.0.contains("<body"), "no page at {address}: {complaints}");
        assert_eq!(dom.attribute("ready"), "1", "the page at {address} stopped: {complaints}");
        assert_eq!(dom.attribute("errors"), "0", "{complaints}");
        dom
    }
}

impl Dom {
    /// What the page reports on itself under `name`; empty if nothing.
    pub(crate) fn attribute(&self, name: &str) -> &str {
        let body = self.0.split_once("<body").expect("a page has a body").1;
        let tag = body.split_once('>').expect("a tag ends").0;
        let value = tag.split_once(&format!("data-{name}=\"")).map(|(_, rest)| rest);
        value.map_or("", |rest| rest.split_once('"').expect("an attribute ends").0)
    }

    /// As [`Self::attribute`], a number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        let value = self.attribute(name);
        value.parse().unwrap_or_else(|_| panic!("data-{name} is {value:?}"))
    }

    /// The HTML of the section called `id`.
    pub(crate) fn section(&self, id: &str) -> &str {
        let start = self
            .0
            .split_once(&format!("<section id=\"{id}\""))
            .expect("the page has the section")
            .1;
        start.split_once("</section>").expect("a section ends").0
    }
}

fn is_installed(program: &str) -> bool {
    match Command::new(program).arg("--version").output() {
        Ok(output) => output.status.success(),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{program}: {error}"),
    }
}
