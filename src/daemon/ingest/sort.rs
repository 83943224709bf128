//! The rows of a batch in the order of their outlets.

use std::cmp::Ordering;
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_array::UInt32Array;
use arrow_schema::ArrowError;
use datafusion::arrow::compute::take_record_batch;

use crate::daemon::ingest::outlet::{Outlet, Policy};
use crate::flow::FlowBatch;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;

/// Rows of which each outlet's are neighbours.
#[derive(Debug)]
pub(super) struct Sorted {
    /// All rows that go somewhere.
    pub rows: RecordBatch,
    /// Whose they are, without a gap.
    pub runs: Vec<(Outlet, Range<usize>)>,
    /// Rows whose route leads nowhere any more.
    pub lost: RecordBatch,
}

/// Sorts a lane's batch, stably, with the routes' names in its columns.
///
/// # Errors
/// More than 2^31 octets of text or extra elements.
pub(super) fn sort(
    batch: FlowBatch,
    table: &RoutingTable,
    policy: &Policy,
) -> Result<Sorted, ArrowError> {
    let routes = batch.routes().to_vec();
    let rows = batch.into_arrow(table)?;
    let mut distinct = routes.clone();
    // Neighbours are mostly alike, and few are left to sort.
    distinct.dedup();
    distinct.sort_unstable();
    distinct.dedup();
    let target = |route: u16| {
        let to = table.route(RouteId(route));
        Target {
            outlet: to.and_then(|to| policy.outlet(to)),
            flow_log: to.map_or("", |to| &to.flow_log.name),
            route,
        }
    };
    let mut targets: Vec<_> = distinct.into_iter().map(target).collect();
    targets.sort_by(Target::compare);
    let rows = match targets.len() {
        0 | 1 => rows,
        _ => take_record_batch(&rows, &order(&routes, &targets))?,
    };
    let (runs, end) = runs(&routes, targets);
    Ok(Sorted {
        lost: rows.slice(end, rows.num_rows() - end),
        rows: rows.slice(0, end),
        runs,
    })
}

/// Where the rows of a route go, and as what.
#[derive(Debug)]
struct Target<'a> {
    outlet: Option<Outlet>,
    flow_log: &'a str,
    route: u16,
}

impl Target<'_> {
    /// By outlet, behind all others those without any; then by flow log, whose
    /// rows are written alike.
    fn compare(&self, other: &Self) -> Ordering {
        fn key<'a>(of: &'a Target<'_>) -> (bool, Option<&'a Outlet>, &'a str) {
            (of.outlet.is_none(), of.outlet.as_ref(), of.flow_log)
        }
        key(self).cmp(&key(other))
    }
}

/// The rows of the first target, of the second, and so on; as they came,
/// whichever of a flow log's routes they took.
fn order(routes: &[u16], targets: &[Target<'_>]) -> UInt32Array {
    let rows_of = |route: u16| {
        let rows = (0_u32..).zip(routes);
        rows.filter_map(move |(row, of)| (*of == route).then_some(row))
    };
    let mut order = Vec::with_capacity(routes.len());
    for same in targets.chunk_by(|left, right| left.compare(right).is_eq()) {
        let start = order.len();
        order.extend(same.iter().flat_map(|target| rows_of(target.route)));
        if let Some(rows) = order.get_mut(start..) {
            rows.sort_unstable();
        }
    }
    UInt32Array::from(order)
}

/// Where each outlet's rows are, and where all of them end.
fn runs(routes: &[u16], targets: Vec<Target<'_>>) -> (Vec<(Outlet, Range<usize>)>, usize) {
    let mut runs: Vec<(Outlet, Range<usize>)> = Vec::new();
    let mut end = 0;
    for target in targets {
        let Some(outlet) = target.outlet else {
            break;
        };
        let start = end;
        end += routes.iter().filter(|of| **of == target.route).count();
        match runs.last_mut() {
            Some((last, rows)) if *last == outlet => rows.end = end,
            Some(_) | None => runs.push((outlet, start..end)),
        }
    }
    (runs, end)
}
