//! Rows in fewer octets, for a frame that is written always and read seldom.
//!
//! A column whose rows are all the same is one run of that value. Whole numbers
//! are written as their distances from the least one, and keys of a dictionary
//! as they are, both in no more octets than the largest takes. What is written
//! are plain Arrow types, which any reader of Arrow can show; [`unpack`] gives
//! back the columns as they were.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::ArrowNativeTypeOp;
use arrow_array::ArrowPrimitiveType;
use arrow_array::DictionaryArray;
use arrow_array::Int32Array;
use arrow_array::PrimitiveArray;
use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_array::RunArray;
use arrow_array::cast::AsArray;
use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::types::Float64Type;
use arrow_array::types::Int32Type;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::types::UInt8Type;
use arrow_array::types::UInt16Type;
use arrow_array::types::UInt32Type;
use arrow_array::types::UInt64Type;
use arrow_buffer::ArrowNativeType;
use arrow_buffer::ScalarBuffer;
use arrow_schema::ArrowError;
use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::Schema;

use crate::flow::schema::Kind;

/// Writes each column in as few octets as its values need.
///
/// # Errors
/// What the library says; none is known.
pub(super) fn pack(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    each_column(
        rows,
        &[
            pack_numbers::<TimestampMillisecondType>,
            pack_numbers::<UInt64Type>,
            pack_numbers::<UInt32Type>,
            pack_numbers::<UInt16Type>,
            pack_equal::<UInt8Type>,
            pack_equal::<Float64Type>,
            pack_texts,
        ],
    )
}

/// The rows as they were before [`pack`]; others are as they are.
///
/// # Errors
/// Columns that it cannot have written, or more than [`ROWS_MAX`] rows.
pub(super) fn unpack(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if rows.num_rows() > ROWS_MAX {
        return Err(unknown("more rows than a frame has"));
    }
    each_column(
        rows,
        &[
            repeat,
            widen::<UInt8Type>,
            widen::<UInt16Type>,
            widen::<UInt32Type>,
            widen_keys::<UInt8Type>,
            widen_keys::<UInt16Type>,
        ],
    )
}

/// Rows of one frame, at most: a run of them is written in a few octets and
/// read into memory.
const ROWS_MAX: usize = 1 << 24;

/// A column in its other form; nothing where it is not of that kind.
type Changed = Result<Option<(Field, ArrayRef)>, ArrowError>;

/// Gives each column the first form that is one for it.
fn each_column(
    rows: &RecordBatch,
    forms: &[fn(&Field, &ArrayRef) -> Changed],
) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema_ref();
    let mut fields = Vec::with_capacity(rows.num_columns());
    let mut arrays = Vec::with_capacity(rows.num_columns());
    for (field, array) in schema.fields().iter().zip(rows.columns()) {
        let changed = forms.iter().find_map(|form| form(field, array).transpose());
        let (field, array) = match changed.transpose()? {
            Some((field, array)) => (Arc::new(field), array),
            None => (Arc::clone(field), Arc::clone(array)),
        };
        fields.push(field);
        arrays.push(array);
    }
    let schema = Schema::new(fields).with_metadata(schema.metadata().clone());
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), arrays, &options)
}

/// Key of the type that a column of distances had, in its field's metadata.
const TYPE_KEY: &str = "flowlogd.packed-from";
/// Key of the least value, as 64 bits in decimal.
const LEAST_KEY: &str = "flowlogd.least";

fn pack_numbers<T: ArrowPrimitiveType>(field: &Field, array: &ArrayRef) -> Changed {
    let Some(array) = array.as_primitive_opt::<T>() else {
        return Ok(None);
    };
    let Some((least, most)) = bounds(array) else {
        return Ok(None);
    };
    let span = most.sub_wrapping(least).as_usize();
    if span == 0 && array.null_count() == 0 {
        return run(field, &array.slice(0, 1), array.len());
    }
    let width = size_of::<T::Native>();
    let packed = if span <= 0xFF && width > 1 {
        distances::<T, UInt8Type>(array, least)
    } else if span <= 0xFFFF && width > 2 {
        distances::<T, UInt16Type>(array, least)
    } else if span <= 0xFFFF_FFFF && width > 4 {
        distances::<T, UInt32Type>(array, least)
    } else {
        return Ok(None);
    };
    let metadata = HashMap::from([
        (TYPE_KEY.to_owned(), field.data_type().to_string()),
        (LEAST_KEY.to_owned(), least.as_usize().to_string()),
    ]);
    let field = retyped(field, &packed).with_metadata(metadata);
    Ok(Some((field, packed)))
}

