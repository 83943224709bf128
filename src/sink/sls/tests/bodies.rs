//! Batches: every row once, within the limits, and what others sent.

use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::slice;

use proptest::collection::vec;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;
use prost::Message;

use super::super::proto::LogGroup;
use super::super::testing::Data;
use super::super::testing::batch;
use super::super::testing::flows;
use super::super::*;

fn window() -> TimeWindow {
    TimeWindow::around(1_767_225_600)
}

fn key() -> BatchKey {
    BatchKey {
        project: "project".to_owned(),
        logstore: "logstore".to_owned(),
        topic: "netflow".to_owned(),
        source: "192.0.2.1".to_owned(),
        shard: None,
    }
}

/// A batcher with its writer.
struct Bench {
    batcher: Batcher,
    writer: LogGroupWriter,
    full: Vec<Batch>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let tags = vec![("site".to_owned(), "here".to_owned())];
        Self {
            batcher: Batcher::new(key(), tags, PackIds::new(7), limits),
            writer: LogGroupWriter::new(&FieldChoice::default()),
            full: Vec::new(),
        }
    }

    fn add(&mut self, rows: u32, first_seq: u64, range: Range<usize>, now_ms: u64) -> Written {
        let batch = flows(rows);
        let rows = FlowRows {
            batch: &batch,
            journal: 1,
            first_seq,
        };
        let Self {
            batcher,
            writer,
            full,
        } = self;
        let added = batcher.add(
            writer,
            &rows,
            slice::from_ref(&range),
            window(),
            now_ms,
            full,
        );
        added.unwrap()
    }

    fn finish(mut self) -> Vec<Batch> {
        self.full.extend(self.batcher.flush());
        self.full
    }
}

fn group(batch: &Batch) -> LogGroup {
    LogGroup::decode(batch.body()).unwrap()
}

/// The number of each row, as its log says.
fn flow_ids(batch: &Batch) -> Vec<u64> {
    let logs = group(batch).logs.into_iter();
    let id = |log: Log| {
        let content = log.contents.last().cloned().unwrap();
        let text = String::from_utf8(content.value.to_vec()).unwrap();
        text.split_once('-').unwrap().1.parse().unwrap()
    };
    logs.map(id).collect()
}

fn seqs(batch: &Batch) -> Vec<u64> {
    batch.seqs().iter().cloned().flatten().collect()
}

fn pack_id(batch: &Batch) -> String {
    group(batch).log_tags.pop().unwrap().value
}

#[test]
fn a_batch_is_full_at_its_rows() {
    let mut bench = Bench::new(Limits::new(1 << 20, 10, 2000));
    let added = bench.add(25, 100, 0..25, 0);
    assert_eq!((added.rows, added.clamped), (25, 25));
    assert_eq!(bench.full.len(), 2);
    assert_eq!(bench.batcher.rows(), 5);
    let batches = bench.finish();
    assert_eq!(batches[1].seqs(), slice::from_ref(&(110..120)));
    assert_eq!(batches[2].seqs(), slice::from_ref(&(120..125)));
    let packs: Vec<_> = batches.iter().map(pack_id).collect();
    let expected = ["0", "1", "2"].map(|sequence| format!("0000000000000007-{sequence}"));
    assert_eq!(packs, expected);
}

#[test]
fn a_batch_is_due_when_its_first_row_has_waited() {
    let mut bench = Bench::new(Limits::default());
    assert_eq!(bench.batcher.due_ms(), None);
    assert_eq!(bench.batcher.due(u64::MAX), None);
    bench.add(2, 1, 0..1, 5000);
    bench.add(2, 1, 1..2, 6000);
    assert_eq!(bench.batcher.due_ms(), Some(7000));
    assert_eq!(bench.batcher.due(6999), None);
    let bytes = bench.batcher.raw_bytes();
    let batch = bench.batcher.due(7000).unwrap();
    assert_eq!(batch.body().len(), bytes);
    assert_eq!(seqs(&batch), [1, 2]);
    assert_eq!(bench.batcher.due_ms(), None);
}

