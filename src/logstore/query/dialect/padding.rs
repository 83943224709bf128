//! Windows of a time series that no log fell into.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::ops::Range;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::OrderByKind;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::SelectItem;
use datafusion::sql::sqlparser::ast::SetExpr;
use datafusion::sql::sqlparser::ast::Spanned;
use datafusion::sql::sqlparser::ast::visit_expressions;
use serde_json::Value;

use super::clock;
use super::functions;
use super::rewrite::Fault;
use super::rewrite::text;
use super::times::label;

/// The time series of an answer: which column, and what its gaps become.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::logstore::query) struct Padding {
    /// Which column the windows are.
    column: usize,
    window_s: i64,
    format: String,
    fill: Fill,
    is_descending: bool,
}

/// What the other columns of a gap are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fill {
    Zero,
    Null,
    Last,
    Next,
    Average,
}

/// The time series in the outermost question; one elsewhere is refused, for
/// its gaps could not be filled.
pub(super) fn of(query: &SqlQuery) -> Result<Option<Padding>, Fault> {
    let mut found = None;
    if let SetExpr::Select(select) = query.body.as_ref() {
        for (column, item) in select.projection.iter().enumerate() {
            if let SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) = item
                && is_series(expr)
            {
                found = Some((column, series(expr)?));
            }
        }
    }
    let mut is_nested = None;
    let _ = visit_expressions(query, |expr| {
        if is_series(expr) {
            is_nested = Some(expr.span());
        }
        ControlFlow::<()>::Continue(())
    });
    match (found, is_nested) {
        (Some((column, (window_s, format, fill))), _) => Ok(Some(Padding {
            column,
            window_s,
            format,
            fill,
            is_descending: is_descending(query),
        })),
        (None, Some(span)) => Err(Fault::new(
            span,
            "time_series stands alone in the outermost SELECT",
        )),
        (None, None) => Ok(None),
    }
}

fn is_series(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("time_series"))
}

fn series(expr: &Expr) -> Result<(i64, String, Fill), Fault> {
    let usage = "write time_series(__time__, '1m', '%H:%i:%s', '0'); windows in s, m, h or d, \
                 gaps as 0, null, last, next or avg";
    let read = || {
        let Expr::Function(call) = expr else {
            return None;
        };
        let [_, window, format, fill] = functions::arguments(call)?.try_into().ok()?;
        let fill = match text(&fill)? {
            "0" => Fill::Zero,
            "null" => Fill::Null,
            "last" => Fill::Last,
            "next" => Fill::Next,
            "avg" => Fill::Average,
            _ => return None,
        };
        Some((
            clock::window(text(&window)?)?,
            text(&format)?.to_owned(),
            fill,
        ))
    };
    read().ok_or_else(|| Fault::new(expr.span(), usage))
}

fn is_descending(query: &SqlQuery) -> bool {
    let order = query.order_by.as_ref().map(|order| &order.kind);
    let Some(OrderByKind::Expressions(parts)) = order else {
        return false;
    };
    parts
        .first()
        .is_some_and(|first| first.options.asc == Some(false))
}

impl Padding {
    /// `rows` with one for each window of `times_s` that has none, in the order
    /// of time; as they are if that would be more than `rows_max`.
    pub(in crate::logstore::query) fn pad(
        &self,
        rows: Vec<Vec<Value>>,
        width: usize,
        times_s: &Range<i64>,
        rows_max: usize,
    ) -> Vec<Vec<Value>> {
        let windows = times_s.end.saturating_sub(times_s.start) / self.window_s;
        if usize::try_from(windows).map_or(true, |windows| windows >= rows_max) {
            return rows;
        }
        let mut by_label: HashMap<String, Vec<Vec<Value>>> = HashMap::new();
        for row in rows {
            let label = row
                .get(self.column)
                .and_then(Value::as_str)
                .unwrap_or_default();
            by_label.entry(label.to_owned()).or_default().push(row);
        }
        let mut padded: Vec<(bool, Vec<Value>)> = Vec::new();
        let mut start = times_s
            .start
            .saturating_sub(times_s.start.rem_euclid(self.window_s));
        let mut seen = std::collections::HashSet::new();
        while start < times_s.end {
            let label = label(start.saturating_mul(1000), self.window_s, &self.format);
            start = start.saturating_add(self.window_s);
            let Some(label) = label.filter(|label| seen.insert(label.clone())) else {
                continue;
            };
            match by_label.remove(&label) {
                Some(rows) => padded.extend(rows.into_iter().map(|row| (false, row))),
                None => padded.push((true, self.gap(label, width))),
            }
        }
        self.fill(&mut padded);
        let mut rows: Vec<_> = padded.into_iter().map(|(_, row)| row).collect();
        if self.is_descending {
            rows.reverse();
        }
        rows
    }

    fn gap(&self, label: String, width: usize) -> Vec<Value> {
        let other = match self.fill {
            Fill::Zero => Value::from(0),
            Fill::Null | Fill::Last | Fill::Next | Fill::Average => Value::Null,
        };
        let mut row = vec![other; width];
        if let Some(place) = row.get_mut(self.column) {
            *place = Value::from(label);
        }
        row
    }

    /// Gives gaps the values around them.
    fn fill(&self, rows: &mut [(bool, Vec<Value>)]) {
        if matches!(self.fill, Fill::Zero | Fill::Null) {
            return;
        }
        let before = neighbours(rows.iter());
        let mut after = neighbours(rows.iter().rev());
        after.reverse();
        for ((row, before), after) in rows.iter_mut().zip(before).zip(after) {
            let (true, row) = (row.0, &mut row.1) else {
                continue;
            };
            for (column, value) in row.iter_mut().enumerate() {
                if column == self.column {
                    continue;
                }
                let of = |row: &Option<Vec<Value>>| {
                    row.as_ref().and_then(|row| row.get(column).cloned())
                };
                let found = match self.fill {
                    Fill::Last => of(&before),
                    Fill::Next => of(&after),
                    Fill::Average => average(of(&before), of(&after)),
                    Fill::Zero | Fill::Null => None,
                };
                *value = found.unwrap_or(Value::Null);
            }
        }
    }
}

/// The last row that is no gap, for each row.
fn neighbours<'a>(rows: impl Iterator<Item = &'a (bool, Vec<Value>)>) -> Vec<Option<Vec<Value>>> {
    let mut last = None;
    let each = rows.map(|(is_gap, row)| {
        if !is_gap {
            last = Some(row.clone());
        }
        last.clone()
    });
    each.collect()
}

fn average(before: Option<Value>, after: Option<Value>) -> Option<Value> {
    let (before, after) = (before?.as_f64()?, after?.as_f64()?);
    Some(Value::from(f64::midpoint(before, after)))
}