/// The least and the greatest value; nothing where there is none.
fn bounds<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>) -> Option<(T::Native, T::Native)> {
    let wider = |(least, most): (T::Native, T::Native), value: T::Native| {
        let least = if value.is_lt(least) { value } else { least };
        let most = if value.is_gt(most) { value } else { most };
        (least, most)
    };
    if array.null_count() > 0 {
        let mut values = array.iter().flatten();
        let first = values.next()?;
        return Some(values.fold((first, first), wider));
    }
    let values = array.values();
    let first = *values.first()?;
    Some(values.iter().copied().fold((first, first), wider))
}

/// What stands in a null's place is of no meaning, before and after.
fn distances<T, N>(array: &PrimitiveArray<T>, least: T::Native) -> ArrayRef
where
    T: ArrowPrimitiveType,
    N: ArrowPrimitiveType,
{
    let values = array.values().iter();
    let near: Vec<_> = values
        .map(|value| N::Native::usize_as(value.sub_wrapping(least).as_usize()))
        .collect();
    let nulls = array.nulls().cloned();
    Arc::new(PrimitiveArray::<N>::new(ScalarBuffer::from(near), nulls))
}

/// Of these only equal ones are written otherwise.
fn pack_equal<T: ArrowPrimitiveType>(field: &Field, array: &ArrayRef) -> Changed {
    let Some(array) = array.as_primitive_opt::<T>() else {
        return Ok(None);
    };
    match array.values().first() {
        Some(first)
            if array.null_count() == 0 && array.values().iter().all(|it| it.is_eq(*first)) =>
        {
            run(field, &array.slice(0, 1), array.len())
        }
        Some(_) | None => Ok(None),
    }
}

fn pack_texts(field: &Field, array: &ArrayRef) -> Changed {
    let Some(texts) = array.as_dictionary_opt::<Int32Type>() else {
        return Ok(None);
    };
    let Some((least, most)) = bounds(texts.keys()) else {
        return Ok(None);
    };
    if least == most && texts.null_count() == 0 {
        let value = texts.values().slice(least.as_usize(), 1);
        return run(field, &value, texts.len());
    }
    match most {
        0..=0xFF => rekeyed::<Int32Type, UInt8Type>(field, texts),
        0x100..=0xFFFF => rekeyed::<Int32Type, UInt16Type>(field, texts),
        _ => Ok(None),
    }
}

fn widen_keys<K: ArrowDictionaryKeyType>(field: &Field, array: &ArrayRef) -> Changed {
    let texts = array.as_dictionary_opt::<K>();
    texts.map_or(Ok(None), |texts| rekeyed::<K, Int32Type>(field, texts))
}

/// The same texts under keys of another width.
fn rekeyed<K, L>(field: &Field, texts: &DictionaryArray<K>) -> Changed
where
    K: ArrowDictionaryKeyType,
    L: ArrowDictionaryKeyType,
{
    let keys = texts.keys().values().iter();
    let keys: Vec<_> = keys
        .map(|key| L::Native::usize_as(key.as_usize()))
        .collect();
    let keys = PrimitiveArray::<L>::new(ScalarBuffer::from(keys), texts.nulls().cloned());
    let texts: ArrayRef = Arc::new(DictionaryArray::try_new(keys, Arc::clone(texts.values()))?);
    Ok(Some((retyped(field, &texts), texts)))
}

/// A column of which every row is the one in `value`.
fn run(field: &Field, value: &dyn Array, rows: usize) -> Changed {
    let end = i32::try_from(rows).map_err(|_| unknown("more rows than a frame has"))?;
    let run: ArrayRef = Arc::new(RunArray::try_new(&Int32Array::from(vec![end]), value)?);
    Ok(Some((retyped(field, &run), run)))
}

