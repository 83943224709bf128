//! `flowlogd health`

use std::io::{self, Write};

use anyhow::Context;
use serde::Deserialize;

use crate::cli::Failure;
use crate::cli::client::DaemonArgs;
use crate::cli::text::printable;

/// Ask a running daemon whether it can do its work
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 ready, 1 not ready (reasons on standard error), 75 no daemon answers."
)]
pub(super) struct Args {
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// The body of `/readyz`.
#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    reasons: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (_, body) = args.daemon.get("/readyz")?;
    let readiness: Readiness =
        serde_json::from_str(&body).context("what answers is not flowlogd")?;
    if !readiness.ready {
        return Err(Failure::failed(format!(
            "not ready: {}",
            printable(&readiness.reasons.join("; "))
        )));
    }
    Ok(writeln!(io::stdout(), "ready")?)
}
