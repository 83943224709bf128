//! Random lives of a store, against what any store must have in the end.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::disk::Disk;
use super::super::faults::Faults;
use super::super::tail::HOUR_MS;
use super::*;

#[derive(Clone, Debug)]
enum Act {
    /// So many rows, after so many numbers left out.
    Append(u8, u8),
    /// What the journal has, from so many frames before the end.
    Replay(usize),
    /// Memory is lost.
    Crash,
    /// So is the MANIFEST.
    Rebuild,
    Flush,
    Maintain,
    NextHour,
    Restart,
    Stop(usize),
    Heal,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u8..5, 0_u8..4).prop_map(|(rows, gap)| Act::Append(rows, gap)),
        1 => (0_usize..10).prop_map(Act::Replay),
        1 => Just(Act::Crash),
        1 => Just(Act::Rebuild),
        4 => Just(Act::Flush),
        3 => Just(Act::Maintain),
        2 => Just(Act::NextHour),
        1 => Just(Act::Restart),
        1 => (0_usize..20).prop_map(Act::Stop),
        1 => Just(Act::Heal),
    ]
}

/// Rows of the journal, whose octets are their numbers.
struct Frame {
    first_seq: u64,
    octets: Vec<u64>,
    arrival_ms: u64,
}

/// A store, the journal that its rows come from, and what it must hold.
struct Life {
    dir: tempfile::TempDir,
    store: Option<LogStore>,
    faults: Arc<Faults>,
    now: u64,
    next: u64,
    journal: Vec<Frame>,
}

impl Life {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::after(usize::MAX));
        let mut life = Self {
            dir,
            store: None,
            faults,
            now: HOUR,
            next: 0,
            journal: Vec::new(),
        };
        life.open();
        life
    }

    fn open(&mut self) {
        let mut settings = Settings::new(self.dir.path());
        settings.tail_age = std::time::Duration::ZERO;
        self.store = Some(LogStore::open_on(settings, Disk::failing(&self.faults)).unwrap());
    }

    fn store(&self) -> &LogStore {
        self.store.as_ref().unwrap()
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Append(count, gap) => {
                let first_seq = self.next + u64::from(*gap);
                self.next = first_seq + u64::from(*count);
                let frame = Frame {
                    first_seq,
                    octets: (first_seq..self.next).collect(),
                    arrival_ms: self.now,
                };
                // A logstore that could not be made has nothing to lose.
                if take(self.store(), &frame).is_ok() {
                    self.journal.push(frame);
                }
            }
            Act::Replay(frames) => self.replay(*frames),
            Act::Crash => {
                self.store = None;
                self.faults.heal();
                self.open();
                self.replay(usize::MAX);
            }
            Act::Rebuild => {
                self.store = None;
                self.faults.heal();
                let _ = std::fs::remove_file(self.dir.path().join("sag/flows/MANIFEST"));
                self.open();
                self.replay(usize::MAX);
            }
            Act::Flush => {
                let _ = self.store().flush();
            }
            Act::Maintain => maintain(self.store(), self.now),
            Act::NextHour => self.now += HOUR_MS,
            Act::Restart => {
                self.faults.heal();
                self.store().flush().unwrap();
                self.store = None;
                self.open();
            }
            Act::Stop(steps) => self.faults.stop_after(*steps),
            Act::Heal => self.faults.heal(),
        }
    }

    /// The last so many frames again, or all that are not durable.
    fn replay(&self, frames: usize) {
        let durable = self.store().durable();
        let durable = durable.first().map_or(0, |(_, seq)| *seq);
        let is_due = |frame: &&Frame| frame.first_seq + frame.octets.len() as u64 > durable;
        let due = self.journal.iter().filter(is_due).count();
        let from = self.journal.len() - frames.min(self.journal.len()).max(due);
        for frame in &self.journal[from..] {
            take(self.store(), frame).unwrap();
        }
    }

    fn check(&self) {
        let found = rows_of(self.store(), "SELECT seq, bytes FROM flows ORDER BY seq");
        let number = |value: &Value| value.as_u64().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|row| (number(&row[0]), number(&row[1])))
            .collect();
        let journaled = self.journal.iter().flat_map(|frame| frame.octets.clone());
        let expected: Vec<_> = journaled.map(|seq| (seq, seq)).collect();
        assert_eq!(found, expected);
        let end = expected.last().map_or(0, |(seq, _)| seq + 1);
        assert_eq!(self.store().next_seq(), end);
        let parts = self.store().parts();
        assert!(
            parts
                .windows(2)
                .all(|pair| pair[0].last_seq < pair[1].first_seq)
        );
        assert!(
            parts
                .windows(2)
                .all(|pair| pair[0].arrival_hour <= pair[1].arrival_hour)
        );
        assert!(
            parts
                .iter()
                .all(|part| part.last_seq - part.first_seq + 1 >= part.rows)
        );
    }
}

fn take(store: &LogStore, frame: &Frame) -> Result<Amount, AppendError> {
    let rows = rows(frame.arrival_ms, &frame.octets);
    store.append_rows("sag", "flows", &rows, frame.first_seq, frame.arrival_ms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_row_taken_is_there_once_and_in_order(acts in prop::collection::vec(act(), 1..80)) {
        let mut life = Life::new();
        for act in &acts {
            life.act(act);
        }
        life.check();
        life.act(&Act::Restart);
        life.now += HOUR_MS;
        life.act(&Act::Maintain);
        life.check();
    }
}
