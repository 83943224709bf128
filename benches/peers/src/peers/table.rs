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
    pub fn spread(&self, of: impl Fn(&Measured) -> Option<f64>) -> Option<[f64; 3]> {
        middle(self.turns.iter().filter_map(of).collect())
    }

    /// CPU seconds of a million records.
    pub fn cpu(&self) -> Option<[f64; 3]> {
        self.spread(|turn| Some(turn.cpu))
    }

    /// CPU time in terms of another row's, both of the same round.
    fn ratio(&self, rows: &[Row], name: &str) -> Option<f64> {
        let is_it = |row: &&Row| row.version == self.version && row.name == name;
        let other = rows.iter().find(is_it)?;
        let pairs = self.turns.iter().zip(&other.turns);
        Some(middle(pairs.map(|(turn, other)| turn.cpu / other.cpu).collect())?[0])
    }
}

/// Median, least and most.
fn middle(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len() / 2)?;
    Some([median, *values.first()?, *values.last()?])
}

/// All of it as Markdown.
pub fn markdown(rows: &[Row], conditions: &str, subjects: &[Subject]) -> String {
    let mut text = format!("{conditions}\n");
    for version in VERSIONS {
        let rows_of: Vec<&Row> = rows.iter().filter(|row| row.version == version).collect();
        if rows_of.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "\n| {version} | CPU-s per million records taken (least – most) | to `{PLAIN}` | to \
             `{COMPRESSED}` | until received | packets lost | rows per record | octets on disk per record | \
             resident at most |\n|---|---|---|---|---|---|---|---|---|\n"
        );
        for row in rows_of {
            line(&mut text, row, rows);
        }
    }
    text.push_str("\nWhat each did:\n\n");
    for subject in subjects {
        let _ = writeln!(text, "- `{}`: {}.", subject.name, subject.does);
    }
    text
}

fn line(text: &mut String, row: &Row, rows: &[Row]) {
    let cpu = row
        .cpu()
        .map(|[median, least, most]| format!("**{median:.3}** ({least:.3} – {most:.3})"));
    let ratio = |name| row.ratio(rows, name).map(|ratio| format!("{ratio:.2}"));
    let median = |of: fn(&Measured) -> Option<f64>| row.spread(of).map(|[median, ..]| median);
    // Lost in any round is lost.
    let loss = row
        .spread(|turn| turn.loss)
        .map(|[.., most]| format!("{:.3} %", most * 100.0));
    let cells = [
        cpu,
        ratio(PLAIN),
        ratio(COMPRESSED),
        median(|turn| turn.receiving).map(|cpu| format!("{cpu:.3}")),
        loss,
        median(|turn| turn.rows).map(|rows| format!("{rows:.2}")),
        median(|turn| turn.bytes).map(|bytes| format!("{bytes:.1}")),
        median(|turn| turn.resident.map(|octets| octets as f64))
            .map(|octets| format!("{:.0} MiB", octets / f64::from(1 << 20))),
    ];
    let cells = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
    let _ = writeln!(text, "| `{}` | {} |", row.name, cells.join(" | "));
}
