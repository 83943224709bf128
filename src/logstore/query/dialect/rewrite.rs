//! A question of the dialect, made one of the engine.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::AccessExpr;
use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::FunctionArguments;
use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::ast::LimitClause;
use datafusion::sql::sqlparser::ast::ObjectName;
use datafusion::sql::sqlparser::ast::Offset;
use datafusion::sql::sqlparser::ast::OffsetRows;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Select;
use datafusion::sql::sqlparser::ast::SelectItem;
use datafusion::sql::sqlparser::ast::Spanned;
use datafusion::sql::sqlparser::ast::Subscript;
use datafusion::sql::sqlparser::ast::TableFactor;
use datafusion::sql::sqlparser::ast::TableWithJoins;
use datafusion::sql::sqlparser::ast::Value;
use datafusion::sql::sqlparser::ast::VisitMut;
use datafusion::sql::sqlparser::ast::VisitorMut;
use datafusion::sql::sqlparser::ast::visit_expressions_mut;
use datafusion::sql::sqlparser::tokenizer::Span;

use super::functions;
use super::lists;
use super::names::Names;
use super::padding;
use super::padding::Padding;
use crate::logstore::query::search::IndexConfig;

/// What is wrong, and where in the SQL, both from 1.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            line: span.start.line,
            column: span.start.column,
            message: message.into(),
        }
    }
}

/// Rewrites `query` where it stands; what its time series are filled up with.
pub(super) fn rewrite(query: &mut SqlQuery, index: &IndexConfig) -> Result<Option<Padding>, Fault> {
    limit(query)?;
    free_names(query);
    let padding = padding::of(query)?;
    let mut rewriter = Rewriter {
        names: Names::new(query, index),
    };
    match query.visit(&mut rewriter) {
        ControlFlow::Continue(()) => Ok(padding),
        ControlFlow::Break(fault) => Err(fault),
    }
}

