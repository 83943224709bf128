//! Rows as a table, JSON or CSV.

use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::Value;

use crate::api::QueryAnswer;
use crate::cli::text::csv_text;
use crate::cli::text::printable;

/// How rows are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns for reading
    Table,
    /// A JSON array of objects, one per line
    Json,
    /// RFC 4180; texts that begin like a formula get an apostrophe
    Csv,
}

/// Prints an answer's rows as they are.
pub(super) fn rows(out: &mut impl Write, answer: &QueryAnswer, format: Format) -> io::Result<()> {
    let names: Vec<&str> = answer
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    print(out, &names, &answer.rows, format)
}

/// Prints rows under the names of their columns.
pub(super) fn print(
    out: &mut impl Write,
    names: &[&str],
    rows: &[Vec<Value>],
    format: Format,
) -> io::Result<()> {
    match format {
        Format::Table => table(out, names, rows),
        Format::Json => json(out, names, rows),
        Format::Csv => csv(out, names, rows),
    }
}

/// What an answer does not include; `None` when it comes from a store at rest.
pub(super) fn completeness(answer: &QueryAnswer) -> Option<String> {
    let to = answer.complete_to.as_deref()?;
    let time = to.parse::<jiff::Timestamp>().ok().map(local_time);
    let time = time.unwrap_or_else(|| printable(to));
    Some(format!(
        "complete to {time}; {} open flows not included",
        answer.open_flows
    ))
}

/// `HH:MM:SS` on this machine's clock.
fn local_time(at: jiff::Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system())
        .strftime("%H:%M:%S")
        .to_string()
}

/// Numbers to the right, everything else to the left.
pub(super) fn table(out: &mut impl Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(cell).collect())
        .collect();
    let columns: Vec<(usize, bool)> = (0..names.len())
        .map(|column| {
            let width = cells
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width(cell))
                .max();
            let name = names.get(column).map_or(0, |name| width_of_name(name));
            let number = rows.iter().all(|row| {
                row.get(column)
                    .is_none_or(|value| value.is_number() || value.is_null())
            });
            (width.unwrap_or(0).max(name), number && !rows.is_empty())
        })
        .collect();
    let header: Vec<String> = names.iter().map(|name| printable(name)).collect();
    line(out, &header, &columns)?;
    cells.iter().try_for_each(|row| line(out, row, &columns))
}

fn line(out: &mut impl Write, cells: &[String], columns: &[(usize, bool)]) -> io::Result<()> {
    let padded: Vec<String> = cells
        .iter()
        .zip(columns)
        .map(|(cell, (width, number))| {
            if *number {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        })
        .collect();
    writeln!(out, "{}", padded.join("  ").trim_end())
}

/// Writes rows as one array of objects.
pub(super) fn json(out: &mut impl Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    write!(out, "[")?;
    for (at, row) in rows.iter().enumerate() {
        let pairs = names
            .iter()
            .map(|name| (*name).to_owned())
            .zip(row.iter().cloned());
        let object = Value::Object(pairs.collect());
        write!(out, "{}\n{object}", if at == 0 { "" } else { "," })?;
    }
    writeln!(out, "\n]")
}

/// Writes a header and rows as CSV.
pub(super) fn csv(out: &mut impl Write, names: &[&str], rows: &[Vec<Value>]) -> io::Result<()> {
    let header: Vec<String> = names.iter().map(|name| csv_text(name)).collect();
    write!(out, "{}\r\n", header.join(","))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(csv_cell).collect();
        write!(out, "{}\r\n", cells.join(","))?;
    }
    Ok(())
}

fn csv_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => csv_text(text),
        Value::Array(_) | Value::Object(_) => csv_text(&value.to_string()),
    }
}

/// A value for a table; nothing is a dash.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            printable(&value.to_string())
        }
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

fn width_of_name(name: &str) -> usize {
    width(&printable(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::Column;

    fn answer() -> QueryAnswer {
        let column = |name: &str| Column {
            name: name.to_owned(),
            kind: "Utf8".to_owned(),
        };
        QueryAnswer {
            columns: vec![column("name"), column("bytes")],
            rows: vec![
                vec![json!("=cmd\u{7}"), json!(7)],
                vec![Value::Null, json!(1200)],
            ],
            ..QueryAnswer::default()
        }
    }

    fn printed(format: Format) -> String {
        let mut out = Vec::new();
        rows(&mut out, &answer(), format).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_align_numbers_right_and_escape_controls() {
        assert_eq!(
            printed(Format::Table),
            "name       bytes\n=cmd\\u{7}      7\n-           1200\n"
        );
    }

    #[test]
    fn csv_neutralises_formulas_and_leaves_nulls_empty() {
        assert_eq!(
            printed(Format::Csv),
            "name,bytes\r\n'=cmd\u{7},7\r\n,1200\r\n"
        );
    }

    #[test]
    fn json_is_one_array_of_objects_in_column_order() {
        let text = printed(Format::Json);
        assert_eq!(
            text,
            "[\n{\"name\":\"=cmd\\u0007\",\"bytes\":7},\n{\"name\":null,\"bytes\":1200}\n]\n"
        );
    }

    #[test]
    fn a_store_at_rest_has_no_open_flows_to_speak_of() {
        assert_eq!(completeness(&answer()), None);
        let running = QueryAnswer {
            complete_to: Some("2026-11-21T10:00:05Z".to_owned()),
            open_flows: 12,
            ..answer()
        };
        let line = completeness(&running).unwrap();
        assert!(line.ends_with(":05; 12 open flows not included"), "{line}");
    }
}
