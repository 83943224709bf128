//! Columns that flows bring, and batches of them on their way in.

use std::net::IpAddr;

use arrow_array::BooleanArray;
use arrow_array::RecordBatch;
use arrow_schema::DataType;
use arrow_schema::FieldRef;
use arrow_schema::TimeUnit;
use datafusion::arrow::compute::filter_record_batch;

use super::AppendError;
use super::LogStore;
use super::amount::amount_of;
use super::amount::amounts_by_exporter;
use crate::flow;
use crate::flow::Amount;
use crate::flow::FlowBatch;
use crate::flowlog::Route;
use crate::flowlog::RouteId;
use crate::flowlog::RoutingTable;

/// Flow end, milliseconds since 1970.
pub(super) const END: &str = "end";

/// Elements without a column, and fields of logs that fit none.
pub(super) const REST: &str = "rest";

/// Columns of flows, in order.
pub(super) fn flow_fields() -> &'static [FieldRef] {
    flow::schema().fields()
}

pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// What of a batch was not taken, and the first reason why.
#[derive(Debug)]
pub struct Refused {
    /// What the rows stand for.
    pub amount: Amount,
    /// Whose they are; an exporter may be there more than once.
    pub exporters: Vec<(IpAddr, Amount)>,
    /// Why.
    pub error: AppendError,
}

/// Rows of one batch that go to the same place.
struct Share<'a> {
    /// Project and logstore; none if the route leads nowhere any more.
    place: Option<(&'a str, &'a str)>,
    routes: Vec<u16>,
}

impl LogStore {
    /// Takes a lane's batch: each row into the logstore of its route, the
    /// route's names in its columns, numbered after the rows it has. The rows
    /// can be queried when this returns.
    ///
    /// # Errors
    /// What was not taken; other logstores' rows have been.
    pub fn append(
        &self,
        batch: FlowBatch,
        table: &RoutingTable,
        arrival_ms: u64,
    ) -> Result<(), Refused> {
        let amount = batch.amount();
        let routes = batch.routes().to_vec();
        let shares = shares(&routes, table);
        let exporters = batch.exporters().to_vec();
        let rows = batch.into_arrow(table).map_err(|error| Refused {
            amount,
            exporters,
            error: AppendError::Schema(error.into()),
        })?;
        let mut taken = Ok(());
        for share in shares {
            let rows = share.of(&rows, &routes);
            let appended = match share.place {
                Some((project, logstore)) => {
                    let appended = self.append_from(project, logstore, &rows, None, arrival_ms);
                    appended.map(drop)
                }
                None => Err(self.refuse_unrouted(&rows)),
            };
            if let Err(error) = appended {
                taken = Err(add(taken, &rows, error));
            }
        }
        taken
    }

    fn refuse_unrouted(&self, rows: &RecordBatch) -> AppendError {
        let amount = amount_of(rows);
        self.ledger.count(|stats| stats.refused_unrouted += amount);
        AppendError::Unrouted
    }
}

/// Adds a refusal to those before it; the first reason stays.
fn add(taken: Result<(), Refused>, rows: &RecordBatch, error: AppendError) -> Refused {
    let amount = amount_of(rows);
    let mut exporters = amounts_by_exporter(rows);
    match taken {
        Ok(()) => Refused {
            amount,
            exporters,
            error,
        },
        Err(mut first) => {
            first.amount += amount;
            first.exporters.append(&mut exporters);
            first
        }
    }
}

/// The places that the routes of a batch lead to; few, so a list will do.
fn shares<'a>(routes: &[u16], table: &'a RoutingTable) -> Vec<Share<'a>> {
    let mut distinct = routes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut shares: Vec<Share<'a>> = Vec::new();
    for route in distinct {
        let place = table.route(RouteId(route)).map(place);
        match shares.iter_mut().find(|share| share.place == place) {
            Some(share) => share.routes.push(route),
            None => shares.push(Share {
                place,
                routes: vec![route],
            }),
        }
    }
    shares
}

/// Where the rows of a route are kept. A flow log that only re-exports names
/// no logstore, but what it exported can be asked for all the same.
fn place(route: &Route) -> (&str, &str) {
    let log = &route.flow_log;
    match log.project.is_empty() || log.logstore.is_empty() {
        true => (UNNAMED_PROJECT, UNNAMED_LOGSTORE),
        false => (&log.project, &log.logstore),
    }
}

impl Share<'_> {
    /// The rows whose route is one of these.
    fn of(&self, rows: &RecordBatch, routes: &[u16]) -> RecordBatch {
        let is_ours: BooleanArray = routes
            .iter()
            .map(|route| Some(self.routes.contains(route)))
            .collect();
        if is_ours.true_count() == rows.num_rows() {
            return rows.clone();
        }
        // The mask has a value per row, which is all that can be wrong with it.
        filter_record_batch(rows, &is_ours).unwrap_or_else(|_| rows.slice(0, 0))
    }
}

/// What a route's rows say of where they come from.
impl flow::RouteNames for RoutingTable {
    fn names(&self, route: u16) -> flow::Names<'_> {
        let route: Option<&Route> = self.route(RouteId(route));
        route.map_or_else(flow::Names::default, |route| flow::Names {
            flow_log: &route.flow_log.name,
            instance_id: route.instance_id.as_deref(),
            snid: route.snid.as_deref(),
            ali_uid: route.ali_uid.as_deref(),
        })
    }
}

/// Project of flows whose flow log names none.
const UNNAMED_PROJECT: &str = "flowlogd";
/// Logstore of flows whose flow log names none.
const UNNAMED_LOGSTORE: &str = "netflow";