/// Makes names of what the parser takes for calls of functions that have no
/// parentheses: other dialects' functions, here fields like any other.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only one kind of expression is mistaken"
)]
fn free_names(query: &mut SqlQuery) {
    // It is never broken off.
    let _ = visit_expressions_mut(query, |expr| {
        let name = match expr {
            Expr::Function(call) if matches!(call.args, FunctionArguments::None) => call
                .name
                .0
                .first()
                .and_then(|part| part.as_ident())
                .cloned(),
            _ => None,
        };
        let is_free = |name: &Ident| {
            NAMES
                .iter()
                .any(|free| name.value.eq_ignore_ascii_case(free))
        };
        if let Some(name) = name.filter(is_free) {
            *expr = Expr::Identifier(name);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// Sets the limit that a question without one has, and writes `LIMIT a, b` as
/// the engine does.
fn limit(query: &mut SqlQuery) -> Result<(), Fault> {
    let span = query.span();
    let (offset, limit) = match query.limit_clause.take() {
        None => (None, None),
        Some(LimitClause::LimitOffset {
            limit,
            offset: None,
            limit_by,
        }) if limit_by.is_empty() => (None, limit),
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(offset), Some(limit)),
        Some(LimitClause::LimitOffset { .. }) => {
            return Err(Fault::new(
                span,
                "write LIMIT 100, 50 for 50 rows after the first 100",
            ));
        }
    };
    let limit = match limit {
        None => number(ROWS_USUAL),
        Some(limit) => {
            let rows = whole(&limit).filter(|rows| *rows <= ROWS_MAX);
            let message = || format!("LIMIT takes a number up to {ROWS_MAX}");
            rows.ok_or_else(|| Fault::new(limit.span(), message()))?;
            limit
        }
    };
    let offset = offset.map(|value| Offset {
        value,
        rows: OffsetRows::None,
    });
    if let Some(fetch) = &query.fetch {
        return Err(Fault::new(
            span,
            format!("{fetch} is not there: write LIMIT"),
        ));
    }
    query.limit_clause = Some(LimitClause::LimitOffset {
        limit: Some(limit),
        offset,
        limit_by: Vec::new(),
    });
    Ok(())
}

/// The limit of a question that has been rewritten.
pub(super) fn rows_max(query: &SqlQuery) -> u64 {
    let limit = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => limit.as_ref().and_then(whole),
        Some(LimitClause::OffsetCommaLimit { .. }) | None => None,
    };
    limit.unwrap_or(0)
}

struct Rewriter {
    names: Names,
}

impl VisitorMut for Rewriter {
    type Break = Fault;

    fn pre_visit_query(&mut self, query: &mut SqlQuery) -> ControlFlow<Fault> {
        for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            self.names.spell_alias(&mut table.alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Fault> {
        if select.from.is_empty() {
            select.from.push(log());
        }
        for (column, item) in select.projection.iter_mut().enumerate() {
            name(column, item);
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.names.spell(alias);
            }
        }
        let refused = [
            ("INTO", select.into.is_some()),
            ("TOP", select.top.is_some()),
            ("QUALIFY", select.qualify.is_some()),
            ("LATERAL VIEW", !select.lateral_views.is_empty()),
            ("PREWHERE", select.prewhere.is_some()),
            ("CONNECT BY", !select.connect_by.is_empty()),
        ];
        match refused.iter().find(|(_, is_there)| *is_there) {
            Some((what, _)) => {
                let message = format!("{what} is not part of SLS's SQL");
                ControlFlow::Break(Fault::new(select.span(), message))
            }
            None => ControlFlow::Continue(()),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not named is refused, also what a later parser learns"
    )]
    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<Fault> {
        let span = table.span();
        match table {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                if let Some(alias) = alias {
                    self.names.spell_alias(alias);
                }
                self.table(name, span)
            }
            TableFactor::Derived {
                alias,
                lateral: false,
                ..
            } => {
                if let Some(alias) = alias {
                    self.names.spell_alias(alias);
                }
                ControlFlow::Continue(())
            }
            TableFactor::NestedJoin { .. } => ControlFlow::Continue(()),
            other => {
                let message = format!("{other} is not part of SLS's SQL: write FROM log");
                ControlFlow::Break(Fault::new(span, message))
            }
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Fault> {
        match is_known(expr) {
            true => ControlFlow::Continue(()),
            false => {
                let message = format!("{expr} is not part of SLS's SQL");
                ControlFlow::Break(Fault::new(expr.span(), message))
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other kinds of expression stay as they are"
    )]
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Fault> {
        match expr {
            Expr::Identifier(name) => self.names.spell(name),
            Expr::CompoundIdentifier(names) => {
                for name in names {
                    self.names.spell(name);
                }
            }
            Expr::Function(call) => match functions::translate(call) {
                Ok(Some(other)) => *expr = other,
                Ok(None) => {}
                Err(fault) => return ControlFlow::Break(fault),
            },
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Some(arguments) = subscript(root, access_chain) {
                    *expr = functions::call(lists::SUBSCRIPT, arguments.into());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter {
    fn table(&self, name: &mut ObjectName, span: Span) -> ControlFlow<Fault> {
        let only = match name.0.as_mut_slice() {
            [only] => only.as_ident().cloned(),
            _ => None,
        };
        match only {
            Some(mut only) if self.names.is_defined(&only.value) => {
                self.names.spell(&mut only);
                *name = ObjectName::from(vec![only]);
            }
            Some(only) if only.value.eq_ignore_ascii_case(LOG) => *name = log_name(),
            Some(_) | None => {
                let message = format!("there is no table {name}: write FROM log, or nothing");
                return ControlFlow::Break(Fault::new(span, message));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Expressions that Presto has and the engine understands alike, and places in
/// lists.
fn is_known(expr: &Expr) -> bool {
    if let Expr::CompoundFieldAccess { root, access_chain } = expr {
        return subscript(root, access_chain).is_some();
    }
    matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsDistinctFrom(_, _)
            | Expr::IsNotDistinctFrom(_, _)
            | Expr::InList { .. }
            | Expr::InSubquery { .. }
            | Expr::Between { .. }
            | Expr::BinaryOp { .. }
            | Expr::Like { .. }
            | Expr::UnaryOp { .. }
            | Expr::Cast { .. }
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Nested(_)
            | Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Function(_)
            | Expr::Case { .. }
            | Expr::Exists { .. }
            | Expr::Subquery(_)
            | Expr::Interval(_)
    )
}

/// The list and the place of `list[1]`, or of `table.list[1]`.
fn subscript(root: &Expr, chain: &[AccessExpr]) -> Option<[Expr; 2]> {
    match (root, chain) {
        (list, [AccessExpr::Subscript(Subscript::Index { index })]) => {
            Some([list.clone(), index.clone()])
        }
        (
            Expr::Identifier(table),
            [
                AccessExpr::Dot(Expr::Identifier(list)),
                AccessExpr::Subscript(Subscript::Index { index }),
            ],
        ) => {
            let list = Expr::CompoundIdentifier(vec![table.clone(), list.clone()]);
            Some([list, index.clone()])
        }
        _ => None,
    }
}

/// What a whole number says.
pub(super) fn whole(expr: &Expr) -> Option<u64> {
    let Expr::Value(value) = expr else {
        return None;
    };
    let Value::Number(digits, _) = &value.value else {
        return None;
    };
    digits.parse().ok()
}

/// What a text in single quotes says.
pub(super) fn text(expr: &Expr) -> Option<&str> {
    let Expr::Value(value) = expr else {
        return None;
    };
    let Value::SingleQuotedString(text) = &value.value else {
        return None;
    };
    Some(text)
}

pub(super) fn number(number: u64) -> Expr {
    Expr::Value(Value::Number(number.to_string(), false).into())
}

fn log() -> TableWithJoins {
    TableWithJoins {
        relation: TableFactor::Table {
            name: log_name(),
            alias: None,
            args: None,
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        },
        joins: Vec::new(),
    }
}

fn log_name() -> ObjectName {
    ObjectName::from(vec![Ident::with_quote('"', LOG)])
}

/// Names a column that the question leaves nameless, as Presto does.
fn name(column: usize, item: &mut SelectItem) {
    let SelectItem::UnnamedExpr(expr) = item else {
        return;
    };
    if !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
        *item = SelectItem::ExprWithAlias {
            expr: expr.clone(),
            alias: Ident::with_quote('"', format!("_col{column}")),
        };
    }
}

/// Functions of others that Presto does not have.
const NAMES: [&str; 2] = ["user", "session_user"];
/// The one table of the dialect.
pub(in crate::logstore::query) const LOG: &str = "log";
/// Rows of an answer whose question says nothing of it.
const ROWS_USUAL: u64 = 100;
/// The most rows a question may ask for.
const ROWS_MAX: u64 = 1_000_000;
