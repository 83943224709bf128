//! `flowlogd journal inspect`

use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::journal::Layout;
use crate::cli::journal::PlaceArgs;
use crate::cli::journal::look;
use crate::cli::journal::time;
use crate::cli::output;
use crate::cli::text::printable;
use crate::journal::FrameReport;
use crate::journal::Inspection;
use crate::journal::Kind;
use crate::journal::SegmentReport;
use crate::journal::SnapshotReport;

/// Show segments, destinations and what waits for them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Pending is counted in the segments; what is acked, evicted, damaged and refused was noted up\n\
    to a second ago by a running flowlogd. A share counts as acked when all of its rows are."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// List the frames instead
    #[arg(long)]
    frames: bool,
    /// How to print what is found
    #[arg(short, long, value_enum, default_value_t = Layout::Table)]
    output: Layout,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let place = args.place.find()?;
    let mut out = BufWriter::new(io::stdout().lock());
    match args.frames {
        true => frames(&mut out, &place, args.output)?,
        false => summary(&mut out, &place, args.output)?,
    }
    Ok(out.flush()?)
}

fn summary(out: &mut impl Write, place: &Path, layout: Layout) -> Result<(), Failure> {
    let seen = look(place, |_| ())?;
    match layout {
        Layout::Json => writeln!(out, "{}", object(&seen))?,
        Layout::Table => tables(out, &seen)?,
    }
    Ok(())
}

fn object(seen: &Inspection) -> Value {
    let segments = seen.segments.iter().map(|segment| {
        json!({
            "name": segment.name,
            "octets": segment.bytes,
            "version": segment.version,
            "first_seq": segment.seqs.start,
            "end_seq": segment.seqs.end,
            "frames": segment.frames,
            "rows": segment.rows,
            "damaged": segment.damage.iter().map(|octets| json!([octets.start, octets.end])).collect::<Value>(),
            "unfinished": segment.torn.as_ref().map(|octets| json!([octets.start, octets.end])),
        })
    });
    let destinations = seen.destinations.values().map(|destination| {
        let amounts = destination.amounts;
        json!({
            "name": destination.name,
            "low_water": destination.low_water,
            "pending": amounts.pending,
            "acked": amounts.acked,
            "evicted": amounts.evicted,
            "damaged": amounts.damaged,
            "refused": amounts.refused,
        })
    });
    json!({
        "id": id(seen),
        "next_seq": seen.next_seq,
        "damaged_progress_files": seen.damaged_slots,
        "missing_segments": seen.missing,
        "snapshot": seen.snapshot.map(|snapshot| json!({"octets": snapshot.bytes, "seq": snapshot.seq})),
        "segments": segments.collect::<Value>(),
        "destinations": destinations.collect::<Value>(),
    })
}

/// The half of the journal's id that flow ids begin with.
fn id(seen: &Inspection) -> Option<String> {
    let (first, _) = seen.uuid.as_ref()?.split_first_chunk()?;
    Some(format!("{:016x}", u64::from_be_bytes(*first)))
}

fn tables(out: &mut impl Write, seen: &Inspection) -> io::Result<()> {
    let unknown = || "unknown".to_owned();
    writeln!(out, "journal   {}", id(seen).unwrap_or_else(unknown))?;
    let next = seen.next_seq.map(|seq| format!("next row {seq}"));
    let damaged = match seen.damaged_slots {
        0 => String::new(),
        files => format!(", {files} of two files damaged"),
    };
    writeln!(out, "progress  {}{damaged}", next.unwrap_or_else(unknown))?;
    writeln!(out, "snapshot  {}", snapshot(seen.snapshot))?;
    for name in &seen.missing {
        writeln!(out, "missing   {name}")?;
    }
    writeln!(out)?;
    let segments: Vec<_> = seen.segments.iter().map(segment).collect();
    output::table(out, &SEGMENT, &segments)?;
    writeln!(out)?;
    let destinations = seen.destinations.values().map(|destination| {
        let amounts = destination.amounts;
        let records = [
            amounts.pending,
            amounts.acked,
            amounts.evicted,
            amounts.damaged,
            amounts.refused,
        ];
        let mut row = vec![json!(destination.name), json!(destination.low_water)];
        row.extend(records.map(|amount| json!(amount.records)));
        row
    });
    output::table(out, &DESTINATION, &destinations.collect::<Vec<_>>())
}

