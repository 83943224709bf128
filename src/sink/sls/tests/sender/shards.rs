//! Rows of an exporter in one shard, in their order.

use super::*;
use crate::sink::sls::Limits;
use crate::sink::sls::Order;
use crate::sink::sls::ShardHash;
use crate::sink::sls::shard_hash;

/// Exporters of rows by turns, no two of them of one hash.
const EXPORTERS: [&str; 4] = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::4"];

/// Requests that are taken at first, and those of which every other one is.
const EASY: usize = 60;
const HARD: usize = 100;
/// Of 20 rows each.
const FRAMES: u64 = 40;

/// The exporter of a row.
fn exporter(seq: u64) -> &'static str {
    EXPORTERS[usize::try_from(seq - 1).unwrap() % EXPORTERS.len()]
}

fn rows(first: u64, count: u32) -> arrow_array::RecordBatch {
    let exporters = (first..).map(|seq| Some(exporter(seq).to_owned()));
    let exporters = exporters.take(count as usize).collect();
    let flow_log = vec![Some("branch".to_owned()); count as usize];
    let columns = vec![
        ("exporter", Data::Text(exporters)),
        ("flow-log", Data::Text(flow_log)),
    ];
    batch(&columns, count as usize)
}

/// The hash key that a PutLogs was sent with.
fn key(seen: &Seen) -> u128 {
    let (_, key) = seen.head.split_once("/shards/route?key=").unwrap();
    u128::from_str_radix(key.get(..32).unwrap(), 16).unwrap()
}

#[tokio::test]
async fn a_shard_has_the_rows_of_an_exporter_in_their_order() {
    // Many are sent at a time, when every other one has to be sent again.
    let busy = Step::refused(503, "ServerBusy", "");
    let easy = std::iter::repeat_n(Step::taken(), EASY);
    let hard = (0..HARD / 2).flat_map(|_| [busy.clone(), Step::taken()]);
    let server = Server::new(easy.chain(hard)).await;
    let mut bench = Bench::new(&server);
    bench.settings.shard_hash = ShardHash::Exporter;
    bench.settings.order = Order::OldestFirst;
    bench.settings.limits = Limits::new(1 << 20, 3, 100);
    for frame in 0..FRAMES {
        let body = flow::to_ipc(&rows(1 + frame * 20, 20)).unwrap();
        bench.append_body(FLOWS, 20, Kind::Flows, body.into());
    }
    bench.start();
    bench.until_delivered().await;
    let mut arrived: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (place, seen) in server.seen().iter().enumerate() {
        let seqs = seqs(seen);
        let from = exporter(seqs[0]);
        assert_eq!(key(seen), shard_hash(from));
        assert!(seqs.iter().all(|seq| exporter(*seq) == from));
        let is_hard = (EASY..EASY + HARD).contains(&place);
        if !is_hard || place % 2 == 1 {
            arrived.entry(from).or_default().extend(seqs);
        }
    }
    for (from, seqs) in arrived {
        let sent = (1..=FRAMES * 20).filter(|seq| exporter(*seq) == from);
        assert_eq!(seqs, sent.collect::<Vec<_>>(), "{from}");
    }
    assert_eq!(bench.of(ID).amounts.acked.records, FRAMES * 20);
}

#[tokio::test]
async fn exporters_of_different_hashes_do_not_wait_for_each_other() {
    // The ninth request gets no answer.
    let script = std::iter::repeat_n(Step::taken(), 8).chain([Step::Stall(String::new())]);
    let server = Server::new(script).await;
    let mut bench = Bench::new(&server);
    bench.settings.shard_hash = ShardHash::Exporter;
    bench.start();
    for frame in 0..3 {
        let body = flow::to_ipc(&rows(1 + frame * 8, 8)).unwrap();
        bench.append_body(FLOWS, 8, Kind::Flows, body.into());
        bench.until_delivered().await;
    }
    let keys: Vec<_> = server.seen().iter().map(key).collect();
    assert_eq!(keys.len(), 13);
    let mut others = keys[8..12].to_vec();
    others.sort_unstable();
    others.dedup();
    assert_eq!(others.len(), 4, "{keys:x?}");
    assert_eq!(keys[12], keys[8]);
}
