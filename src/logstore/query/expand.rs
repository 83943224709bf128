//! What a question grows to when its WITH names and grouping sets are written
//! out, told from its text.
//!
//! The planner writes them out before anybody can weigh its plan or stop it: a
//! name that stands twice in the next, thirty times over, would keep it busy
//! for longer than the machine lasts.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::GroupByExpr;
use datafusion::sql::sqlparser::ast::ObjectName;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Select;
use datafusion::sql::sqlparser::ast::Visit;
use datafusion::sql::sqlparser::ast::Visitor;

use super::QueryError;
use super::QueryErrorKind;

/// Refuses a question that grows too much before it is planned.
pub(super) fn expand(query: &SqlQuery) -> Result<(), QueryError> {
    let mut expansion = Expansion::default();
    // It is never broken off.
    let _ = query.visit(&mut expansion);
    if expansion.tables > TABLES_MAX {
        return Err(too_complex(format!(
            "it reads more than {TABLES_MAX} tables, with everything that WITH repeats"
        )));
    }
    if expansion.grouping_sets > GROUPING_SETS_MAX {
        return Err(too_complex(format!(
            "it groups in more than {GROUPING_SETS_MAX} ways at once"
        )));
    }
    Ok(())
}

fn too_complex(what: String) -> QueryError {
    QueryError::new(QueryErrorKind::TooComplex, format!("too complex: {what}"))
}

/// Counts tables as the planner will read them, each definition once: inner
/// questions come to an end before what stands around them.
#[derive(Default)]
struct Expansion {
    /// Questions around the one being read, outermost first.
    frames: Vec<Frame>,
    /// Tables of the whole, when the last frame is gone.
    tables: usize,
    /// The most that one GROUP BY has.
    grouping_sets: usize,
}

/// One question while its parts are read.
struct Frame {
    /// What its WITH defines. A visitor comes to these first, in order.
    names: Vec<String>,
    /// Tables of the definitions read so far.
    defined: Vec<usize>,
    /// Tables of everything else in it.
    tables: usize,
}

impl Visitor for Expansion {
    type Break = ();

    fn pre_visit_query(&mut self, query: &SqlQuery) -> ControlFlow<()> {
        let definitions = query.with.iter().flat_map(|with| &with.cte_tables);
        self.frames.push(Frame {
            names: definitions
                .map(|cte| cte.alias.name.value.clone())
                .collect(),
            defined: Vec::new(),
            tables: 0,
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &SqlQuery) -> ControlFlow<()> {
        let tables = self.frames.pop().map_or(0, |frame| frame.tables);
        match self.frames.last_mut() {
            Some(around) if around.defined.len() < around.names.len() => {
                around.defined.push(tables);
            }
            Some(around) => around.tables = around.tables.saturating_add(tables),
            None => self.tables = tables,
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let tables = self.tables_of(relation);
        if let Some(frame) = self.frames.last_mut() {
            frame.tables = frame.tables.saturating_add(tables);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.grouping_sets = self.grouping_sets.max(grouping_sets(&select.group_by));
        ControlFlow::Continue(())
    }
}

impl Expansion {
    /// Tables behind a name, at least one. Where it could be one of several
    /// definitions, the largest: shadowing and case only ever make it less.
    fn tables_of(&self, relation: &ObjectName) -> usize {
        let name = relation.0.last().and_then(|part| part.as_ident());
        let same = |other: &str| name.is_some_and(|name| name.value.eq_ignore_ascii_case(other));
        let definitions = self.frames.iter().flat_map(|frame| {
            let defined = frame.names.iter().zip(&frame.defined);
            defined.filter(|(other, _)| same(other))
        });
        definitions
            .map(|(_, tables)| *tables)
            .max()
            .unwrap_or(1)
            .max(1)
    }
}

/// Sets that a GROUP BY means: those of its parts multiply.
fn grouping_sets(group_by: &GroupByExpr) -> usize {
    match group_by {
        GroupByExpr::Expressions(parts, _) => parts.iter().map(sets).fold(1, usize::saturating_mul),
        GroupByExpr::All(_) => 1,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only three kinds of expression mean more than themselves"
)]
fn sets(part: &Expr) -> usize {
    match part {
        Expr::GroupingSets(sets) => sets.len(),
        Expr::Rollup(columns) => columns.len().saturating_add(1),
        Expr::Cube(columns) => u32::try_from(columns.len())
            .ok()
            .and_then(|columns| 2_usize.checked_pow(columns))
            .unwrap_or(usize::MAX),
        _ => 1,
    }
}

/// Tables of one question, written out. `top` reads one.
const TABLES_MAX: usize = 64;
/// Ways to group at once: a CUBE of six columns.
const GROUPING_SETS_MAX: usize = 64;