const SEGMENT: [&str; 8] = [
    "segment",
    "octets",
    "first-seq",
    "end-seq",
    "frames",
    "rows",
    "damaged",
    "unfinished",
];
const DESTINATION: [&str; 7] = [
    "destination (records)",
    "low-water",
    "pending",
    "acked",
    "evicted",
    "damaged",
    "refused",
];

/// Octets in the last two columns.
fn segment(segment: &SegmentReport) -> Vec<Value> {
    let damaged: u64 = segment
        .damage
        .iter()
        .map(|octets| octets.end - octets.start)
        .sum();
    let unfinished = segment
        .torn
        .as_ref()
        .map_or(0, |octets| octets.end - octets.start);
    let seqs = match segment.frames {
        0 => [Value::Null, Value::Null],
        _ => [json!(segment.seqs.start), json!(segment.seqs.end)],
    };
    let [first, end] = seqs;
    vec![
        json!(segment.name),
        json!(segment.bytes),
        first,
        end,
        json!(segment.frames),
        json!(segment.rows),
        json!(damaged),
        json!(unfinished),
    ]
}

fn snapshot(snapshot: Option<SnapshotReport>) -> String {
    match snapshot {
        None => "none".to_owned(),
        Some(SnapshotReport {
            bytes: Some(bytes),
            seq: Some(seq),
        }) => format!("{bytes} octets as of row {seq}"),
        Some(_) => "damaged".to_owned(),
    }
}

/// Prints each frame as it is read: there may be many.
fn frames(out: &mut impl Write, place: &Path, layout: Layout) -> Result<(), Failure> {
    // Names stand in the segments too: a look before the look.
    let known = look(place, |_| ())?;
    let mut printed = Ok(());
    let mut lead = "[\n";
    if layout == Layout::Table {
        let words = [
            "segment",
            "offset",
            "octets",
            "first-seq",
            "rows",
            "kind",
            "appended",
        ];
        printed = frame_line(out, &words.map(str::to_owned), "records for");
    }
    look(place, |frame| {
        if printed.is_ok() {
            printed = match layout {
                Layout::Table => frame_row(out, &known, frame),
                Layout::Json => write!(out, "{lead}{}", frame_object(&known, frame)),
            };
            lead = ",\n";
        }
    })?;
    printed?;
    if layout == Layout::Json {
        writeln!(out, "{}\n]", if lead == ",\n" { "" } else { "[" })?;
    }
    Ok(())
}

fn frame_row(out: &mut impl Write, known: &Inspection, frame: &FrameReport<'_>) -> io::Result<()> {
    let shares = frame.shares.iter().map(|share| {
        let name = known.name_of(share.destination).unwrap_or_default();
        format!("{} {}", share.amount.records, printable(name))
    });
    let cells = [
        frame.segment.to_owned(),
        frame.offset.to_string(),
        frame.bytes.to_string(),
        frame.first_seq.to_string(),
        frame.rows.to_string(),
        kind(frame.kind).to_owned(),
        time(frame.at_ms).unwrap_or_else(|| "-".to_owned()),
    ];
    frame_line(out, &cells, &shares.collect::<Vec<_>>().join(", "))
}

/// Wide enough for all that a journal of the usual size has.
fn frame_line(out: &mut impl Write, cells: &[String; 7], shares: &str) -> io::Result<()> {
    let [segment, offset, octets, first, rows, kind, at] = cells;
    writeln!(
        out,
        "{segment:<20}  {offset:>9}  {octets:>9}  {first:>12}  {rows:>6}  {kind:<9}  {at:<24}  {shares}"
    )
}

