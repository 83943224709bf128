//! Totals: counters that are never summed, only compared. P-640…P-643.

use hashbrown::HashTable;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::Amount;
use crate::flow::FlowRecord;

/// What a flow's totals said last. 48 octets; the key is in two hashes of
/// different seeds, 128 bits together.
#[derive(Clone, Copy, Debug)]
struct Odometer {
    hash: u64,
    print: u64,
    octets: u64,
    packets: u64,
    start_ms: u64,
    end_ms: u64,
}

/// How far the start of one flow may differ between its records: exporters
/// whose clock has whole seconds and whose flows count uptime round twice.
const START_SLACK_MS: u64 = 2_000;

/// Last totals by key, in two generations: what is not read for one to two
/// turns is forgotten, sooner when there are too many.
#[derive(Debug)]
pub(super) struct Odometers {
    young: HashTable<Odometer>,
    old: HashTable<Odometer>,
    /// Of each generation.
    max: usize,
    /// Counts the turns.
    turn: u32,
    turned_ms: u64,
}

/// Up to which time totals of a source may have been forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forgotten {
    /// Latest end in the generation that is gone, the old one and the young one.
    ends_ms: [u64; 3],
    turn: u32,
}

/// How totals were read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reading {
    /// First of its flow, or more than before.
    Forward,
    /// Counts from 0 again: another start, or less than before.
    Restart,
    /// Ends before the last one: nothing is counted.
    Stale,
    /// Its flow may have been forgotten: nothing is counted.
    Skipped,
}

impl Odometers {
    /// None yet, `max` at most.
    pub(super) fn new(max: usize) -> Self {
        Self {
            young: HashTable::new(),
            old: HashTable::new(),
            max: (max / 2).max(1),
            turn: 0,
            turned_ms: 0,
        }
    }

    /// Turns a record of totals into one of what is new in it.
    ///
    /// It then covers the time since the one before. `hash` and `print` are of
    /// its key.
    pub(super) fn read(
        &mut self,
        (hash, print): (u64, u64),
        forgotten: &mut Forgotten,
        record: &mut FlowRecord,
    ) -> Reading {
        let is = |it: &Odometer| it.hash == hash && it.print == print;
        let last = match self.young.find(hash, is) {
            Some(last) => Some(*last),
            None => self.old.find_entry(hash, is).ok().map(|it| it.remove().0),
        };
        forgotten.turn_to(self.turn);
        let reading = match last {
            None if record.start_ms < forgotten.ends_ms[0] => Reading::Skipped,
            None => Reading::Forward,
            Some(last) if record.end_ms < last.end_ms => Reading::Stale,
            Some(last) if last.restarted(record) => Reading::Restart,
            Some(_) => Reading::Forward,
        };
        let read = match (reading, last) {
            (Reading::Stale, Some(last)) => last,
            _ => Odometer::of(record, hash, print),
        };
        self.keep(read);
        forgotten.turn_to(self.turn);
        forgotten.note(read.end_ms);
        subtract(record, last, reading);
        reading
    }

    /// Forgets what was not read for long; turns once in `hold_ms`.
    pub(super) fn turn(&mut self, now_ms: u64, hold_ms: u64) {
        if now_ms.saturating_sub(self.turned_ms) >= hold_ms {
            self.turned_ms = now_ms;
            self.forget();
        }
    }

    /// Totals remembered.
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn keep(&mut self, read: Odometer) {
        let is = |it: &Odometer| it.hash == read.hash && it.print == read.print;
        if let Some(place) = self.young.find_mut(read.hash, is) {
            *place = read;
            return;
        }
        if self.young.len() >= self.max {
            self.forget();
        }
        self.young.insert_unique(read.hash, read, |it| it.hash);
    }

    fn forget(&mut self) {
        if self.len() > 0 {
            self.old = std::mem::take(&mut self.young);
            self.turn = self.turn.wrapping_add(1);
        }
    }
}

impl Odometer {
    fn of(record: &FlowRecord, hash: u64, print: u64) -> Self {
        Self {
            hash,
            print,
            octets: record.octets,
            packets: record.packets,
            start_ms: record.start_ms,
            end_ms: record.end_ms,
        }
    }

    fn restarted(&self, record: &FlowRecord) -> bool {
        record.start_ms.abs_diff(self.start_ms) > START_SLACK_MS
            || record.octets < self.octets
            || record.packets < self.packets
    }
}

impl Forgotten {
    fn turn_to(&mut self, turn: u32) {
        for _ in 0..turn.wrapping_sub(self.turn).min(2) {
            let [gone, old, young] = self.ends_ms;
            self.ends_ms = [gone.max(old), young, 0];
        }
        self.turn = turn;
    }

    fn note(&mut self, end_ms: u64) {
        self.ends_ms[2] = self.ends_ms[2].max(end_ms);
    }
}

/// Leaves in a record what its totals say that `last` did not.
fn subtract(record: &mut FlowRecord, last: Option<Odometer>, reading: Reading) {
    match (reading, last) {
        (Reading::Forward, Some(last)) => {
            record.octets -= last.octets;
            record.packets -= last.packets;
            record.start_ms = last.end_ms.max(record.start_ms).min(record.end_ms);
        }
        (Reading::Stale | Reading::Skipped, _) => {
            record.octets = 0;
            record.packets = 0;
            record.start_ms = record.end_ms;
        }
        (Reading::Forward | Reading::Restart, _) => {}
    }
}

/// What totals amounted to.
#[derive(
    Clone, Copy, Debug, Default, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq,
)]
#[repr(C)]
pub struct OdometerStats {
    /// Records that counted from 0 again.
    pub restarts: u64,
    /// Records that ended before the last one: nothing of them was counted.
    pub stale: u64,
    /// Records of flows that may have been forgotten: nothing of them was counted.
    pub skipped: u64,
    /// Octets and packets of all totals that were not counted, for the most
    /// part because they had been before.
    pub repeated: Amount,
}
