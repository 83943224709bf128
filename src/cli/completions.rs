//! `flowlogd completions`

use std::io;

use clap_complete::Shell;

use crate::cli::Failure;

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "flowlogd completions bash > /usr/share/bash-completion/completions/flowlogd"
)]
pub(super) struct Args {
    /// Shell to complete for
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "flowlogd", &mut script);
    Ok(io::Write::write_all(&mut io::stdout(), &script)?)
}
