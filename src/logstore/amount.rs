//! What rows stand for in the loss ledger.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::sum;

use crate::flow::Amount;

/// Sums of the columns `records`, `bytes` and `packets`; a row without
/// `records` stands for none.
pub(super) fn amount_of(rows: &RecordBatch) -> Amount {
    let total = |name: &str| {
        let column = rows.column_by_name(name)?;
        let column = cast(column, &DataType::UInt64).ok()?;
        sum(column.as_primitive::<UInt64Type>())
    };
    Amount {
        records: total("records").unwrap_or(0),
        octets: total("bytes").unwrap_or(0),
        packets: total("packets").unwrap_or(0),
    }
}
