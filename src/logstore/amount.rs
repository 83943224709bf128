//! What rows stand for in the loss ledger.

use std::net::IpAddr;

use arrow_array::Array;
use arrow_array::RecordBatch;
use arrow_array::UInt64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::types::UInt64Type;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::sum;

use crate::flow::Amount;

/// Sums of the columns `records`, `bytes` and `packets`; a row without
/// `records` stands for none.
pub fn amount_of(rows: &RecordBatch) -> Amount {
    let total = |name: &str| sum(&numbers(rows, name)?);
    Amount {
        records: total("records").unwrap_or(0),
        octets: total("bytes").unwrap_or(0),
        packets: total("packets").unwrap_or(0),
    }
}

/// The same for each exporter, as far as the rows name one.
pub fn amounts_by_exporter(rows: &RecordBatch) -> Vec<(IpAddr, Amount)> {
    let senders = rows.column_by_name("exporter");
    let Some(senders) = senders.and_then(|column| column.as_dictionary_opt::<Int32Type>()) else {
        return Vec::new();
    };
    let columns = ["records", "bytes", "packets"].map(|name| numbers(rows, name));
    let value = |column: &Option<UInt64Array>, row: usize| {
        let column = column.as_ref().filter(|column| column.is_valid(row));
        column.map_or(0, |column| column.value(row))
    };
    let mut amounts = vec![Amount::default(); senders.values().len()];
    for row in 0..rows.num_rows() {
        let sender = senders.key(row).and_then(|key| amounts.get_mut(key));
        if let (Some(amount), [records, octets, packets]) = (sender, &columns) {
            *amount += Amount {
                records: value(records, row),
                octets: value(octets, row),
                packets: value(packets, row),
            };
        }
    }
    let names = senders.values().as_string_opt::<i32>();
    let names = names.into_iter().flatten();
    let named = names.zip(amounts).filter_map(|(name, amount)| {
        let exporter = name?.parse().ok()?;
        (amount != Amount::default()).then_some((exporter, amount))
    });
    named.collect()
}

fn numbers(rows: &RecordBatch, name: &str) -> Option<UInt64Array> {
    let column = cast(rows.column_by_name(name)?, &DataType::UInt64).ok()?;
    column.as_primitive_opt::<UInt64Type>().cloned()
}
