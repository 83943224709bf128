//! `flowlogd journal dead-letters`

use std::io::{self, BufWriter, Write};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::Failure;
use crate::cli::journal::Layout;
use crate::cli::journal::PlaceArgs;
use crate::cli::output;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::DeadLetters;

/// List rows that the log service refused for good, oldest first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Numbers of rows are those of flow-id. A body is a LogGroup, compressed as it was sent, in base64."
)]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Print the refused requests' bodies too
    #[arg(long)]
    bodies: bool,
    /// How to print the list
    #[arg(short, long, value_enum, default_value_t = Layout::Table)]
    output: Layout,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let place = args.place.find()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let listed = list(&mut out, &place, args.bodies, args.output);
    out.flush()?;
    listed
}

fn list(
    out: &mut impl Write,
    place: &Path,
    with_bodies: bool,
    layout: Layout,
) -> Result<(), Failure> {
    let letters = DeadLetters::read(place);
    let letters = letters.map_err(|error| super::unreadable(place, &error))?;
    let names = match with_bodies {
        true => NAMES.as_slice(),
        false => NAMES.get(..NAMES.len() - 1).unwrap_or_default(),
    };
    let (mut rows, mut damaged) = (Vec::new(), 0);
    for letter in letters {
        let Ok(letter) = letter else {
            damaged += 1;
            continue;
        };
        let mut values = values(letter)?;
        let row = names
            .iter()
            .map(|name| values.remove(*name).unwrap_or_default());
        rows.push(row.collect());
    }
    match layout {
        Layout::Table => output::table(out, names, &rows)?,
        Layout::Json => output::json(out, names, &rows)?,
    }
    match damaged {
        0 => Ok(()),
        lines => Err(Failure::failed(format!(
            "{lines} lines of the dead-letter files are damaged and left out"
        ))),
    }
}

/// What is listed of a letter; the body comes last.
const NAMES: [&str; 12] = [
    "at",
    "endpoint",
    "project",
    "logstore",
    "status",
    "error-code",
    "message",
    "request-id",
    "first-seq",
    "rows",
    "compression",
    "body",
];

/// A letter's values by name.
fn values(letter: DeadLetter) -> Result<Map<String, Value>, Failure> {
    let at = i64::try_from(letter.unix_s).ok();
    let at = at.and_then(|at| Timestamp::from_second(at).ok());
    let value = serde_json::to_value(letter).map_err(anyhow::Error::from)?;
    let Value::Object(mut values) = value else {
        return Ok(Map::new());
    };
    values.insert("at".to_owned(), json!(at.map(|at| at.to_string())));
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bytes::Bytes;

    use super::*;

    fn write(dir: &Path) {
        let (mut letters, _) = DeadLetters::open(dir, 1 << 20).unwrap();
        for (first_seq, request_id) in [(7, None), (12, Some("5B0C"))] {
            let letter = DeadLetter {
                unix_s: 1_795_262_400,
                endpoint: "https://127.0.0.1".to_owned(),
                project: "proj".to_owned(),
                logstore: "flows".to_owned(),
                status: 400,
                error_code: Some("PostBodyInvalid".to_owned()),
                message: "bad\u{1b} row".to_owned(),
                request_id: request_id.map(str::to_owned),
                first_seq,
                rows: 2,
                raw_size: 40,
                compression: Some("lz4".to_owned()),
                body: Bytes::from_static(b"body"),
            };
            letters.append(&letter).unwrap();
        }
    }

    fn listed(dir: &Path, with_bodies: bool, layout: Layout) -> (String, Option<String>) {
        let mut out = Vec::new();
        let failure = list(&mut out, dir, with_bodies, layout).err();
        let message = failure.map(|failure| failure.message());
        (String::from_utf8(out).unwrap(), message)
    }

    #[test]
    fn letters_are_listed_without_their_bodies() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        let expected = "\
at                    endpoint           project  logstore  status  error-code       message        request-id  first-seq  rows  compression
2026-11-21T12:00:00Z  https://127.0.0.1  proj     flows        400  PostBodyInvalid  bad\\u{1b} row  -                   7     2  lz4
2026-11-21T12:00:00Z  https://127.0.0.1  proj     flows        400  PostBodyInvalid  bad\\u{1b} row  5B0C               12     2  lz4
";
        let found = listed(dir.path(), false, Layout::Table);
        assert_eq!(found, (expected.to_owned(), None));
    }

    #[test]
    fn bodies_are_printed_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        let (text, _) = listed(dir.path(), true, Layout::Json);
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found[0]["body"], "Ym9keQ==");
        let (text, _) = listed(dir.path(), false, Layout::Json);
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found[1]["first-seq"], 12);
        assert_eq!(found[1].get("body"), None);
    }

    #[test]
    fn a_damaged_line_is_said_and_costs_itself() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            listed(dir.path(), false, Layout::Json),
            ("[\n]\n".to_owned(), None)
        );
        write(dir.path());
        let path = dir.path().join("dead-letter.jsonl");
        let mut octets = fs::read(&path).unwrap();
        octets[0] = b'?';
        fs::write(&path, octets).unwrap();
        let (text, message) = listed(dir.path(), false, Layout::Json);
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found.as_array().unwrap().len(), 1);
        let said = "1 lines of the dead-letter files are damaged and left out";
        assert_eq!(message.as_deref(), Some(said));
    }
}
