//! The SELECT that a comparison reads FROM, now and before.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::Function;
use datafusion::sql::sqlparser::ast::GroupByExpr;
use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::ast::Join;
use datafusion::sql::sqlparser::ast::JoinConstraint;
use datafusion::sql::sqlparser::ast::JoinOperator;
use datafusion::sql::sqlparser::ast::ObjectName;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Select;
use datafusion::sql::sqlparser::ast::SelectItem;
use datafusion::sql::sqlparser::ast::SetExpr;
use datafusion::sql::sqlparser::ast::TableAlias;
use datafusion::sql::sqlparser::ast::TableAliasColumnDef;
use datafusion::sql::sqlparser::ast::TableFactor;
use datafusion::sql::sqlparser::ast::Value;
use datafusion::sql::sqlparser::ast::VisitMut;
use datafusion::sql::sqlparser::ast::VisitorMut;
use datafusion::sql::sqlparser::ast::visit_expressions;

use crate::logstore::query::dialect::rewrite::LOG;
use crate::logstore::query::dialect::rewrite::whole;

/// The SELECT in FROM, and the names of its columns.
pub(super) struct Source {
    query: SqlQuery,
    pub(super) columns: Vec<Ident>,
}

impl Source {
    pub(super) fn of(select: &Select) -> Option<Self> {
        let [from] = select.from.as_slice() else {
            return None;
        };
        let TableFactor::Derived {
            subquery, alias, ..
        } = &from.relation
        else {
            return None;
        };
        if !from.joins.is_empty() {
            return None;
        }
        let named = alias.iter().flat_map(|alias| &alias.columns);
        let mut columns: Vec<Ident> = named.map(|column| column.name.clone()).collect();
        let given = selected(subquery)?.projection.iter().map(name);
        let given: Vec<Ident> = given.collect::<Option<_>>()?;
        if columns.is_empty() {
            columns = given;
        } else if columns.len() != given.len() {
            return None;
        }
        Some(Self {
            query: subquery.as_ref().clone(),
            columns,
        })
    }

    /// Whether it reads nothing but the log of now.
    pub(super) fn is_of_now(&self) -> bool {
        let mut query = self.query.clone();
        VisitMut::visit(&mut query, &mut Earlier { to: LOG }).is_continue()
    }

    /// Whether no two of its rows are the same in all of `keys`.
    pub(super) fn has_one_row_for(&self, keys: &[Ident]) -> bool {
        let Some(select) = selected(&self.query) else {
            return false;
        };
        let GroupByExpr::Expressions(groups, modifiers) = &select.group_by else {
            return false;
        };
        if !modifiers.is_empty() {
            return false;
        }
        if groups.is_empty() {
            return select.projection.iter().all(is_of_all_rows);
        }
        groups.iter().all(|group| {
            let is_it = |item: &SelectItem| is_group(item, group);
            let items = || select.projection.iter();
            let place = ordinal(group).or_else(|| items().position(is_it));
            let column = place.and_then(|place| self.columns.get(place));
            column.is_some_and(|column| keys.contains(column))
        })
    }

    /// It `seconds` before, joined by `keys`; its columns have names of their
    /// own, so that the question need not say which it means.
    pub(super) fn join(&self, keys: &[Ident], seconds: u32) -> Join {
        let mut query = self.query.clone();
        let log = log_before(seconds);
        // What it reads was found to be the log of now.
        let _ = VisitMut::visit(&mut query, &mut Earlier { to: &log });
        let same = keys.iter().map(|key| {
            let sides = [key.clone(), name_before(key, seconds)];
            let [now, earlier] = sides.map(|side| Box::new(Expr::Identifier(side)));
            Expr::IsNotDistinctFrom(now, earlier)
        });
        let both = |left, right| Expr::BinaryOp {
            left: Box::new(left),
            op: BinaryOperator::And,
            right: Box::new(right),
        };
        let condition = same.reduce(both);
        let any = || Expr::Value(Value::Boolean(true).into());
        let columns = self.columns.iter().map(|column| TableAliasColumnDef {
            name: name_before(column, seconds),
            data_type: None,
        });
        Join {
            relation: TableFactor::Derived {
                lateral: false,
                subquery: Box::new(query),
                alias: Some(alias(&before("now", seconds), columns.collect())),
                sample: None,
            },
            global: false,
            join_operator: JoinOperator::LeftOuter(JoinConstraint::On(
                condition.unwrap_or_else(any),
            )),
        }
    }
}

/// Makes of the log another table, by which it is still called the log; ends
/// where it meets a table that is not the log.
struct Earlier<'a> {
    to: &'a str,
}

