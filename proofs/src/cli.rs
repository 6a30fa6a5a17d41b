//! The command line.

mod check;
mod mutations;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use proofs::models::{self, Instance};
use proofs::verdict::serve;

/// Explores small instances of the protocols to the end, with the actors that production runs.
#[derive(Parser, Debug)]
#[command(name = "proofs", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Explores models and prints a table. Fails if a property is broken, a situation is not reached, or
    /// a model is not explored to the end.
    Check(check::CheckArgs),
    /// Opens a model in the browser: states, and the steps from each.
    Explore {
        /// The model.
        #[arg(value_parser = instance)]
        model: &'static Instance,
        /// Where to serve.
        #[arg(long, default_value = "127.0.0.1:3000")]
        listen: String,
    },
    /// Prints how many states each model must have.
    Counts,
    /// Runs each bug inside the roles against the models until one sees it.
    Mutations(mutations::MutationsArgs),
}

/// Runs the command line.
pub(super) fn run() -> ExitCode {
    // An assertion that fails in an actor is a finding, and is printed as one.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = io::stdout().lock();
    let outcome = match Cli::parse().command {
        Command::Check(args) => check::run(&args, &mut out),
        Command::Explore { model, listen } => explore(model, &listen, &mut out),
        Command::Counts => counts(&mut out),
        Command::Mutations(args) => mutations::run(&args, &mut out),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("proofs: {error}");
        ExitCode::FAILURE
    })
}

fn counts(out: &mut impl Write) -> io::Result<ExitCode> {
    for instance in models::all() {
        writeln!(out, "{:<20} {}", instance.name, instance.states)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explore(model: &Instance, listen: &str, out: &mut impl Write) -> io::Result<ExitCode> {
    writeln!(out, "{} at http://{listen}", model.name)?;
    serve(model, listen);
    Ok(ExitCode::SUCCESS)
}

/// *Errors*: the names that there are.
fn instance(name: &str) -> Result<&'static Instance, String> {
    models::named(name).ok_or_else(|| {
        let names: Vec<&str> = models::all().map(|instance| instance.name).collect();
        format!("there are {}", names.join(", "))
    })
}

/// *Errors*: not a number of seconds.
fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|error| format!("{error}"))
}
