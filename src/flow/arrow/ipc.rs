//! Rows as octets and back: an Arrow IPC stream of one batch.

use std::panic;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::MetadataVersion;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::IpcWriteOptions;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use bytes::Bytes;

use super::pack::pack;
use super::pack::unpack;

/// Writes rows as an Arrow IPC stream: schema, dictionaries, batch, end.
///
/// Columns are packed into fewer octets, which costs less than the octets it
/// saves; 8 KB are the schema's, however few the rows.
///
/// # Errors
/// What the library says; none is known for columns of [`crate::flow::schema()`].
pub fn to_ipc(rows: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let rows = pack(rows)?;
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
    let mut octets = Vec::with_capacity(rows.get_array_memory_size());
    let mut writer = StreamWriter::try_new_with_options(&mut octets, &rows.schema(), options)?;
    writer.write(&rows)?;
    writer.finish()?;
    drop(writer);
    Ok(octets)
}

/// Reads the rows of an Arrow IPC stream of one batch.
///
/// # Errors
/// Octets that are no such stream, are cut off, or go on behind it.
pub fn from_ipc(octets: Bytes) -> Result<RecordBatch, ArrowError> {
    // The library checks the frame of a message and the values of its columns,
    // but takes some lengths and types in between as they come.
    let read = panic::catch_unwind(|| read(octets));
    read.unwrap_or_else(|_| Err(damaged("lengths or types that do not fit")))
}

fn read(octets: Bytes) -> Result<RecordBatch, ArrowError> {
    let mut octets = Buffer::from(octets);
    let mut decoder = StreamDecoder::new();
    let batch = decoder.decode(&mut octets)?;
    let batch = batch.ok_or_else(|| damaged("no batch"))?;
    match decoder.decode(&mut octets)? {
        None if octets.is_empty() => decoder.finish()?,
        None | Some(_) => return Err(damaged("more than one batch")),
    }
    unpack(&batch)
}

fn damaged(what: &str) -> ArrowError {
    ArrowError::IpcError(format!("damaged rows: {what}"))
}

/// Of columns, in octets: that of the widest values.
const ALIGNMENT: usize = 8;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Array;
    use arrow_array::DictionaryArray;
    use arrow_array::TimestampMillisecondArray;
    use arrow_array::UInt64Array;
    use arrow_array::types::Int32Type;
    use arrow_schema::Field;
    use arrow_schema::Schema;

    use super::*;
    use crate::flow::schema;

    fn rows(count: u32) -> RecordBatch {
        let numbers = 0..count;
        let ends = numbers.clone().map(|n| Some(i64::from(n) * 1000));
        let addresses: Vec<_> = numbers
            .clone()
            .map(|n| format!("10.0.0.{}", n % 7))
            .collect();
        let addresses = addresses.iter().map(|text| Some(text.as_str()));
        let octets = numbers.map(|n| (n % 5 != 0).then_some(u64::from(n)));
        let columns: [(&str, Arc<dyn Array>); 3] = [
            (
                "end",
                Arc::new(
                    ends.collect::<TimestampMillisecondArray>()
                        .with_timezone("UTC"),
                ),
            ),
            (
                "srcaddr",
                Arc::new(addresses.collect::<DictionaryArray<Int32Type>>()),
            ),
            ("bytes", Arc::new(octets.collect::<UInt64Array>())),
        ];
        let field = |name: &str| -> Field { schema().field_with_name(name).unwrap().clone() };
        let fields: Vec<_> = columns.iter().map(|(name, _)| field(name)).collect();
        let schema = Schema::new(fields).with_metadata(schema().metadata().clone());
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        for count in [0, 1, 1000] {
            let rows = rows(count);
            let octets = to_ipc(&rows).unwrap();
            assert_eq!(from_ipc(octets.into()).unwrap(), rows, "{count}");
        }
    }

    #[test]
    fn octets_that_begin_anywhere_are_read() {
        let octets = to_ipc(&rows(9)).unwrap();
        for before in 0..16 {
            let mut moved = vec![0; before];
            moved.extend(&octets);
            let moved = Bytes::from(moved).slice(before..);
            assert_eq!(from_ipc(moved).unwrap(), rows(9), "{before}");
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_refused() {
        let octets = Bytes::from(to_ipc(&rows(3)).unwrap());
        // The end's mark is two words, the second of which may be missing.
        for length in 0..octets.len() - 8 {
            assert!(from_ipc(octets.slice(..length)).is_err(), "{length}");
        }
    }

    #[test]
    fn what_goes_on_behind_the_rows_is_refused() {
        let once = to_ipc(&rows(3)).unwrap();
        let twice = [once.clone(), once.clone()].concat();
        let longer = [once.as_slice(), &[0]].concat();
        for octets in [twice, longer] {
            assert!(from_ipc(octets.into()).is_err());
        }
    }

    /// Whatever is read is safe to look at.
    #[test]
    fn an_octet_changed_anywhere_does_no_harm() {
        let octets = to_ipc(&rows(3)).unwrap();
        for place in 0..octets.len() {
            for change in [1, 0x80, 0xff] {
                let mut octets = octets.clone();
                octets[place] ^= change;
                if let Ok(read) = from_ipc(octets.into()) {
                    let _ = format!("{read:?}");
                }
            }
        }
    }
}
