//! `flowlogd parts`

use std::io::{self, BufWriter, Write};

use serde_json::{Map, Value};

use crate::cli::Failure;
use crate::cli::output;
use crate::cli::output::Format;
use crate::cli::source::SourceArgs;

/// List the Parquet files of the flow store, for DuckDB, ClickHouse or Spark
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How to print the list
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    source: SourceArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let parts = args.source.parts()?;
    let mut out = BufWriter::new(io::stdout().lock());
    print(&mut out, &parts, args.output)?;
    Ok(out.flush()?)
}

/// The columns are the keys of the first part; all parts have the same.
fn print(out: &mut impl Write, parts: &[Map<String, Value>], format: Format) -> io::Result<()> {
    let names: Vec<&str> = parts
        .first()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    let row = |part: &Map<String, Value>| {
        names
            .iter()
            .map(|name| part.get(*name).cloned().unwrap_or_default())
            .collect()
    };
    let rows: Vec<Vec<Value>> = parts.iter().map(row).collect();
    output::print(out, &names, &rows, format)
}
