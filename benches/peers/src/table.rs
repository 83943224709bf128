//! What was measured, in words and numbers.

use std::fmt::Write;

use crate::load::VERSIONS;
use crate::subject::{COMPRESSED, Measured, PLAIN, Subject};

/// All turns of one subject with one version.
pub struct Row {
    pub version: &'static str,
    pub name: &'static str,
    turns: Vec<Measured>,
}

/// Adds a turn to its row.
pub fn note(rows: &mut Vec<Row>, version: &'static str, subject: &Subject, turn: Measured) {
    let row = rows
        .iter_mut()
        .find(|row| row.version == version && row.name == subject.name);
    match row {
        Some(row) => row.turns.push(turn),
        None => rows.push(Row {
            version,
            name: subject.name,
            turns: vec![turn],
        }),
    }
}

impl Row {
    /// The middle, the least and the most of what turns gave.
    fn spread(&self, of: impl Fn(&Measured) -> Option<f64>) -> Option<[f64; 3]> {
        middle(self.turns.iter().filter_map(of).collect())
    }

    /// CPU seconds of a million records.
    pub fn cpu(&self) -> Option<[f64; 3]> {
        self.spread(|turn| Some(turn.cpu))
    }

    /// A measure in terms of another row's, both of the same round.
    fn ratio(&self, rows: &[Row], name: &str, of: fn(&Measured) -> Option<f64>) -> Option<String> {
        let is_it = |row: &&Row| row.version == self.version && row.name == name;
        let other = rows.iter().find(is_it)?;
        let pairs = self.turns.iter().zip(&other.turns);
        let ratios = pairs.filter_map(|(turn, other)| Some(of(turn)? / of(other)?));
        let [median, ..] = middle(ratios.collect())?;
        Some(format!("{median:.2}"))
    }

    fn median(&self, of: fn(&Measured) -> Option<f64>) -> Option<f64> {
        self.spread(of).map(|[median, ..]| median)
    }

    fn with_spread(&self, of: fn(&Measured) -> Option<f64>) -> Option<String> {
        let [median, least, most] = self.spread(of)?;
        Some(format!("**{median:.3}** ({least:.3} – {most:.3})"))
    }

    /// Lost in any round is lost.
    fn lost(&self) -> Option<String> {
        let [.., most] = self.spread(|turn| turn.loss)?;
        Some(format!("{:.3} %", most * 100.0))
    }
}

/// A column: its heading, and the cell of a row among all.
pub type Column = (&'static str, fn(&Row, &[Row]) -> Option<String>);

/// What whole processes take.
pub const WHOLE: &[Column] = &[
    (
        "CPU-s per million records taken (least – most)",
        |row, _| row.with_spread(|turn| Some(turn.cpu)),
    ),
    ("to `nfcapd`", |row, rows| {
        row.ratio(rows, PLAIN, |turn| Some(turn.cpu))
    }),
    ("to `nfcapd -y`", |row, rows| {
        row.ratio(rows, COMPRESSED, |turn| Some(turn.cpu))
    }),
    ("until received", |row, _| {
        let cpu = row.median(|turn| turn.receiving)?;
        Some(format!("{cpu:.3}"))
    }),
    ("packets lost", |row, _| row.lost()),
    ("rows per record", |row, _| {
        Some(format!("{:.2}", row.median(|turn| turn.rows)?))
    }),
    ("octets on disk per record", |row, _| {
        Some(format!("{:.1}", row.median(|turn| turn.bytes)?))
    }),
    ("resident at most", |row, _| {
        let octets = row.median(|turn| turn.resident.map(|octets| octets as f64))?;
        Some(format!("{:.0} MiB", octets / f64::from(1 << 20)))
    }),
];

/// What lanes take, beside collectors that have nothing else.
pub const LINE_RATE: &[Column] = &[
    (
        "lanes, CPU-s per million records taken (least – most)",
        |row, _| row.with_spread(Measured::in_lanes),
    ),
    ("to `nfcapd`", |row, rows| {
        row.ratio(rows, PLAIN, Measured::in_lanes)
    }),
    ("to `nfcapd -y`", |row, rows| {
        row.ratio(rows, COMPRESSED, Measured::in_lanes)
    }),
    ("whole process until received", |row, _| {
        row.with_spread(|turn| turn.receiving)
    }),
    ("packets lost", |row, _| row.lost()),
];

/// Median, least and most.
fn middle(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len() / 2)?;
    Some([median, *values.first()?, *values.last()?])
}

/// All of it as Markdown.
pub fn markdown(
    rows: &[Row],
    columns: &[Column],
    conditions: &str,
    subjects: &[Subject],
) -> String {
    let mut text = format!("{conditions}\n");
    for version in VERSIONS {
        let rows_of: Vec<&Row> = rows.iter().filter(|row| row.version == version).collect();
        if rows_of.is_empty() {
            continue;
        }
        let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
        let _ = write!(
            text,
            "\n| {version} | {} |\n|---{}|\n",
            heads.join(" | "),
            "|---".repeat(heads.len())
        );
        for row in rows_of {
            let cells = columns.iter().map(|(_, cell)| cell(row, rows));
            let cells: Vec<_> = cells
                .map(|cell| cell.unwrap_or_else(|| "–".to_owned()))
                .collect();
            let _ = writeln!(text, "| `{}` | {} |", row.name, cells.join(" | "));
        }
    }
    text.push_str("\nWhat each did:\n\n");
    for subject in subjects {
        let _ = writeln!(text, "- `{}`: {}.", subject.name, subject.does);
    }
    text
}
