//! Random use of the journal on a disk that fails and forgets, against what a
//! plain list of frames says.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::journal::testing::Failure;

#[derive(Clone, Debug)]
enum Action {
    Append {
        split: u32,
        rows: u32,
        len: usize,
    },
    Commit,
    /// Takes and acknowledges so many frames of a destination.
    Deliver {
        destination: u32,
        frames: usize,
    },
    Persist,
    Fail(Failure),
    Full(bool),
    Kill,
    Crash {
        luck: u64,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0..5u32, 1..5u32, 0..390usize)
            .prop_map(|(split, rows, len)| Action::Append { split: split.min(rows), rows, len }),
        4 => Just(Action::Commit),
        3 => (0..2u32, 1..4usize)
            .prop_map(|(destination, frames)| Action::Deliver { destination, frames }),
        2 => Just(Action::Persist),
        2 => prop::sample::select(vec![
            Failure::Write,
            Failure::ShortWrite,
            Failure::Sync,
            Failure::SyncDir,
            Failure::Rename,
            Failure::Create,
        ]).prop_map(Action::Fail),
        1 => any::<bool>().prop_map(Action::Full),
        1 => Just(Action::Kill),
        1 => any::<u64>().prop_map(|luck| Action::Crash { luck }),
    ]
}

/// What ought to be.
#[derive(Debug, Default)]
struct Model {
    /// Frames appended, by first number: body, and rows of each destination.
    written: BTreeMap<u64, (Vec<u8>, [Range<u64>; 2])>,
    /// First numbers of frames whose commit returned.
    durable: BTreeSet<u64>,
    /// Rows acknowledged, by destination.
    acked: [BTreeSet<u64>; 2],
    /// Rows acknowledged when progress was last made durable.
    persisted: [BTreeSet<u64>; 2],
    /// Number of the newest frame there ever was.
    newest: u64,
    counter: u8,
}

struct World {
    fs: FaultyFs,
    journal: Option<Journal>,
    model: Model,
}

const BOTH: [DestinationId; 2] = [DestinationId(0), DestinationId(1)];

