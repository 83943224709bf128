//! `flowlogd query`

use std::io::{self, BufWriter, Write};

use crate::api::QueryRequest;
use crate::cli::Failure;
use crate::cli::output;
use crate::cli::output::Format;
use crate::cli::source::SourceArgs;

/// Ask the flow store in SQL
#[derive(Debug, clap::Args)]
#[command(
    after_help = "flowlogd query 'select srcaddr, sum(bytes) from flows group by 1 order by 2 desc limit 10'"
)]
pub(super) struct Args {
    /// One SELECT over `flows`, or over \"project\".\"logstore\"
    sql: String,
    /// Rows at most; the daemon's own limit when absent
    #[arg(long, value_name = "N")]
    max_rows: Option<usize>,
    /// How to print the rows
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let answer = args.source.query(&QueryRequest {
        sql: args.sql.clone(),
        max_rows: args.max_rows,
    })?;
    let mut out = BufWriter::new(io::stdout().lock());
    output::rows(&mut out, &answer, args.output)?;
    if args.output == Format::Table
        && let Some(line) = output::completeness(&answer)
    {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    if answer.truncated {
        let count = answer.rows.len();
        writeln!(
            io::stderr(),
            "flowlogd: the first {count} rows; there are more: see --max-rows"
        )?;
    }
    Ok(())
}
