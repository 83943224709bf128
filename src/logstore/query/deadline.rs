//! Places in a plan where a query that has run out of time can be ended.
//!
//! The engine ends a query only when one of its operators hands control back.
//! A join may compute for minutes before it does: it is made to hand back
//! after a few batches of output, and to look at the clock with every batch of
//! pairs it filters.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::FieldRef;
use arrow_schema::Schema;
use datafusion::common::DataFusionError;
use datafusion::common::exec_err;
use datafusion::common::tree_node::Transformed;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::CrossJoinExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::joins::NestedLoopJoinExecBuilder;
use datafusion::physical_plan::joins::SortMergeJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;

/// `plan`, with all its joins heeding `deadline`.
pub(super) fn heed(
    plan: Arc<dyn ExecutionPlan>,
    deadline: Instant,
) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let heeding = plan.transform_up(|node| {
        let Some(join) = join(&node, deadline)? else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as _))
    })?;
    Ok(heeding.data)
}

/// The join that `node` is, its filter looking at the clock.
fn join(
    node: &Arc<dyn ExecutionPlan>,
    deadline: Instant,
) -> Result<Option<Arc<dyn ExecutionPlan>>, DataFusionError> {
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        let filter = join.filter().map(|filter| timed(filter, deadline));
        let join = NestedLoopJoinExecBuilder::from(join).with_filter(filter);
        return Ok(Some(Arc::new(join.build()?)));
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let filter = join.filter().map(|filter| timed(filter, deadline));
        return Ok(Some(join.builder().with_filter(filter).build_exec()?));
    }
    let other = node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>();
    Ok(other.then(|| Arc::clone(node)))
}

fn timed(filter: &JoinFilter, deadline: Instant) -> JoinFilter {
    let condition = Timed {
        condition: Arc::clone(filter.expression()),
        deadline,
    };
    JoinFilter::new(
        Arc::new(condition),
        filter.column_indices().to_vec(),
        Arc::clone(filter.schema()),
    )
}

/// A condition that fails once its time is over.
#[derive(Debug, Eq)]
struct Timed {
    condition: Arc<dyn PhysicalExpr>,
    deadline: Instant,
}

impl PhysicalExpr for Timed {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue, DataFusionError> {
        if Instant::now() >= self.deadline {
            return exec_err!("the time is over");
        }
        self.condition.evaluate(batch)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef, DataFusionError> {
        self.condition.return_field(schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>, DataFusionError> {
        let deadline = self.deadline;
        match children.pop() {
            Some(condition) => Ok(Arc::new(Self {
                condition,
                deadline,
            })),
            None => Ok(self),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.deadline == other.deadline && self.condition.eq(&other.condition)
    }
}

impl std::hash::Hash for Timed {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
        self.deadline.hash(state);
    }
}
