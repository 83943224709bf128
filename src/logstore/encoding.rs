//! How the columns of a part are encoded: what each is made of says how it
//! takes least time and room.
//!
//! Parquet's encodings are those of
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.

use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::Schema;
use parquet::basic::Compression as Codec;
use parquet::basic::Encoding;
use parquet::basic::ZstdLevel;
use parquet::file::properties::EnabledStatistics;
use parquet::file::properties::WriterProperties;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;

use super::flows::END;
use super::flows::REST;
use super::flows::START;
use super::schema::RECEIVE_TIME;
use super::schema::RECORDS;
use super::schema::SEQ;
use super::schema::TAGS;
use super::schema::TIME;
use super::schema::TIME_NS_PART;
use super::schema::is_text;

/// What the pages of parts are compressed with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compression {
    /// Zstandard, at its lowest level: the smaller files.
    #[default]
    Zstd,
    /// LZ4 in Parquet's form `LZ4_RAW`: less time to write.
    Lz4Raw,
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Self::Zstd => Codec::ZSTD(ZstdLevel::default()),
            Self::Lz4Raw => Codec::LZ4_RAW,
        }
    }
}

/// How the values of a column are encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Layout {
    /// Each different value once, and the rows by their numbers, as long as the
    /// dictionary has room.
    Dictionary,
    /// Differences from row to row, in no more bits than they need.
    Differences,
    /// As they are.
    Plain,
}

/// Properties that write rows of a schema with these encodings.
pub(super) fn properties(schema: &Schema, compression: Compression) -> WriterPropertiesBuilder {
    let mut builder = WriterProperties::builder()
        .set_compression(compression.codec())
        .set_dictionary_enabled(false)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_write_batch_size(VALUES_AT_ONCE);
    for field in schema.fields() {
        let path = ColumnPath::from(field.name().as_str());
        if TELLS_PAGES_APART.contains(&field.name().as_str()) {
            let every_page = EnabledStatistics::Page;
            builder = builder.set_column_statistics_enabled(path.clone(), every_page);
        }
        builder = match layout(field) {
            Layout::Dictionary => builder.set_column_dictionary_enabled(path, true),
            Layout::Differences => builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Layout::Plain => builder,
        };
    }
    // Names of a map, and values of tags, are the same in row after row.
    let in_maps = [(TAGS, "keys"), (TAGS, "values"), (REST, "keys")];
    in_maps.into_iter().fold(builder, |builder, (map, leaf)| {
        let path = ColumnPath::new([map, "entries", leaf].map(str::to_owned).to_vec());
        builder.set_column_dictionary_enabled(path, true)
    })
}

fn layout(field: &Field) -> Layout {
    let name = field.name().as_str();
    if is_text(field.data_type()) || FEW_VALUES.contains(&name) {
        return Layout::Dictionary;
    }
    let is_wide = matches!(
        field.data_type(),
        DataType::Int64
            | DataType::UInt64
            | DataType::UInt32
            | DataType::UInt16
            | DataType::Timestamp(_, _)
    );
    match is_wide && !HARDLY_DIFFERS.contains(&name) {
        true => Layout::Differences,
        false => Layout::Plain,
    }
}

/// Numbers of which a part has few different ones, far apart.
const FEW_VALUES: [&str; 2] = [TIME_NS_PART, "dstport"];
/// Numbers that are nearly always the same: the compression leaves nothing of
/// them, and they take least time as they are.
const HARDLY_DIFFERS: [&str; 4] = [RECEIVE_TIME, "flows", "domain", RECORDS];
/// Columns whose least and greatest values differ from page to page, so that a
/// query may pass pages over: what rises, and what is seldom large. Those of
/// others would take time and tell nothing: a page has rows of many exporters
/// and of all ports and addresses.
const TELLS_PAGES_APART: [&str; 6] = [SEQ, TIME, START, END, "bytes", "packets"];
/// Octets of a column's dictionary, some 15 000 addresses; texts that no longer
/// fit are written as they are. A larger one leaves the processor's caches, and
/// looking each text up in it takes more time than compressing the text.
const DICTIONARY_BYTES_MAX: usize = 256 << 10;
/// Values that a column's encoder takes at once, which keeps its calls few.
const VALUES_AT_ONCE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::super::schema::table_schema;
    use super::*;

    #[test]
    fn every_column_named_here_is_one() {
        for name in FEW_VALUES
            .iter()
            .chain(&HARDLY_DIFFERS)
            .chain(&TELLS_PAGES_APART)
        {
            assert!(table_schema().field_with_name(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_column_is_encoded_as_what_it_is_made_of() {
        let of = |name| layout(table_schema().field_with_name(name).unwrap());
        for (name, expected) in [
            (SEQ, Layout::Differences),
            (TIME_NS_PART, Layout::Dictionary),
            (RECEIVE_TIME, Layout::Plain),
            (END, Layout::Differences),
            ("srcaddr", Layout::Dictionary),
            ("srcport", Layout::Differences),
            ("dstport", Layout::Dictionary),
            ("protocol", Layout::Plain),
            ("bytes", Layout::Differences),
            (RECORDS, Layout::Plain),
            ("sampling", Layout::Plain),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
