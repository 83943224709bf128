//! Random lives of a store, against what any store must have in the end.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::disk::Disk;
use super::super::faults::Faults;
use super::super::tail::HOUR_MS;
use super::*;

#[derive(Clone, Debug)]
enum Act {
    Append(u8),
    Flush,
    Maintain,
    NextHour,
    Restart,
    Stop(usize),
    Heal,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u8..5).prop_map(Act::Append),
        4 => Just(Act::Flush),
        3 => Just(Act::Maintain),
        2 => Just(Act::NextHour),
        1 => Just(Act::Restart),
        1 => (0_usize..20).prop_map(Act::Stop),
        1 => Just(Act::Heal),
    ]
}

/// A store and what it must hold, rows known by their octets.
struct Life {
    dir: tempfile::TempDir,
    store: Option<LogStore>,
    faults: Arc<Faults>,
    now: u64,
    next: u64,
    expected: Vec<u64>,
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
            expected: Vec::new(),
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
            Act::Append(count) => {
                let octets: Vec<u64> = (self.next..).take(usize::from(*count)).collect();
                self.next += u64::from(*count);
                let taken =
                    self.store()
                        .append_rows("sag", "flows", &rows(self.now, &octets), self.now);
                if taken.is_ok() {
                    self.expected.extend(octets);
                }
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

    fn check(&self) {
        let found = rows_of(self.store(), "SELECT bytes, seq FROM flows ORDER BY seq");
        let octets: Vec<u64> = found.iter().map(|row| row[0].as_u64().unwrap()).collect();
        assert_eq!(octets, self.expected);
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
                .all(|part| part.last_seq - part.first_seq + 1 == part.rows)
        );
    }
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
