//! `flowlogd top`

mod dimension;
mod sql;
mod table;
mod time;

use std::io::{self, BufWriter, Write};

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::api::QueryRequest;
use crate::cli::Failure;
use crate::cli::output::Format;
use crate::cli::source::SourceArgs;
use crate::cli::top::dimension::Dimension;
use crate::cli::top::dimension::Dimensions;
use crate::cli::top::table::Ranking;
use crate::flow::Filter;

/// Rows `-n` can ask for.
const ROWS_MAX: u32 = 10_000;

/// Rank hosts, ports, networks or any of their combinations, as nfdump -s does
#[derive(Debug, clap::Args)]
#[command(
    after_help = "flowlogd top srcaddr --by bytes -n 10 --last 15m 'dst port 443 and src net 10.0.0.0/8'\n\
    flowlogd top srcaddr,dstport --by flows --from 2026/11/21.10:00 --to 2026/11/21.11:00\n\n\
    A time is RFC 3339, 2026-11-21T10:00, 2026-11-21 10:00, 2026/11/21.10:00 or 10:00, in the\n\
    local zone if it names none. A flow belongs to the time it ended."
)]
pub(super) struct Args {
    /// What to rank: srcaddr, dstaddr, addr, srcport, dstport, port, proto, srcas, dstas, as,
    /// inport, outport, exporter, flow-log, tos, vlan, or several with commas between them
    dimensions: Dimensions,
    /// nfdump's filter language; empty takes all flows
    #[arg(default_value = "")]
    filter: String,
    /// What to order by
    #[arg(long, value_enum, default_value_t = Order::Flows)]
    by: Order,
    /// How many rows
    #[arg(short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=i64::from(ROWS_MAX)))]
    n: u32,
    /// Flows of the last 90s, 15m, 2h, 7d
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["from", "to"], default_value = "15m")]
    last: String,
    /// Flows that ended at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Flows that ended before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How to print the ranking
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    source: SourceArgs,
}

/// What a ranking is ordered by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Order {
    /// Octets
    Bytes,
    /// Packets
    Packets,
    /// Flows
    Flows,
    /// Packets per second
    Pps,
    /// Bits per second
    Bps,
}

/// A ranking, ready to be asked for.
#[derive(Debug)]
struct Question {
    dimensions: Vec<Dimension>,
    filter: Filter,
    order: Order,
    rows: u32,
    window: time::Window,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let zone = TimeZone::system();
    let question = question(args, Timestamp::now(), &zone)?;
    let answer = args.source.query(&QueryRequest {
        sql: sql::question(&question),
        max_rows: usize::try_from(question.rows).ok(),
    })?;
    let ranking = Ranking::new(&question, &answer);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.output {
        Format::Table => ranking.table(&mut out, &zone)?,
        Format::Json => ranking.json(&mut out)?,
        Format::Csv => ranking.csv(&mut out, &zone)?,
    }
    Ok(out.flush()?)
}

/// Checks the arguments; every fault of them is a usage error.
fn question(args: &Args, now: Timestamp, zone: &TimeZone) -> Result<Question, Failure> {
    let filter = Filter::parse(&args.filter).map_err(|error| {
        Failure::usage(format!(
            "the filter makes no sense\n{}",
            error.caret(&args.filter)
        ))
    })?;
    let window = if args.from.is_none() && args.to.is_none() {
        time::last(&args.last, now)?
    } else {
        time::between(args.from.as_deref(), args.to.as_deref(), now, zone)?
    };
    Ok(Question {
        dimensions: args.dimensions.0.clone(),
        filter,
        order: args.by,
        rows: args.n,
        window,
    })
}

impl Order {
    /// The word in nfdump's heading.
    fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Flows => "flows",
            Self::Pps => "pps",
            Self::Bps => "bps",
        }
    }
}

#[cfg(test)]
mod tests;
