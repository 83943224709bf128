//! `flowlogd man`

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;

use crate::cli::Failure;

/// Print the manual page, or write the pages of all commands
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory to write flowlogd.1 and one page per command to
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let command = super::command();
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        return clap_mangen::generate_to(command, dir)
            .with_context(|| format!("writing to {}", dir.display()))
            .map_err(Failure::from);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}
