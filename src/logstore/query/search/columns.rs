//! Fields of logs as expressions over the columns of a logstore.

use std::sync::Arc;

use arrow_schema::DataType;
use arrow_schema::TimeUnit;
use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::cast;
use datafusion::logical_expr::lit;
use datafusion::logical_expr::try_cast;
use datafusion::logical_expr::when;

use super::ast::TAG;
use super::index::FieldKind;
use crate::flow::COLUMNS;
use crate::flow::Kind;
use crate::logstore::flows::END;
use crate::logstore::flows::REST;
use crate::logstore::numbering::FLOW_ID;
use crate::logstore::numbering::Numbering;
use crate::logstore::query::element;
use crate::logstore::query::flow_id;
use crate::logstore::schema::RECEIVE_TIME;
use crate::logstore::schema::RECORDS;
use crate::logstore::schema::SEQ;
use crate::logstore::schema::SOURCE;
use crate::logstore::schema::TAGS;
use crate::logstore::schema::TIME;
use crate::logstore::schema::TIME_NS_PART;
use crate::logstore::schema::TOPIC;

/// What must be known of a logstore to find the fields of its rows.
#[derive(Clone, Debug, Default)]
pub(in crate::logstore::query) struct Contents {
    /// Not all rows are flows. Of flows alone, a field with a column is nowhere
    /// else, and statistics of the column leave out what a search cannot find;
    /// of logs, what a column does not fit is in `rest`.
    pub(in crate::logstore::query) has_logs: bool,
    /// Which journals numbered the rows.
    pub(in crate::logstore::query) numbering: Arc<Numbering>,
}

impl Contents {
    /// The id of a flow that brought none.
    pub(super) fn flow_id(&self) -> Expr {
        let own = entry(REST, FLOW_ID);
        let numbering = Arc::clone(&self.numbering);
        flow_id::flow_id(numbering, column(SEQ), column(RECORDS), own)
    }

    /// Where the value of a field may be; the first that is not null is it.
    pub(super) fn places(&self, field: &str) -> Vec<Expr> {
        if let Some(tag) = field.strip_prefix(TAG) {
            let own = (tag == RECEIVE_TIME).then(|| column(RECEIVE_TIME));
            let tag = entry(TAGS, tag);
            return own.into_iter().chain([tag, entry(REST, field)]).collect();
        }
        if [TIME, TIME_NS_PART, TOPIC, SOURCE].contains(&field) {
            return vec![column(field)];
        }
        if field == FLOW_ID {
            return vec![self.flow_id(), entry(REST, field)];
        }
        let has_column =
            |other: &crate::flow::Column| other.name == field && other.kind != Kind::Map;
        match (COLUMNS.iter().any(has_column), self.has_logs) {
            (false, _) => vec![entry(REST, field)],
            (true, false) => vec![shown(field)],
            (true, true) => vec![shown(field), entry(REST, field)],
        }
    }

    /// The value as what the index says it is; null where it is not.
    pub(super) fn typed(&self, field: &str, kind: &FieldKind) -> Expr {
        let places = self.places(field).into_iter().rev();
        let mut places = places.map(|place| match kind {
            FieldKind::Text(_) => cast(place, DataType::Utf8View),
            FieldKind::Long => try_cast(place, DataType::Int64),
            FieldKind::Double => try_cast(place, DataType::Float64),
        });
        let last = places.next().unwrap_or_else(|| lit(""));
        places.fold(last, |others, place| {
            let otherwise = when(place.clone().is_not_null(), place.clone()).otherwise(others);
            otherwise.unwrap_or(place)
        })
    }

    /// Whether a row has the field.
    pub(super) fn exists(&self, field: &str) -> Expr {
        let places = self.places(field).into_iter();
        let exists = places.map(Expr::is_not_null);
        exists.reduce(Expr::or).unwrap_or_else(|| lit(false))
    }
}

/// A column of the table, by exactly this name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// A column that is no map, as SLS has it: times in whole seconds.
pub(super) fn shown(name: &str) -> Expr {
    let is_time = |other: &&crate::flow::Column| other.name == name && other.kind == Kind::Time;
    match COLUMNS.iter().find(is_time) {
        Some(_) => seconds(name),
        None => column(name),
    }
}

/// Whole seconds since 1970: a start rounded down, an end up.
fn seconds(field: &str) -> Expr {
    let kind = DataType::Timestamp(TimeUnit::Millisecond, None);
    let ms = cast(cast(column(field), kind), DataType::Int64);
    let up = if field == END { 999_i64 } else { 0 };
    (ms + lit(up)) / lit(1000_i64)
}

/// What a column that is a map has under `name`.
fn entry(map: &str, name: &str) -> Expr {
    let element: ScalarUDF = element::function();
    element.call(vec![column(map), lit(name)])
}
