//! SQL as SLS speaks it, a part of Presto's, made into the engine's own.
//!
//! Tables and functions that are not named here are refused by name: what the
//! engine knows beyond them, the cloud does not.

mod clock;
mod compare;
mod functions;
mod lists;
mod names;
mod network;
mod padding;
mod rewrite;
mod rows;
mod times;

use std::collections::BTreeSet;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

use super::check;
use super::search::IndexConfig;
use super::search::SearchError;
pub(super) use compare::log_before;
pub(super) use padding::Padding;
pub(super) use rewrite::LOG;
pub(super) use rows::functions;
pub(super) use times::shown;

/// A question about the table `log`, ready to be planned.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    pub(super) statement: Statement,
    pub(super) padding: Option<Padding>,
    /// Rows of the answer at most.
    pub(super) rows_max: u64,
    /// How many seconds before it asks for the log too.
    pub(super) shifts: BTreeSet<u32>,
}

/// Reads `sql`, which begins at octet `at` of the whole text.
pub(super) fn read(sql: &str, at: usize, index: &IndexConfig) -> Result<Sql, SearchError> {
    let mut statement = check::one_question(sql)
        .map_err(|error| SearchError::new(at + said(sql, &error.message), error.message))?;
    let located = |error: rewrite::Fault| {
        SearchError::new(at + octet(sql, error.line, error.column), error.message)
    };
    let Some(query) = query(&mut statement) else {
        return Err(SearchError::new(at, "write SELECT after the bar"));
    };
    let padding = rewrite::rewrite(query, index).map_err(located)?;
    let shifts = compare::write_out(query).map_err(located)?;
    let rows_max = rewrite::rows_max(query);
    Ok(Sql {
        statement,
        padding,
        rows_max,
        shifts,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not a SELECT is refused, whatever it is"
)]
fn query(statement: &mut Statement) -> Option<&mut SqlQuery> {
    match statement {
        Statement::Statement(inner) => match inner.as_mut() {
            SqlStatement::Query(query) => Some(query),
            _ => None,
        },
        _ => None,
    }
}

/// The place that the parser's message names, if it names one.
fn said(sql: &str, message: &str) -> usize {
    let place = message.rsplit_once("Line: ").and_then(|(_, place)| {
        let (line, rest) = place.split_once(", Column: ")?;
        let column = rest.split(|other: char| !other.is_ascii_digit()).next()?;
        Some((line.parse().ok()?, column.parse().ok()?))
    });
    place.map_or(0, |(line, column)| octet(sql, line, column))
}

/// Octets before a place given by its line and character, both from 1.
fn octet(sql: &str, line: u64, column: u64) -> usize {
    let skipped = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let lines = sql.split_inclusive('\n');
    let before: usize = lines.clone().take(skipped(line)).map(str::len).sum();
    let within = lines.clone().nth(skipped(line)).unwrap_or_default();
    let characters = within.chars().take(skipped(column));
    before + characters.map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_octets_of_the_whole_text() {
        assert_eq!(octet("SELECT a", 1, 8), 7);
        assert_eq!(octet("流 a\nb c", 1, 3), 4);
        assert_eq!(octet("流 a\nb c", 2, 3), 8);
        assert_eq!(octet("a", 7, 9), 1);
        assert_eq!(octet("a", 0, 0), 0);
        assert_eq!(said("SELECT )", "Expected: x at Line: 1, Column: 8"), 7);
        assert_eq!(said("SELECT )", "no place"), 0);
    }
}
