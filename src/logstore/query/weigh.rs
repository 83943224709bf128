//! What a plan would cost to hold and to plan, told before anything walks all
//! of it.
//!
//! Two things grow by doubling, in a question of a few hundred octets, where
//! no limit on its text, its memory or its time sees them: texts that are made
//! of themselves again and again, and a WITH that names another one twice,
//! which names a third one twice, and so on.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::Operator;
use datafusion::logical_expr::Subquery;
use datafusion::logical_expr::expr::ScalarFunction;

use super::QueryError;
use super::QueryErrorKind;

/// Refuses a plan of too many steps, or one that makes texts too long.
pub(super) fn weigh(plan: &LogicalPlan) -> Result<(), QueryError> {
    let mut scales = Scales::default();
    let longest = scales.longest(plan, COLUMN_OCTETS);
    if scales.steps > STEPS_MAX {
        return Err(too_complex(format!(
            "more than {STEPS_MAX} steps, with everything that WITH repeats"
        )));
    }
    if longest > TEXT_OCTETS_MAX {
        return Err(too_complex(format!(
            "it makes texts of more than {TEXT_OCTETS_MAX} octets"
        )));
    }
    Ok(())
}

fn too_complex(what: String) -> QueryError {
    QueryError::new(QueryErrorKind::TooComplex, format!("too complex: {what}"))
}

/// Counts steps, and bounds texts from above: it takes each value of a row for
/// the longest of that row.
#[derive(Default)]
struct Scales {
    steps: usize,
}

impl Scales {
    /// Octets of the longest text in a row of `plan`; `outer` is that of the row
    /// around a correlated subquery.
    fn longest(&mut self, plan: &LogicalPlan, outer: u64) -> u64 {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return u64::MAX;
        }
        let inputs = plan.inputs();
        let below = inputs.into_iter().map(|input| self.longest(input, outer));
        let below = below.max().unwrap_or(COLUMN_OCTETS);
        let made = plan.expressions();
        let made = made.iter().map(|expr| self.text(expr, below, outer));
        made.max().unwrap_or(0).max(below)
    }

    /// Octets of what `expr` makes of a row whose longest text is `row`.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not named makes no text, or passes one on"
    )]
    fn text(&mut self, expr: &Expr, row: u64, outer: u64) -> u64 {
        match expr {
            Expr::Column(_) => row,
            Expr::OuterReferenceColumn(_, _) => outer,
            Expr::Literal(value, _) => literal(value),
            Expr::ScalarSubquery(subquery) => self.subquery(subquery, row, outer),
            Expr::Exists(exists) => self.subquery(&exists.subquery, row, outer),
            Expr::InSubquery(within) => self.subquery(&within.subquery, row, outer),
            Expr::SetComparison(compared) => self.subquery(&compared.subquery, row, outer),
            Expr::BinaryExpr(binary) if binary.op == Operator::StringConcat => {
                sum(&self.parts(expr, row, outer))
            }
            Expr::ScalarFunction(call) => called(call, &self.parts(expr, row, outer)),
            Expr::AggregateFunction(call) if GATHERING.contains(&call.func.name()) => {
                GATHERED_OCTETS.max(longest_of(&self.parts(expr, row, outer)))
            }
            // A text of all rows before, with each row.
            Expr::WindowFunction(call) if GATHERING.contains(&call.fun.name()) => u64::MAX,
            _ => longest_of(&self.parts(expr, row, outer)),
        }
    }

    fn subquery(&mut self, subquery: &Subquery, row: u64, outer: u64) -> u64 {
        self.longest(&subquery.subquery, row.max(outer))
    }

    fn parts(&mut self, expr: &Expr, row: u64, outer: u64) -> Vec<u64> {
        let mut parts = Vec::new();
        let walked = expr.apply_children(|part| {
            parts.push(self.text(part, row, outer));
            Ok(TreeNodeRecursion::Continue)
        });
        if walked.is_err() {
            parts.push(u64::MAX);
        }
        parts
    }
}

/// Octets of what a function makes of its arguments; one that is not named here
/// joins, cuts or rewrites them.
fn called(call: &ScalarFunction, arguments: &[u64]) -> u64 {
    match (call.name(), arguments) {
        // Between all octets, and with what was found put in again.
        ("replace" | "regexp_replace", [text, _, by, ..]) => {
            let each = by.saturating_add(1).saturating_mul(2);
            each.saturating_mul(text.saturating_add(1))
        }
        ("concat_ws", [between, joined @ ..]) => {
            let count = u64::try_from(joined.len()).unwrap_or(u64::MAX);
            sum(joined).saturating_add(between.saturating_mul(count))
        }
        // True or false, and an id that is shorter than a column.
        ("finds" | "flow_id", arguments) => longest_of(arguments),
        _ => sum(arguments),
    }
}

fn literal(value: &ScalarValue) -> u64 {
    let text = value.try_as_str().flatten();
    text.map_or(NUMBER_OCTETS, |text| {
        u64::try_from(text.len()).unwrap_or(u64::MAX)
    })
}

fn sum(parts: &[u64]) -> u64 {
    parts.iter().copied().fold(0, u64::saturating_add)
}

fn longest_of(parts: &[u64]) -> u64 {
    parts.iter().copied().max().unwrap_or(NUMBER_OCTETS)
}

/// Aggregates that make one text or list of many rows.
const GATHERING: [&str; 2] = ["array_agg", "string_agg"];
/// Steps of a plan. `top` takes a dozen.
const STEPS_MAX: usize = 1_000;
/// Octets of a text that a question makes. The engine holds 8192 rows at once,
/// without counting: this many in each are 128 MiB.
const TEXT_OCTETS_MAX: u64 = 16 << 10;
/// What a text column is taken for. Few are longer, and no question made them so.
const COLUMN_OCTETS: u64 = 64;
/// What an aggregate's text is taken for: it is in one row, and may be joined
/// with a few others.
const GATHERED_OCTETS: u64 = TEXT_OCTETS_MAX / 4;
/// A number or a time as text.
const NUMBER_OCTETS: u64 = 32;
