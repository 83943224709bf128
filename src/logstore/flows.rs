//! Columns that flows bring.

use arrow_schema::DataType;
use arrow_schema::FieldRef;
use arrow_schema::TimeUnit;

use crate::flow;

/// Flow start, milliseconds since 1970.
pub(super) const START: &str = "start";

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
