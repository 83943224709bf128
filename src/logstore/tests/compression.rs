//! Parts are compressed as the settings say when they are written.

use std::fs::File;

use parquet::basic::Compression as Codec;
use parquet::basic::ZstdLevel;
use parquet::file::metadata::ParquetMetaDataReader;

use super::super::tail::HOUR_MS;
use super::*;

fn store(dir: &tempfile::TempDir, compression: Compression) -> LogStore {
    let mut settings = Settings::new(dir.path());
    settings.compression = compression;
    LogStore::open(settings).unwrap()
}

fn write(store: &LogStore, octets: &[u64]) {
    store
        .append_next("sag", "flows", &rows(HOUR, octets), HOUR)
        .unwrap();
    store.flush().unwrap();
}

/// What the columns of each part are compressed with.
fn codecs(store: &LogStore) -> Vec<Vec<Codec>> {
    let codecs = |part: PartInfo| {
        let file = File::open(&part.path).unwrap();
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .unwrap();
        let groups = footer.row_groups().iter();
        let columns = groups.flat_map(|group| group.columns());
        let mut codecs: Vec<_> = columns.map(|column| column.compression()).collect();
        codecs.dedup();
        codecs
    };
    store.parts().into_iter().map(codecs).collect()
}

#[test]
fn a_part_keeps_its_compression_until_it_is_merged() {
    let dir = tempfile::tempdir().unwrap();
    let before = store(&dir, Compression::Lz4Raw);
    write(&before, &[1, 2]);
    drop(before);
    let store = store(&dir, Compression::Zstd);
    write(&store, &[3]);
    let zstd = Codec::ZSTD(ZstdLevel::default());
    assert_eq!(codecs(&store), [[Codec::LZ4_RAW], [zstd]]);
    let all = || rows_of(&store, "SELECT seq, bytes FROM flows ORDER BY seq");
    let expected = [[0, 1], [1, 2], [2, 3]].map(|row| row.map(Value::from).to_vec());
    assert_eq!(all(), expected);
    maintain(&store, HOUR + HOUR_MS);
    assert_eq!(codecs(&store), [[zstd]]);
    assert_eq!(all(), expected);
}
