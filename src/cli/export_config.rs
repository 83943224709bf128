//! `flowlogd export-config`

use std::io::{self, Write};
use std::path::PathBuf;

use crate::cli::Failure;
use crate::cli::run::load;
use crate::config;
use crate::daemon::joined_definition;

/// Print the flow logs that the APIs have made as configuration
///
/// A flow log of the configuration takes the place of one that the APIs made
/// under the same id, so what is printed can be put into the file as it is.
/// Stopped flow logs come without what is bound to them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file that the daemon runs with; built-in defaults without one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = load(args.config.as_ref())?;
    let joined = joined_definition(&config);
    let joined = joined.map_err(|error| Failure::failed(format!("{error:#}")))?;
    let text = config::exported(&config.definition, &joined);
    Ok(write!(io::stdout(), "{text}")?)
}
