//! Fields of logs as expressions over the columns of a logstore.

use arrow_schema::DataType;
use arrow_schema::TimeUnit;
use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::cast;
use datafusion::logical_expr::lit;
use datafusion::logical_expr::try_cast;

use super::index::FieldKind;
use crate::logstore::flows::END;
use crate::logstore::query::element;
use crate::logstore::schema;

/// A column of the table, by exactly this name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}

/// The value of a field as SLS has it: times in whole seconds, what has no
/// column from the map.
pub(super) fn raw(field: &str) -> Expr {
    let table = schema::table_schema();
    match table.field_with_name(field).map(|field| field.data_type()) {
        Ok(DataType::Timestamp(_, _)) => seconds(field),
        Ok(DataType::Map(_, _)) | Err(_) => from_rest(field),
        Ok(_) => column(field),
    }
}

/// The same as what the index says it is; null where it is not.
pub(super) fn typed(field: &str, kind: &FieldKind) -> Expr {
    let value = raw(field);
    match kind {
        FieldKind::Text(_) => cast(value, DataType::Utf8View),
        FieldKind::Long => try_cast(value, DataType::Int64),
        FieldKind::Double => try_cast(value, DataType::Float64),
    }
}

/// Whole seconds since 1970: a start rounded down, an end up.
fn seconds(field: &str) -> Expr {
    let kind = DataType::Timestamp(TimeUnit::Millisecond, None);
    let ms = cast(cast(column(field), kind), DataType::Int64);
    let up = if field == END { 999_i64 } else { 0 };
    (ms + lit(up)) / lit(1000_i64)
}

fn from_rest(name: &str) -> Expr {
    let element: ScalarUDF = element::function();
    element.call(vec![column(REST), lit(name)])
}

/// Elements that have no column.
pub(super) const REST: &str = "rest";
