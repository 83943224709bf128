//! `compare(x, n)` and `ts_compare(x, n)`: what the SELECT in FROM gives, beside
//! what it gave n seconds before.
//!
//! That SELECT is asked once more for each n, of the log as it was n seconds
//! earlier, every `__time__` in it moved up by n, so that what is grouped by
//! time falls into the groups of now. Its rows are joined to those of now by
//! the columns that the question groups by; groups of which there is nothing
//! now are left out.

mod source;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::Function;
use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::ast::Join;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Select;
use datafusion::sql::sqlparser::ast::SelectItem;
use datafusion::sql::sqlparser::ast::Spanned;
use datafusion::sql::sqlparser::ast::Visit;
use datafusion::sql::sqlparser::ast::VisitMut;
use datafusion::sql::sqlparser::ast::Visitor;
use datafusion::sql::sqlparser::ast::VisitorMut;
use datafusion::sql::sqlparser::ast::visit_expressions;
use datafusion::sql::sqlparser::ast::visit_expressions_mut;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::functions;
use super::lists;
use super::rewrite::Fault;
use super::rewrite::number;
use super::rewrite::whole;
use crate::logstore::query::expand;
use source::Source;
use source::column;
use source::keys;
pub(in crate::logstore::query) use source::log_before;
use source::name_before;
use source::name_now;

/// Writes out all comparisons in `query`, which is otherwise rewritten; how
/// many seconds before now it then asks for the log.
pub(super) fn write_out(query: &mut SqlQuery) -> Result<BTreeSet<u32>, Fault> {
    let Some(span) = left(query) else {
        return Ok(BTreeSet::new());
    };
    let mut with = With(false);
    let _ = Visit::visit(query, &mut with);
    if with.0 {
        return Err(Fault::new(span, "compare is not there together with WITH"));
    }
    let mut writer = Writer::default();
    if let ControlFlow::Break(fault) = VisitMut::visit(query, &mut writer) {
        return Err(fault);
    }
    if let Some(span) = left(query) {
        let message = "compare stands in the list of a SELECT that reads FROM another SELECT";
        return Err(Fault::new(span, message));
    }
    expand::expand(query).map_err(|error| Fault::new(span, error.message))?;
    Ok(writer.shifts)
}