impl VisitorMut for Earlier<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table {
            name, alias: given, ..
        } = table
        else {
            return ControlFlow::Continue(());
        };
        let log = ObjectName::from(vec![Ident::with_quote('"', LOG)]);
        if *name != log {
            return ControlFlow::Break(());
        }
        *name = ObjectName::from(vec![Ident::with_quote('"', self.to)]);
        given.get_or_insert_with(|| alias(LOG, Vec::new()));
        ControlFlow::Continue(())
    }
}

/// The columns of the SELECT in FROM that `select` groups by.
pub(super) fn keys(select: &Select, columns: &[Ident]) -> Option<Vec<Ident>> {
    let GroupByExpr::Expressions(groups, _) = &select.group_by else {
        return None;
    };
    let key = |group: &Expr| {
        let is_column = |name: &&Ident| columns.contains(name);
        if let Some(name) = column(group).filter(is_column) {
            return Some(name.clone());
        }
        let is_meant = |item: &&SelectItem| name(item).as_ref() == column(group);
        let item = match ordinal(group) {
            Some(place) => select.projection.get(place),
            None => column(group).and_then(|_| select.projection.iter().find(is_meant)),
        };
        let meant = item.and_then(expression).and_then(column);
        meant.filter(is_column).cloned()
    };
    groups.iter().map(key).collect()
}

fn selected(query: &SqlQuery) -> Option<&Select> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    Some(select)
}

fn expression(item: &SelectItem) -> Option<&Expr> {
    let (SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr)) = item else {
        return None;
    };
    Some(expr)
}

/// What the column of an answer is called.
fn name(item: &SelectItem) -> Option<Ident> {
    if let SelectItem::ExprWithAlias { alias, .. } = item {
        return Some(alias.clone());
    }
    expression(item).and_then(column).cloned()
}

/// The column that an expression is, without its table.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only two kinds of expression are names"
)]
pub(super) fn column(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    }
}

/// The place that a number in GROUP BY names.
fn ordinal(expr: &Expr) -> Option<usize> {
    usize::try_from(whole(expr)?).ok()?.checked_sub(1)
}

/// Whether `group` in GROUP BY means just what `item` gives. A name means the
/// column of the log that has it before it means the item, so an item that makes
/// something else of that column is not meant.
fn is_group(item: &SelectItem, group: &Expr) -> bool {
    if expression(item) == Some(group) {
        return true;
    }
    let Some(named) = column(group).filter(|named| name(item).as_ref() == Some(*named)) else {
        return false;
    };
    let is_itself = |expr: &Expr| column(expr) == Some(named);
    let reads = |expr: &Expr| {
        let walked = visit_expressions(expr, |part| match is_itself(part) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        walked.is_break()
    };
    expression(item).is_some_and(|expr: &Expr| is_itself(expr) || !reads(expr))
}

/// Whether an item is calculated of all rows at once.
fn is_of_all_rows(item: &SelectItem) -> bool {
    let is_aggregate = |call: &Function| {
        let name = call.name.to_string();
        call.over.is_none() && AGGREGATES.contains(&name.to_lowercase().as_str())
    };
    let mut is_aggregated = false;
    // What is calculated within another SELECT is not of these rows.
    let walked = visit_expressions(item, |expr| {
        if let Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } = expr {
            return ControlFlow::Break(());
        }
        is_aggregated |= matches!(expr, Expr::Function(call) if is_aggregate(call));
        ControlFlow::Continue(())
    });
    is_aggregated && walked.is_continue()
}

pub(super) fn name_before(name: &Ident, seconds: u32) -> Ident {
    Ident::with_quote('"', before(&name.value, seconds))
}

/// Gives the SELECT in FROM a name, if it has none.
pub(super) fn name_now(table: &mut TableFactor) {
    if let TableFactor::Derived { alias: given, .. } = table {
        given.get_or_insert_with(|| alias("now", Vec::new()));
    }
}

fn alias(name: &str, columns: Vec<TableAliasColumnDef>) -> TableAlias {
    TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns,
        at: None,
    }
}

/// What the log of so many seconds before is called.
pub(in crate::logstore::query) fn log_before(seconds: u32) -> String {
    before(LOG, seconds)
}

fn before(name: &str, seconds: u32) -> String {
    format!("{name} {seconds} s before")
}

/// Functions of all rows, by the names the engine has for them.
const AGGREGATES: [&str; 18] = [
    "approx_distinct",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "avg",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "first_value",
    "last_value",
    "max",
    "min",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "sum",
    "var_pop",
    "var_samp",
];
