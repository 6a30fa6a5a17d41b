//! The example that the documentation points to is run, twice: the second run finds its data.

use std::process::Command;

#[test]
fn the_counter_goes_on_where_it_was() {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let program = std::env::current_exe().expect("this test");
    // Tests are in target/PROFILE/deps, examples in target/PROFILE/examples.
    let profile = program.parent().and_then(|deps| deps.parent()).expect("cargo's directories");
    let example = profile.join("examples").join("counter");
    for count in 1..=2 {
        let output =
            Command::new(&example).arg(directory.path()).output().expect("`cargo test` builds it");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(&format!("executed once at every replica: {count}\n")), "{said}");
        assert!(said.contains(&format!("at another replica: {count}\n")), "{said}");
    }
}