/// The row that made the first batch too large waits since it came.
#[test]
fn a_row_that_does_not_fit_begins_the_next_batch() {
    let mut bench = Bench::new(Limits::new(250, 4096, 2000));
    bench.add(3, 1, 0..2, 1000);
    assert_eq!(bench.full.len(), 0);
    bench.add(3, 1, 2..3, 2000);
    assert_eq!(bench.full.len(), 1);
    assert_eq!(bench.batcher.due_ms(), Some(4000));
    let batches = bench.finish();
    assert_eq!(batches.iter().map(Batch::rows).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn a_log_as_large_as_logs_are_fits_into_a_batch() {
    let element = |n| (format!("9/{n}"), Some(vec![0xab; 400_000]));
    let elements = Some((0..12).map(element).collect::<Vec<_>>());
    let columns = vec![("rest", Data::Map(vec![elements; 3]))];
    let rows = FlowRows {
        batch: &batch(&columns, 3),
        journal: 1,
        first_seq: 1,
    };
    let mut bench = Bench::new(Limits::new(usize::MAX, 4096, 2000));
    let (batcher, writer, full) = (&mut bench.batcher, &mut bench.writer, &mut bench.full);
    let added = batcher.add(writer, &rows, slice::from_ref(&(0..3)), window(), 0, full);
    assert_eq!(added.unwrap().cut, 21);
    let batches = bench.finish();
    assert_eq!(batches.len(), 2);
    assert!(
        batches
            .iter()
            .all(|batch| batch.body().len() <= GROUP_BYTES_MAX)
    );
}

#[test]
fn halves_go_down_to_one_row() {
    let mut bench = Bench::new(Limits::default());
    bench.add(7, 10, 0..4, 0);
    bench.add(7, 100, 2..5, 0);
    let whole = bench.finish().remove(0);
    assert_eq!(whole.seqs(), [10..14, 102..105]);
    let (mut work, mut singles) = (vec![whole.clone()], Vec::new());
    while let Some(batch) = work.pop() {
        assert_eq!(flow_ids(&batch), seqs(&batch));
        assert_eq!(pack_id(&batch), pack_id(&whole));
        match batch.halves() {
            Some((first, others)) => {
                assert_eq!(first.rows() + others.rows(), batch.rows());
                assert!(first.rows() <= others.rows() && others.rows() <= first.rows() + 1);
                work.extend([others, first]);
            }
            None => singles.push(batch),
        }
    }
    let rows: Vec<_> = singles.iter().map(|batch| batch.seqs().to_vec()).collect();
    let expected = [10, 11, 12, 13, 102, 103, 104]
        .map(|seq| Vec::from_iter([(seq, seq + 1)].map(|(from, to)| from..to)));
    assert_eq!(rows, expected);
}

#[test]
fn a_batch_that_waited_long_is_clamped_again() {
    let mut bench = Bench::new(Limits::default());
    bench.add(3, 1, 0..3, 0);
    let mut batch = bench.finish().remove(0);
    let before = group(&batch);
    assert_eq!(batch.clamp(window()), 0);
    assert_eq!(batch.clamp(TimeWindow::around(1_767_225_600 + 3600)), 3);
    let mut expected = before;
    for log in &mut expected.logs {
        log.time += 3600;
    }
    assert_eq!(group(&batch), expected);
}

proptest! {
    #[test]
    fn every_row_is_in_one_batch_within_the_limits(
        pieces in vec((0_u32..40, 0_usize..40, 0_u64..3), 0..12),
        bytes in 0_usize..3000,
        rows in 0_usize..20,
    ) {
        let limits = Limits::new(bytes, rows, 2000);
        let mut bench = Bench::new(limits);
        let (mut first_seq, mut expected) = (1, Vec::new());
        for (rows, start, gap) in pieces {
            let added = bench.add(rows, first_seq, start..40, 0);
            let from = first_seq + u64::try_from(start).unwrap();
            let until = first_seq + u64::from(rows);
            expected.extend(from..until);
            prop_assert_eq!(added.rows, (from..until).count());
            first_seq = until + gap;
        }
        let batches = bench.finish();
        let found: Vec<_> = batches.iter().flat_map(seqs).collect();
        prop_assert_eq!(found, expected);
        for batch in &batches {
            prop_assert_eq!(flow_ids(batch), seqs(batch));
            prop_assert_eq!(batch.rows(), seqs(batch).len());
            prop_assert!(batch.rows() <= rows.max(1));
            prop_assert!(batch.body().len() <= bytes || batch.rows() == 1);
            let ranges = batch.seqs().windows(2);
            prop_assert!(ranges.into_iter().all(|pair| pair[0].end != pair[1].start));
        }
    }
}

/// Requests that the official SDKs sent, outside of the repository.
fn fixtures() -> Option<PathBuf> {
    let root = std::env::var_os("FLOWLOGD_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    );
    let folder = root.join("sls");
    folder.is_dir().then_some(folder)
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn bodies_of_the_vectors_decompress() {
    let Some(folder) = fixtures() else {
        return println!("skipped: no fixtures, FLOWLOGD_FIXTURES names their folder");
    };
    let vectors = json(&folder.join("signature_vectors.json"));
    let octets = |name: &str| unhex(vectors[name].as_str().unwrap());
    let raw = octets("protobuf_raw_hex");
    for (compression, name) in [
        (Compression::Lz4, "lz4_block_hex"),
        (Compression::Zstd, "zstd_frame_hex"),
    ] {
        let read = decompress(compression, &octets(name), raw.len(), GROUP_BYTES_MAX);
        assert_eq!(read.as_ref(), Ok(&raw));
    }
    let group = LogGroup::decode(raw.as_slice()).unwrap();
    assert_eq!(group.encode_to_vec(), raw);
}

#[test]
fn what_the_sdks_sent_is_read_and_written_alike() {
    let Some(folder) = fixtures() else {
        return println!("skipped: no fixtures, FLOWLOGD_FIXTURES names their folder");
    };
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_string_lossy().contains("put_logs") {
            continue;
        }
        let request = json(&path);
        let header = |name: &str| {
            let headers = request["headers"].as_array().unwrap().iter();
            let mut named = headers.filter(|pair| {
                let key = pair[0].as_str().unwrap_or_default();
                key.eq_ignore_ascii_case(name)
            });
            named.next().and_then(|pair| pair[1].as_str())
        };
        let compression = header("x-log-compresstype").unwrap_or_default();
        let compression = Compression::from_name(compression).unwrap();
        let raw_bytes = header("x-log-bodyrawsize").unwrap().parse().unwrap();
        let body = unhex(request["body_hex"].as_str().unwrap());
        let raw = decompress(compression, &body, raw_bytes, GROUP_BYTES_MAX).unwrap();
        let group = LogGroup::decode(raw.as_slice()).unwrap();
        assert!(!group.logs.is_empty(), "{}", path.display());
        assert_eq!(group.encode_to_vec(), raw, "{}", path.display());
        read += 1;
    }
    assert_eq!(read, 6);
}
