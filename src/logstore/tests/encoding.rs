//! Texts are written once each, as long as a column has few.

use std::fs::File;

use parquet::basic::Encoding;
use parquet::file::metadata::ParquetMetaDataReader;

use super::*;

/// A store whose one part has a row of each of so many addresses.
fn store(dir: &tempfile::TempDir, addresses: u64) -> LogStore {
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    let octets: Vec<u64> = (0..addresses).collect();
    let rows = rows(HOUR, &octets);
    let texts = octets.iter().map(|number| {
        let [.., b, c, d] = number.to_be_bytes();
        format!("10.{b}.{c}.{d}")
    });
    let texts: Vec<String> = texts.collect();
    let texts: DictionaryArray<Int32Type> = texts.iter().map(String::as_str).collect();
    let mut columns = rows.columns().to_vec();
    columns[rows.schema().index_of("srcaddr").unwrap()] = Arc::new(texts);
    let rows = RecordBatch::try_new(rows.schema(), columns).unwrap();
    store.append_next("sag", "flows", &rows, HOUR).unwrap();
    store.flush().unwrap();
    store
}

/// Whether pages of `srcaddr` have this encoding.
fn has_pages(store: &LogStore, encoding: Encoding) -> bool {
    let file = File::open(&store.parts()[0].path).unwrap();
    let footer = ParquetMetaDataReader::new()
        .parse_and_finish(&file)
        .unwrap();
    let columns = footer.row_group(0).columns().iter();
    let mut columns = columns.filter(|column| column.column_path().string() == "srcaddr");
    let pages = columns.next().unwrap().page_encoding_stats_mask().unwrap();
    pages.is_set(encoding)
}

#[test]
fn few_addresses_are_in_the_dictionary_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, 10_000);
    assert!(has_pages(&store, Encoding::RLE_DICTIONARY));
    assert!(!has_pages(&store, Encoding::PLAIN));
}

#[test]
fn addresses_beyond_the_dictionary_are_found_like_those_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(&dir, 40_000);
    assert!(has_pages(&store, Encoding::RLE_DICTIONARY));
    assert!(has_pages(&store, Encoding::PLAIN));
    let bytes_of = |address: &str| {
        let sql = format!("SELECT sum(bytes) FROM flows WHERE srcaddr = '{address}'");
        rows_of(&store, &sql)
    };
    assert_eq!(bytes_of("10.0.0.7"), [[json!(7)]]);
    assert_eq!(bytes_of("10.0.156.63"), [[json!(39_999)]]);
    let different = rows_of(&store, "SELECT count(DISTINCT srcaddr) FROM flows");
    assert_eq!(different, [[json!(40_000)]]);
}
