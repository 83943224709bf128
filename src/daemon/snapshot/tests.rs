//! Snapshots from lanes to lanes, without threads.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use bytes::Bytes;
use crossbeam_channel::{Receiver, bounded};

use super::resume::Fates;
use super::*;
use crate::cache::{Serials, Snapshot};
use crate::config::Config;
use crate::daemon::clock::Monotonic;
use crate::daemon::tests::{Bench, LEARNING, amount, flows, template};
use crate::flow::{self, Amount, FlowBatch, FlowRecord};
use crate::flowlog::RoutingTable;
use crate::journal::{Disk, Journal, Kind, Settings, Share};
use crate::lane::Lane;
use crate::lane::Piece;

/// A bench with so many flows in the cache, numbered from 1.
fn bench(hosts: u8) -> Bench {
    let mut bench = Bench::new(LEARNING);
    bench.lane.number_by(Serials { next: 1, step: 1 });
    bench.receive(&[template(), flows(0..hosts)]);
    bench.wait(1);
    assert_eq!(bench.terms().held, amount(hosts.into()));
    bench
}

fn journal(dir: &Path) -> Journal {
    Journal::open(Settings::default(), Disk::new(dir))
        .unwrap()
        .0
}

/// Takes a snapshot of the lane into the journal.
fn save(bench: &mut Bench, journal: &Journal) {
    let mut writer = journal.begin_snapshot().unwrap();
    writer.write(&Snapshot::head()).unwrap();
    let (to, pieces) = bounded(1);
    bench.lane.snapshot(0, to);
    bench.wait(1);
    let piece = pieces.try_recv().unwrap();
    assert!(piece.is_last);
    writer.write(&piece.octets).unwrap();
    writer.write(&Snapshot::tail(piece.flows)).unwrap();
    journal.save_snapshot(&writer).unwrap();
}

/// Appends rows of flows of such serials.
fn append(journal: &Journal, serials: std::ops::Range<u64>) {
    let mut batch = FlowBatch::default();
    let exporter: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
    let rows = u32::try_from(serials.end - serials.start).unwrap();
    for serial in serials {
        batch.push_flow(&FlowRecord::default(), None, (exporter, 0), serial);
    }
    let rows_of = batch.into_arrow(&RoutingTable::default()).unwrap();
    let share = Share {
        destination: journal.destination("a").unwrap(),
        rows: 0..rows,
        amount: Amount::default(),
    };
    let body: Bytes = flow::to_ipc(&rows_of).unwrap().into();
    journal.append(Kind::Flows, &[share], body, 0).unwrap();
    journal.commit().unwrap();
}

fn table(config: &str) -> RoutingTable {
    let config = Config::parse(config, "test").unwrap();
    RoutingTable::compile(&config.definition, None).unwrap()
}

/// What of the snapshot goes into lanes of a later run.
fn resumed(journal: &Journal, benches: &mut [Bench], table: &RoutingTable) -> Fates {
    let mut lanes: Vec<&mut Lane> = benches.iter_mut().map(|bench| &mut bench.lane).collect();
    resume(journal, &mut lanes, table, &Monotonic::start())
}

#[test]
fn what_is_in_no_row_since_goes_into_the_lanes_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let (mut before, kept) = (bench(40), journal(dir.path()));
    // Of an earlier snapshot's time: its serials mean nothing any more.
    append(&kept, 30..33);
    save(&mut before, &kept);
    // Three of the snapshot, and some that began later.
    append(&kept, 1..4);
    append(&kept, 41..50);
    drop(kept);
    let kept = journal(dir.path());
    let mut after = [Bench::new(LEARNING), Bench::new(LEARNING)];
    let fates = resumed(&kept, &mut after, &table(LEARNING));
    let expected = Fates {
        resumed: 37,
        journaled: 3,
        unclaimed: 0,
    };
    assert_eq!(fates, expected);
    after.iter_mut().for_each(|bench| bench.wait(1));
    let [first, second] = after.each_ref().map(Bench::terms);
    assert_eq!((first.resumed, first.held), (amount(37), amount(37)));
    assert_eq!(second.held, amount(0), "one lane there was, one has all");
    // The exporter goes on where it was.
    after[0].receive(&[template(), flows(0..40)]);
    after[0].wait(1);
    assert_eq!(after[0].terms().live, 40);
    assert_eq!(after[0].terms().held, amount(77));
}

#[test]
fn flows_of_a_flow_log_that_is_no_more_are_not_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut before, kept) = (bench(3), journal(dir.path()));
    save(&mut before, &kept);
    drop(kept);
    let other = LEARNING.replace("\"all\"", "\"other\"");
    let mut after = [Bench::new(&other)];
    let fates = resumed(&journal(dir.path()), &mut after, &table(&other));
    let expected = Fates {
        unclaimed: 3,
        ..Fates::default()
    };
    assert_eq!(fates, expected);
    after[0].wait(1);
    assert_eq!(after[0].terms().resumed, amount(0));
}

#[test]
fn a_row_that_cannot_be_read_forbids_to_resume() {
    let dir = tempfile::tempdir().unwrap();
    let (mut before, kept) = (bench(3), journal(dir.path()));
    save(&mut before, &kept);
    let share = Share {
        destination: kept.destination("a").unwrap(),
        rows: 0..1,
        amount: Amount::default(),
    };
    let body = Bytes::from_static(b"no rows");
    kept.append(Kind::Flows, &[share], body, 0).unwrap();
    kept.commit().unwrap();
    drop(kept);
    let kept = journal(dir.path());
    let mut after = [Bench::new(LEARNING)];
    let fates = resumed(&kept, &mut after, &table(LEARNING));
    assert_eq!(fates, Fates::default());
    assert_eq!(kept.take_snapshot().unwrap(), None, "it is removed");
}

#[test]
fn a_piece_without_room_waits_and_a_walk_nobody_wants_ends() {
    let mut bench = bench(5);
    let (to, pieces): (_, Receiver<Piece>) = bounded(0);
    bench.lane.snapshot(7, to);
    bench.wait(1);
    // Somebody takes it at last: flows that came meanwhile are not in it.
    bench.receive(&[flows(5..9)]);
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| pieces.recv().unwrap());
        while !taken.is_finished() {
            bench.wait(1);
        }
        let piece = taken.join().unwrap();
        assert_eq!((piece.flows, piece.is_last), (5, true));
    });
    // The lane let go of its end.
    assert!(pieces.recv().is_err());
}
