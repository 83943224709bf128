//! Batches of flows made by hand, and what their logs must say.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::DictionaryArray;
use arrow_array::Float64Array;
use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt8Array;
use arrow_array::UInt16Array;
use arrow_array::UInt32Array;
use arrow_array::UInt64Array;
use arrow_array::builder::BinaryBuilder;
use arrow_array::builder::MapBuilder;
use arrow_array::builder::MapFieldNames;
use arrow_array::builder::StringBuilder;
use arrow_array::types::Int32Type;
use arrow_schema::Schema;

use crate::element;
use crate::flow;

/// A row's elements by name.
pub(super) type Elements = Vec<(String, Option<Vec<u8>>)>;

/// Values of a column.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Time(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    U8(Vec<Option<u8>>),
    U16(Vec<Option<u16>>),
    U32(Vec<Option<u32>>),
    U64(Vec<Option<u64>>),
    Factor(Vec<Option<f64>>),
    Map(Vec<Option<Elements>>),
}

/// Columns by name.
pub(super) type Columns = Vec<(&'static str, Data)>;

/// The columns as a batch of the schema.
pub(super) fn batch(columns: &Columns, rows: usize) -> RecordBatch {
    let field = |name: &str| flow::schema().field_with_name(name).unwrap().clone();
    let fields: Vec<_> = columns.iter().map(|(name, _)| field(name)).collect();
    let arrays = columns.iter().map(|(_, data)| data.array()).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap()
}

/// So many flows, each different, of a few columns.
pub(super) fn flows(rows: u32) -> RecordBatch {
    let numbers = 0..rows;
    let address = |n: u32| Some(format!("10.0.{}.{}", n % 3, n % 200));
    let columns = vec![
        (
            "end",
            Data::Time(numbers.clone().map(|n| Some(i64::from(n))).collect()),
        ),
        (
            "srcaddr",
            Data::Text(numbers.clone().map(address).collect()),
        ),
        (
            "bytes",
            Data::U64(numbers.map(|n| Some(u64::from(n) * 7919)).collect()),
        ),
    ];
    batch(&columns, usize::try_from(rows).unwrap())
}

impl Data {
    fn array(&self) -> ArrayRef {
        match self.clone() {
            Self::Time(values) => {
                Arc::new(TimestampMillisecondArray::from(values).with_timezone("UTC"))
            }
            Self::Text(values) => {
                let values = values.iter().map(Option::as_deref);
                Arc::new(values.collect::<DictionaryArray<Int32Type>>())
            }
            Self::U8(values) => Arc::new(UInt8Array::from(values)),
            Self::U16(values) => Arc::new(UInt16Array::from(values)),
            Self::U32(values) => Arc::new(UInt32Array::from(values)),
            Self::U64(values) => Arc::new(UInt64Array::from(values)),
            Self::Factor(values) => Arc::new(Float64Array::from(values)),
            Self::Map(rows) => map(&rows),
        }
    }

    /// What the logs say of a row, found without Arrow.
    pub(super) fn contents(&self, name: &str, row: usize) -> Vec<(String, Vec<u8>)> {
        let text = match self {
            Self::Time(values) => values[row].map(|ms| seconds(name, ms)),
            Self::Text(values) => values[row].clone(),
            Self::U8(values) => values[row].map(|value| value.to_string()),
            Self::U16(values) => values[row].map(|value| value.to_string()),
            Self::U32(values) => values[row].map(|value| value.to_string()),
            Self::U64(values) => values[row].map(|value| value.to_string()),
            Self::Factor(values) => values[row]
                .filter(|value| value.is_finite())
                .map(|value| value.to_string()),
            Self::Map(rows) => {
                let elements = rows[row].iter().flatten();
                return elements
                    .filter_map(|(key, octets)| Some((key.clone(), element(key, octets.as_ref()?))))
                    .collect();
            }
        };
        let text = text.map(|text| (name.to_owned(), text.into_bytes()));
        text.into_iter().collect()
    }
}

fn map(rows: &[Option<Elements>]) -> ArrayRef {
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "keys".to_owned(),
        value: "values".to_owned(),
    };
    let (keys, values) = (StringBuilder::new(), BinaryBuilder::new());
    let mut map = MapBuilder::new(Some(names), keys, values);
    for row in rows {
        for (key, octets) in row.iter().flatten() {
            map.keys().append_value(key);
            map.values().append_option(octets.as_ref());
        }
        map.append(row.is_some()).unwrap();
    }
    Arc::new(map.finish())
}

/// Seconds in arithmetic of 128 bits.
fn seconds(name: &str, ms: i64) -> String {
    let ms = i128::from(ms);
    let floor = (ms - ms.rem_euclid(1000)) / 1000;
    let has_rest = floor * 1000 != ms;
    (floor + i128::from(name == "end" && has_rest)).to_string()
}

fn element(key: &str, octets: &[u8]) -> Vec<u8> {
    let name = key.split('#').next().unwrap();
    let kind = element::by_name(name).map(|element| element.data_type);
    if kind == Some(element::DataType::String) {
        return String::from_utf8_lossy(octets).into_owned().into_bytes();
    }
    let mut text = "0x".to_owned();
    for octet in octets {
        write!(text, "{octet:02x}").unwrap();
    }
    text.into_bytes()
}