/// Where a comparison is that is not written out.
fn left(node: &impl Visit) -> Option<Span> {
    let mut span = None;
    let _ = visit_expressions(node, |expr| {
        if let Expr::Function(call) = expr
            && is_comparison(call)
        {
            span = Some(call.name.span());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    span
}

fn is_comparison(call: &Function) -> bool {
    let name = call.name.to_string();
    NAMES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Whether WITH is anywhere in a question.
struct With(bool);

impl Visitor for With {
    type Break = ();

    fn pre_visit_query(&mut self, query: &SqlQuery) -> ControlFlow<()> {
        self.0 |= query.with.is_some();
        ControlFlow::Continue(())
    }
}

/// One call, read.
struct Comparison {
    column: Ident,
    shifts: Vec<u32>,
    has_times: bool,
}

impl Comparison {
    fn read(call: &Function) -> Result<Self, Fault> {
        let has_times = call.name.to_string().eq_ignore_ascii_case(TS_COMPARE);
        let name = if has_times { TS_COMPARE } else { COMPARE };
        let usage = || {
            let message = format!(
                "{name} is written {name}(x, 86400), x a column of the SELECT in FROM, \
                 with up to {SHIFTS_MAX} numbers of seconds"
            );
            Fault::new(call.name.span(), message)
        };
        let arguments = functions::arguments(call).ok_or_else(usage)?;
        let [value, shifts @ ..] = arguments.as_slice() else {
            return Err(usage());
        };
        let shift = |expr| {
            let seconds = whole(expr).and_then(|seconds| u32::try_from(seconds).ok());
            seconds.filter(|seconds| *seconds > 0)
        };
        let shifts: Option<Vec<u32>> = shifts.iter().map(shift).collect();
        let shifts = shifts.filter(|shifts| (1..=SHIFTS_MAX).contains(&shifts.len()));
        let is_plain = call.filter.is_none() && call.over.is_none();
        match (column(value), shifts) {
            (Some(column), Some(shifts)) if is_plain => Ok(Self {
                column: column.clone(),
                shifts,
                has_times,
            }),
            _ => Err(usage()),
        }
    }

    /// The list of the values, by the engine's functions.
    fn written(&self, time: Option<&Ident>) -> Expr {
        let most = |name: Ident| functions::call("max", vec![Expr::Identifier(name)]);
        let earlier = |shift: &u32| most(name_before(&self.column, *shift));
        let mut values = vec![most(self.column.clone())];
        values.extend(self.shifts.iter().map(earlier));
        let Some(time) = time.filter(|_| self.has_times) else {
            return functions::call(lists::COMPARED, values);
        };
        let seconds = functions::call("to_unixtime", vec![Expr::Identifier(time.clone())]);
        let times = self.shifts.iter().map(|shift| Expr::BinaryOp {
            left: Box::new(seconds.clone()),
            op: BinaryOperator::Minus,
            right: Box::new(number(u64::from(*shift))),
        });
        values.extend(times);
        functions::call(lists::TS_COMPARED, values)
    }
}

/// Writes out comparisons, inner questions first.
#[derive(Default)]
struct Writer {
    shifts: BTreeSet<u32>,
}

impl VisitorMut for Writer {
    type Break = Fault;

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Fault> {
        match left(&select.projection) {
            None => ControlFlow::Continue(()),
            Some(span) => match self.write_out(select, span) {
                Ok(()) => ControlFlow::Continue(()),
                Err(fault) => ControlFlow::Break(fault),
            },
        }
    }
}

impl Writer {
    fn write_out(&mut self, select: &mut Select, span: Span) -> Result<(), Fault> {
        let comparisons = comparisons(&select.projection)?;
        let source = Source::of(select).ok_or_else(|| {
            let message = "compare reads FROM one SELECT whose columns have names";
            Fault::new(span, message)
        })?;
        if !source.is_of_now() {
            return Err(Fault::new(span, "compare cannot be nested"));
        }
        let unknown = |comparison: &&Comparison| !source.columns.contains(&comparison.column);
        if let Some(comparison) = comparisons.iter().find(unknown) {
            let name = &comparison.column.value;
            let message = format!("the SELECT in FROM has no column {name} to compare");
            return Err(Fault::new(span, message));
        }
        let keys = keys(select, &source.columns).ok_or_else(|| {
            let message = "with compare, GROUP BY names columns of the SELECT in FROM";
            Fault::new(span, message)
        })?;
        if !source.has_one_row_for(&keys) {
            let message = "compare takes one row of each group: GROUP BY the columns that the \
                           SELECT in FROM groups by";
            return Err(Fault::new(span, message));
        }
        let time = match keys.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        if time.is_none() && comparisons.iter().any(|comparison| comparison.has_times) {
            let message = "with ts_compare, GROUP BY names one column, the time";
            return Err(Fault::new(span, message));
        }
        let shifts = comparisons.iter().flat_map(|comparison| &comparison.shifts);
        let shifts: BTreeSet<u32> = shifts.copied().collect();
        let joins = shifts.iter().map(|shift| source.join(&keys, *shift));
        let joins: Vec<Join> = joins.collect();
        if let Some(from) = select.from.first_mut() {
            name_now(&mut from.relation);
            from.joins = joins;
        }
        self.shifts.extend(shifts);
        replace(&mut select.projection, comparisons, time);
        Ok(())
    }
}

fn comparisons(items: &[SelectItem]) -> Result<Vec<Comparison>, Fault> {
    let mut found = Vec::new();
    for item in items {
        // It is never broken off.
        let _ = visit_expressions(item, |expr| {
            if let Expr::Function(call) = expr
                && is_comparison(call)
            {
                found.push(Comparison::read(call));
            }
            ControlFlow::<()>::Continue(())
        });
    }
    found.into_iter().collect()
}

/// Puts what they are written out as in the place of all comparisons, which
/// are met in the order in which they were read: none holds another.
fn replace(items: &mut [SelectItem], comparisons: Vec<Comparison>, time: Option<&Ident>) {
    let mut comparisons = comparisons.into_iter();
    for item in items {
        let _ = visit_expressions_mut(item, |expr| {
            if matches!(expr, Expr::Function(call) if is_comparison(call))
                && let Some(comparison) = comparisons.next()
            {
                *expr = comparison.written(time);
            }
            ControlFlow::<()>::Continue(())
        });
    }
}

/// What they are called in SLS.
pub(super) const NAMES: [&str; 2] = [COMPARE, TS_COMPARE];
const COMPARE: &str = "compare";
const TS_COMPARE: &str = "ts_compare";
/// Times that one call compares with; each is another reading of the log.
const SHIFTS_MAX: usize = 8;