fn frame_object(known: &Inspection, frame: &FrameReport<'_>) -> Value {
    let shares = frame.shares.iter().map(|share| {
        json!({
            "destination": known.name_of(share.destination),
            "first_row": share.rows.start,
            "end_row": share.rows.end,
            "amount": share.amount,
        })
    });
    json!({
        "segment": frame.segment,
        "offset": frame.offset,
        "octets": frame.bytes,
        "first_seq": frame.first_seq,
        "rows": frame.rows,
        "kind": kind(frame.kind),
        "appended": time(frame.at_ms),
        "shares": shares.collect::<Value>(),
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Flows => "flows",
        Kind::LogGroup => "log-group",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::journal::testing;

    fn printed(show: impl FnOnce(&mut Vec<u8>, &Path) -> Result<(), Failure>) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        testing::write(dir.path());
        let mut out = Vec::new();
        show(&mut out, dir.path()).unwrap();
        let id = id(&look(dir.path(), |_| ()).unwrap()).unwrap();
        (String::from_utf8(out).unwrap(), id)
    }

    #[test]
    fn the_tables_say_what_waits_for_whom() {
        let (text, id) = printed(|out, dir| summary(out, dir, Layout::Table));
        let expected = "\
progress  next row 10
snapshot  5 octets as of row 10

segment               octets  first-seq  end-seq  frames  rows  damaged  unfinished
0000000000000001.seg     517          1       10       3     9        0           0

destination (records)  low-water  pending  acked  evicted  damaged  refused
embedded/proj/flows            3        7      2        0        0        0
sls/-/-/proj/flows             1        9      0        0        0        0
";
        assert_eq!(text, format!("journal   {id}\n{expected}"));
    }

    #[test]
    fn json_is_one_object() {
        let (text, id) = printed(|out, dir| summary(out, dir, Layout::Json));
        let amount =
            |records: u64| json!({"records": records, "octets": records * 100, "packets": records});
        let destination = |name: &str, low_water: u64, acked: u64| {
            json!({
                "name": name,
                "low_water": low_water,
                "pending": amount(9 - acked),
                "acked": amount(acked),
                "evicted": amount(0),
                "damaged": amount(0),
                "refused": amount(0),
            })
        };
        let expected = json!({
            "id": id,
            "next_seq": 10,
            "damaged_progress_files": 0,
            "missing_segments": [],
            "snapshot": {"octets": 5, "seq": 10},
            "segments": [{
                "name": "0000000000000001.seg",
                "octets": 517,
                "version": 1,
                "first_seq": 1,
                "end_seq": 10,
                "frames": 3,
                "rows": 9,
                "damaged": [],
                "unfinished": null,
            }],
            "destinations": [
                destination("embedded/proj/flows", 3, 2),
                destination("sls/-/-/proj/flows", 1, 0),
            ],
        });
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn frames_are_listed_with_their_shares() {
        let (text, _) = printed(|out, dir| frames(out, dir, Layout::Table));
        let expected = "\
segment                  offset     octets     first-seq    rows  kind       appended                  records for
0000000000000001.seg        157        120             1       2  flows      2026-11-21T12:00:00.000Z  2 embedded/proj/flows, 2 sls/-/-/proj/flows
0000000000000001.seg        277        120             3       3  flows      2026-11-21T12:00:00.250Z  3 embedded/proj/flows, 3 sls/-/-/proj/flows
0000000000000001.seg        397        120             6       4  log-group  1970-01-01T00:00:00.000Z  4 embedded/proj/flows, 4 sls/-/-/proj/flows
";
        assert_eq!(text, expected);
    }

    #[test]
    fn frames_as_json_are_an_array() {
        let (text, _) = printed(|out, dir| frames(out, dir, Layout::Json));
        let found: Value = serde_json::from_str(&text).unwrap();
        let share = |name: &str| {
            json!({
                "destination": name,
                "first_row": 0,
                "end_row": 2,
                "amount": {"records": 2, "octets": 200, "packets": 2},
            })
        };
        let first = json!({
            "segment": "0000000000000001.seg",
            "offset": 157,
            "octets": 120,
            "first_seq": 1,
            "rows": 2,
            "kind": "flows",
            "appended": "2026-11-21T12:00:00.000Z",
            "shares": [share("embedded/proj/flows"), share("sls/-/-/proj/flows")],
        });
        assert_eq!(found[0], first);
        assert_eq!(found.as_array().unwrap().len(), 3);
    }
}