/// The column that was one run.
fn repeat(field: &Field, array: &ArrayRef) -> Changed {
    let Some(run) = array.as_run_opt::<Int32Type>() else {
        return Ok(None);
    };
    let value = run.values();
    if value.len() != 1 || value.null_count() != 0 {
        return Err(unknown("no run of one value"));
    }
    let mut repeated = REPEATERS
        .iter()
        .filter_map(|repeat| repeat(value, array.len()));
    let array = repeated
        .next()
        .ok_or_else(|| unknown("a run of another type"))?;
    Ok(Some((retyped(field, &array), array)))
}

/// One for each type that [`pack`] writes a run of.
const REPEATERS: [fn(&ArrayRef, usize) -> Option<ArrayRef>; 7] = [
    repeated::<TimestampMillisecondType>,
    repeated::<UInt64Type>,
    repeated::<UInt32Type>,
    repeated::<UInt16Type>,
    repeated::<UInt8Type>,
    repeated::<Float64Type>,
    repeated_text,
];

fn repeated<T: ArrowPrimitiveType>(value: &ArrayRef, rows: usize) -> Option<ArrayRef> {
    let one = value.as_primitive_opt::<T>()?.values().first()?;
    let array = PrimitiveArray::<T>::from_value(*one, rows);
    Some(Arc::new(array.with_data_type(value.data_type().clone())))
}

fn repeated_text(value: &ArrayRef, rows: usize) -> Option<ArrayRef> {
    value.as_string_opt::<i32>()?;
    let keys = PrimitiveArray::<Int32Type>::from_value(0, rows);
    let texts = DictionaryArray::try_new(keys, Arc::clone(value)).ok()?;
    Some(Arc::new(texts))
}

/// Numbers from their distances.
fn widen<N: ArrowPrimitiveType>(field: &Field, array: &ArrayRef) -> Changed {
    let metadata = field.metadata();
    let (Some(packed_from), Some(least), Some(near)) = (
        metadata.get(TYPE_KEY),
        metadata.get(LEAST_KEY),
        array.as_primitive_opt::<N>(),
    ) else {
        return Ok(None);
    };
    let least = least.parse().map_err(|_| unknown("no least value"))?;
    let kinds: [(Kind, Far<N>); 4] = [
        (Kind::Time, far::<N, TimestampMillisecondType>),
        (Kind::U64, far::<N, UInt64Type>),
        (Kind::U32, far::<N, UInt32Type>),
        (Kind::U16, far::<N, UInt16Type>),
    ];
    let mut kinds = kinds.iter().map(|(kind, far)| (kind.data_type(), far));
    let kind = kinds.find(|(kind, _)| kind.to_string() == *packed_from);
    let (kind, far) = kind.ok_or_else(|| unknown("distances of another type"))?;
    let array = far(near, least, kind);
    Ok(Some((retyped(field, &array), array)))
}

/// Makes numbers of a type of distances and the least number.
type Far<N> = fn(&PrimitiveArray<N>, usize, DataType) -> ArrayRef;

fn far<N, T>(near: &PrimitiveArray<N>, least: usize, kind: DataType) -> ArrayRef
where
    N: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
{
    let least = T::Native::usize_as(least);
    let values = near.values().iter();
    let values: Vec<_> = values
        .map(|value| least.add_wrapping(T::Native::usize_as(value.as_usize())))
        .collect();
    let array = PrimitiveArray::<T>::new(ScalarBuffer::from(values), near.nulls().cloned());
    Arc::new(array.with_data_type(kind))
}

/// The field with the type of an array, and without marks of packing.
fn retyped(field: &Field, array: &ArrayRef) -> Field {
    Field::new(field.name(), array.data_type().clone(), field.is_nullable())
}

fn unknown(what: &str) -> ArrowError {
    ArrowError::IpcError(format!("packed rows: {what}"))
}

