//! Subcommands. Each is one file: its arguments, and a `run` that prints to
//! standard output and fails with one of the documented exit codes.

mod capture;
#[cfg(feature = "logstore")]
mod check;
mod client;
mod completions;
mod decode;
#[cfg(feature = "logstore")]
mod demo;
mod exit;
#[cfg(feature = "logstore")]
mod export_config;
#[cfg(feature = "logstore")]
mod files;
#[cfg(feature = "logstore")]
mod flow_log;
pub mod generate;
mod health;
#[cfg(feature = "logstore")]
mod journal;
mod man;
mod output;
mod parts;
mod process;
mod progress;
mod query;
mod random;
mod replay;
#[cfg(feature = "logstore")]
mod run;
pub mod simulation;
mod source;
mod target;
#[cfg(test)]
mod testing;
mod text;
mod top;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::cli::exit::Exit;
use crate::cli::exit::Failure;

/// Collects NetFlow v5, v9 and IPFIX for cloud flow logs.
#[derive(Debug, Parser)]
#[command(name = "flowlogd", version, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 failure, 64 usage, 75 try later, 78 configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "logstore")]
    Run(run::Args),
    #[cfg(feature = "logstore")]
    Demo(demo::Args),
    #[cfg(feature = "logstore")]
    Check(check::Args),
    Decode(decode::Args),
    Replay(replay::Args),
    Generate(generate::Args),
    Query(query::Args),
    Top(top::Args),
    Parts(parts::Args),
    #[cfg(feature = "logstore")]
    FlowLog(flow_log::Args),
    #[cfg(feature = "logstore")]
    ExportConfig(export_config::Args),
    #[cfg(feature = "logstore")]
    Journal(journal::Args),
    Health(health::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            #[cfg(feature = "logstore")]
            Self::Run(args) => run::run(&args),
            #[cfg(feature = "logstore")]
            Self::Demo(args) => demo::run(&args),
            #[cfg(feature = "logstore")]
            Self::Check(args) => check::run(&args),
            Self::Decode(args) => decode::run(&args),
            Self::Replay(args) => replay::run(&args),
            Self::Generate(args) => generate::run(&args),
            Self::Query(args) => query::run(&args),
            Self::Top(args) => top::run(&args),
            Self::Parts(args) => parts::run(&args),
            #[cfg(feature = "logstore")]
            Self::FlowLog(args) => flow_log::run(&args),
            #[cfg(feature = "logstore")]
            Self::ExportConfig(args) => export_config::run(&args),
            #[cfg(feature = "logstore")]
            Self::Journal(args) => journal::run(&args),
            Self::Health(args) => health::run(&args),
            Self::Completions(args) => completions::run(&args),
            Self::Man(args) => man::run(&args),
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(feature = "logstore")]
/// Runs one command line; the demo asks its question this way.
fn obey<'a>(words: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let cli = Cli::try_parse_from(words).map_err(|error| Failure::usage(error.to_string()))?;
    cli.command.run()
}

/// Prints clap's message: help to standard output, faults to standard error.
fn refuse(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match (error.use_stderr(), printed) {
        (false, Ok(())) => ExitCode::SUCCESS,
        (true, _) => Exit::Usage.into(),
        (false, Err(_)) => Exit::Failure.into(),
    }
}

/// The whole command line, for completions and the manual.
fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_and_option_has_a_help_text() {
        command().get_subcommands().for_each(has_help);
    }

    fn has_help(command: &clap::Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name}");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{name} {}",
                argument.get_id()
            );
        }
        command.get_subcommands().for_each(has_help);
    }
}