impl World {
    fn new() -> Self {
        let fs = FaultyFs::default();
        let mut world = Self {
            fs,
            journal: None,
            model: Model::default(),
        };
        world.reopen();
        world
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    /// Opening never fails, and twice gives the same.
    fn reopen(&mut self) {
        self.journal = None;
        let (journal, _) = open(&self.fs);
        let once = BOTH.map(|id| rows_of(&journal, id));
        let amounts_once = BOTH.map(|id| amounts(&journal, id));
        drop(journal);
        self.fs.crash(0);
        let (journal, again) = open(&self.fs);
        assert_eq!((again.torn_bytes, again.missing_segments), (0, 0));
        assert_eq!(once, BOTH.map(|id| rows_of(&journal, id)));
        assert_eq!(amounts_once, BOTH.map(|id| amounts(&journal, id)));
        for (number, name) in ["a", "b"].into_iter().enumerate() {
            assert_eq!(journal.destination(name), Ok(BOTH[number]));
        }
        self.journal = Some(journal);
    }

    fn append(&mut self, split: u32, rows: u32, len: usize) {
        let mut shares = Vec::new();
        for (id, range) in BOTH.into_iter().zip([0..split, split..rows]) {
            if !range.is_empty() {
                shares.push(share(id, range));
            }
        }
        self.model.counter = self.model.counter.wrapping_add(1);
        let body = vec![self.model.counter; len];
        let bytes = Bytes::copy_from_slice(&body);
        let Ok(first) = self.journal().append(Kind::Flows, &shares, bytes, 0) else {
            panic!("there is room");
        };
        let (middle, end) = (first + u64::from(split), first + u64::from(rows));
        assert!(self.model.newest < first, "numbers grow");
        self.model.newest = first;
        let ranges = [first..middle, middle..end];
        self.model.written.insert(first, (body, ranges));
    }

    fn commit(&mut self) {
        if let Ok(durable) = self.journal().commit() {
            let written = self.model.written.range(..durable);
            self.model.durable.extend(written.map(|(first, _)| *first));
        }
    }

    fn deliver(&mut self, destination: u32, frames: usize) {
        let id = DestinationId(destination);
        let of = destination as usize;
        for _ in 0..frames {
            let Some(frame) = self.journal().next(id, 0).unwrap() else {
                return;
            };
            let (body, ranges) = &self.model.written[&frame.first_seq];
            assert_eq!(frame.body, body);
            let rows = frame.rows();
            assert!(ranges[of].start <= rows.start && rows.end <= ranges[of].end);
            // Only while the disk takes nothing is a row seen that may be lost.
            let is_durable = self.model.durable.contains(&frame.first_seq);
            assert!(is_durable || self.journal().stats(0).fault.is_some());
            assert!(rows.clone().all(|row| !self.model.acked[of].contains(&row)));
            self.journal().ack(id, rows.clone());
            self.model.acked[of].extend(rows);
        }
    }

    fn persist(&mut self) {
        if self.journal().persist_progress().is_ok() {
            self.model.persisted = self.model.acked.clone();
        }
    }

    /// What a crash must and must not have done.
    fn check_after_crash(&mut self) {
        self.fs.heal();
        self.fs.set_capacity(None);
        self.reopen();
        for (of, id) in BOTH.into_iter().enumerate() {
            let mut last = 0;
            let mut there = BTreeSet::new();
            for frame in backlog(self.journal(), id) {
                let (body, ranges) = &self.model.written[&frame.first_seq];
                assert_eq!(frame.body, body, "recovered is written");
                assert!(last <= frame.first_seq, "order is kept");
                last = frame.first_seq;
                let rows = frame.rows();
                assert!(ranges[of].start <= rows.start && rows.end <= ranges[of].end);
                there.extend(rows);
            }
            for first in &self.model.durable {
                for row in self.model.written[first].1[of].clone() {
                    let is_acked = self.model.acked[of].contains(&row);
                    assert!(is_acked || there.contains(&row), "row {row} is lost");
                }
            }
            let again = there.intersection(&self.model.persisted[of]).count();
            assert_eq!(again, 0, "persisted progress is kept");
            // Since what was acknowledged is not known better now than the journal does.
            self.model.acked[of].retain(|row| !there.contains(row));
            self.model.persisted[of] = self.model.acked[of].clone();
        }
        self.forget_lost();
        let stats = self.journal().stats(0);
        for (of, destination) in stats.destinations.iter().enumerate() {
            let pending = backlog(self.journal(), BOTH[of]);
            let firsts: BTreeSet<_> = pending.iter().map(|frame| frame.first_seq).collect();
            let rows = firsts.iter().map(|first| {
                let rows = &self.model.written[first].1[of];
                rows.end - rows.start
            });
            assert_eq!(destination.amounts.pending, amount(rows.sum()));
        }
    }

    /// Frames that were not durable and did not come back never will.
    fn forget_lost(&mut self) {
        let frames = BOTH.map(|id| backlog(self.journal(), id));
        let there: BTreeSet<_> = frames
            .iter()
            .flatten()
            .map(|frame| frame.first_seq)
            .collect();
        // Those that came back are durable now.
        self.model.durable.extend(there);
        let durable = &self.model.durable;
        self.model
            .written
            .retain(|first, _| durable.contains(first));
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Append { split, rows, len } => self.append(split, rows, len),
            Action::Commit => self.commit(),
            Action::Deliver {
                destination,
                frames,
            } => self.deliver(destination, frames),
            Action::Persist => self.persist(),
            Action::Fail(failure) => self.fs.fail(failure),
            Action::Full(is_full) => {
                let capacity = is_full.then(|| self.fs.used() + 300);
                self.fs.set_capacity(capacity);
            }
            Action::Kill => {
                self.fs.kill();
                self.check_after_crash();
            }
            Action::Crash { luck } => {
                self.fs.crash(luck);
                self.check_after_crash();
            }
        }
    }
}

fn rows_of(journal: &Journal, id: DestinationId) -> Vec<(u64, Range<u64>, Bytes)> {
    journal.destination("a").unwrap();
    journal.destination("b").unwrap();
    let frames = backlog(journal, id);
    frames
        .into_iter()
        .map(|frame| (frame.first_seq, frame.rows(), frame.body))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Acknowledged ⊆ recovered ⊆ written; order is kept; opening never fails,
    /// and twice is as once; nothing whose commit returned is lost.
    #[test]
    fn nothing_durable_is_lost(actions in prop::collection::vec(action(), 1..60)) {
        let mut world = World::new();
        for action in &actions {
            world.act(action);
        }
        world.act(&Action::Crash { luck: 0 });
    }
}