// Values of 64 bits pass through `usize`.
const _: () = assert!(size_of::<usize>() == size_of::<u64>());

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::arrow::SERIAL;
    use crate::flow::schema;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        let field = |name: &str, array: &ArrayRef| match schema().field_with_name(name) {
            Ok(field) => field.clone(),
            Err(_) => Field::new(name, array.data_type().clone(), true),
        };
        let fields: Vec<_> = columns
            .iter()
            .map(|(name, array)| field(name, array))
            .collect();
        let schema = Schema::new(fields).with_metadata(schema().metadata().clone());
        let columns = columns.into_iter().map(|(_, array)| array).collect();
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn texts(texts: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
        let texts: Vec<_> = texts.into_iter().collect();
        let texts = texts.iter().map(Option::as_deref);
        Arc::new(texts.collect::<DictionaryArray<Int32Type>>())
    }

    fn kinds(rows: &RecordBatch) -> Vec<String> {
        let schema = rows.schema();
        let kinds = schema.fields().iter();
        let kinds = kinds.map(|field| field.data_type().to_string());
        kinds
            .map(|kind| kind.replace("\"run_ends\": non-null Int32, \"values\": ", ""))
            .collect()
    }

    fn times(times: impl IntoIterator<Item = i64>) -> ArrayRef {
        let times: PrimitiveArray<TimestampMillisecondType> = times.into_iter().map(Some).collect();
        Arc::new(times.with_timezone("UTC"))
    }

    fn of<T: ArrowPrimitiveType>(value: impl Fn(u32) -> T::Native) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter_values((0..300).map(value)))
    }

    #[test]
    fn a_column_takes_no_more_octets_than_its_values_need() {
        let word = |of: fn(u32) -> u32| texts((0..300).map(|row| Some(of(row).to_string())));
        let port = |row: u32| u16::try_from(row).unwrap();
        let columns: [(&str, ArrayRef, &str); 11] = [
            ("start", times((0..300).map(|row| 1 << 40 | row)), "UInt16"),
            (
                "end",
                times([1 << 40; 300]),
                "RunEndEncoded(Timestamp(ms, \"UTC\"))",
            ),
            ("srcaddr", word(|row| row), "Dictionary(UInt16, Utf8)"),
            ("dstaddr", word(|row| row % 7), "Dictionary(UInt8, Utf8)"),
            ("srcport", of::<UInt16Type>(port), "UInt16"),
            (
                "dstport",
                of::<UInt16Type>(|row| 400 + port(row) % 200),
                "UInt8",
            ),
            ("protocol", of::<UInt8Type>(|_| 6), "RunEndEncoded(UInt8)"),
            (
                "bytes",
                of::<UInt64Type>(|row| u64::from(row) << 23),
                "UInt32",
            ),
            (
                "packets",
                of::<UInt64Type>(|row| u64::from(row) << 24),
                "UInt64",
            ),
            (
                "sampling",
                of::<Float64Type>(|_| 512.0),
                "RunEndEncoded(Float64)",
            ),
            ("exporter", word(|_| 1), "RunEndEncoded(Utf8)"),
        ];
        let rows = columns
            .iter()
            .map(|(name, array, _)| (*name, Arc::clone(array)));
        let packed = pack(&batch(rows.collect())).unwrap();
        assert_eq!(kinds(&packed), columns.map(|(.., kind)| kind));
    }

    #[test]
    fn no_rows_are_packed_too() {
        let empty = batch(vec![("start", times([])), ("srcaddr", texts([]))]);
        assert_eq!(unpack(&pack(&empty).unwrap()).unwrap(), empty);
    }

    #[test]
    fn a_slice_is_packed_as_what_it_shows() {
        let rows = batch(vec![
            ("end", times([5, 7, 7, 9])),
            (
                "srcaddr",
                texts(["a", "b", "b", "c"].map(|text| Some(text.to_owned()))),
            ),
        ]);
        let slice = rows.slice(1, 2);
        let packed = pack(&slice).unwrap();
        assert_eq!(
            kinds(&packed),
            [
                "RunEndEncoded(Timestamp(ms, \"UTC\"))",
                "RunEndEncoded(Utf8)"
            ]
        );
        assert_eq!(unpack(&packed).unwrap(), slice);
    }

    #[test]
    fn what_pack_does_not_write_is_refused() {
        let two = RunArray::try_new(&Int32Array::from(vec![1, 2]), &Int32Array::from(vec![1, 2]));
        let two: ArrayRef = Arc::new(two.unwrap());
        let refused = unpack(&batch(vec![("x", two)])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Ipc error: packed rows: no run of one value"
        );
        let run = RunArray::try_new(&Int32Array::from(vec![2]), &Int32Array::from(vec![1]));
        let run: ArrayRef = Arc::new(run.unwrap());
        let refused = unpack(&batch(vec![("x", run)])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Ipc error: packed rows: a run of another type"
        );
    }

    #[test]
    fn more_rows_than_a_frame_has_are_refused() {
        let rows = i32::try_from(ROWS_MAX).unwrap() + 1;
        let run = RunArray::try_new(&Int32Array::from(vec![rows]), &Int32Array::from(vec![1]));
        let run: ArrayRef = Arc::new(run.unwrap());
        let refused = unpack(&batch(vec![("x", run)])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Ipc error: packed rows: more rows than a frame has"
        );
    }

    fn numbers<T>() -> impl Strategy<Value = ArrayRef>
    where
        T: ArrowPrimitiveType,
        PrimitiveArray<T>: FromIterator<Option<T::Native>>,
    {
        // Widths on both sides of each limit, at either end of the type.
        let spans = prop::sample::select(vec![
            0,
            1,
            0xFF,
            0x100,
            0xFFFF,
            0x1_0000,
            0xFFFF_FFFF,
            1 << 32,
            u64::MAX,
        ]);
        let bases = prop::sample::select(vec![0, 1, 1 << 31, 1 << 40, 1 << 63, u64::MAX]);
        let rows = prop::collection::vec((any::<u64>(), prop::bool::weighted(0.9)), 5);
        (spans, bases, rows, any::<bool>()).prop_map(|(span, base, rows, all)| {
            let of = |(number, is_some): (u64, bool)| {
                let distance = if span == u64::MAX {
                    number
                } else {
                    number % (span + 1)
                };
                let value = usize::try_from(base.wrapping_add(distance)).unwrap();
                (all || is_some).then(|| T::Native::usize_as(value))
            };
            Arc::new(rows.into_iter().map(of).collect::<PrimitiveArray<T>>()) as ArrayRef
        })
    }

    proptest! {
        #[test]
        fn rows_are_unpacked_as_they_were(
            time in numbers::<TimestampMillisecondType>(),
            eight in numbers::<UInt64Type>(),
            four in numbers::<UInt32Type>(),
            two in numbers::<UInt16Type>(),
            one in numbers::<UInt8Type>(),
            factors in prop::collection::vec(prop::option::of(prop::sample::select(vec![1.0, 512.0])), 5),
            words in prop::collection::vec(prop::option::of("[ab]"), 5),
        ) {
            let time = time.as_primitive::<TimestampMillisecondType>().clone().with_timezone("UTC");
            let rows = batch(vec![
                ("end", Arc::new(time)),
                ("srcaddr", texts(words)),
                ("srcport", two),
                ("protocol", one),
                ("bytes", Arc::clone(&eight)),
                ("inport", four),
                ("sampling", Arc::new(factors.into_iter().collect::<PrimitiveArray<Float64Type>>())),
                (SERIAL, eight),
            ]);
            prop_assert_eq!(unpack(&pack(&rows).unwrap()).unwrap(), rows);
        }
    }

    /// Most of a day's rows have a dictionary of more addresses than 65 536.
    #[test]
    fn keys_of_any_width_come_back() {
        for count in [1, 2, 256, 257, 65_536, 65_537] {
            let rows = batch(vec![(
                "srcaddr",
                texts((0..count).map(|row| Some(row.to_string()))),
            )]);
            assert_eq!(unpack(&pack(&rows).unwrap()).unwrap(), rows, "{count}");
        }
    }
}
