//! Whose records were dropped, and where: every dropped batch is attributed.

use std::net::IpAddr;
use std::ops::{Index, IndexMut};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::flow::Amount;

/// Where records are dropped after they were decoded and routed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Place {
    /// Cache and hand-over were full.
    HandOver,
    /// The journal could not take them.
    Journal,
    /// The log store could not take them.
    LogStore,
    /// A collector that they are re-exported to took others too slowly.
    Export,
}

impl Place {
    /// All of them, in the order of a record's way.
    pub const ALL: [Self; 4] = [Self::HandOver, Self::Journal, Self::LogStore, Self::Export];

    /// What it is called in the log.
    pub const fn words(self) -> &'static str {
        match self {
            Self::HandOver => "hand-over",
            Self::Journal => "journal",
            Self::LogStore => "log store",
            Self::Export => "queue of a collector",
        }
    }

    /// The word used in answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::HandOver => "hand-over",
            Self::Journal => "journal",
            Self::LogStore => "log-store",
            Self::Export => "export",
        }
    }
}

/// An amount for each place.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lost {
    hand_over: Amount,
    journal: Amount,
    log_store: Amount,
    export: Amount,
}

/// What was dropped since the start, by exporter.
#[derive(Debug)]
pub struct Losses {
    exporters: HashMap<IpAddr, Lost, RandomState>,
    /// Exporters that are told apart.
    exporters_max: usize,
    total: Lost,
}

impl Lost {
    /// Records lost in all places.
    pub fn records(&self) -> u64 {
        let places = Place::ALL.iter();
        places.map(|place| self[*place].records).sum()
    }
}

impl Losses {
    /// Nothing lost; tells so many exporters apart, of the others only the
    /// total is known.
    pub fn new(exporters_max: usize) -> Self {
        Self {
            exporters: HashMap::default(),
            exporters_max,
            total: Lost::default(),
        }
    }

    /// Books what a dropped batch held of each exporter.
    pub fn book(&mut self, place: Place, exporters: &[(IpAddr, Amount)]) {
        for (exporter, amount) in exporters {
            self.total[place] += *amount;
            let has_room = self.exporters.len() < self.exporters_max;
            if has_room || self.exporters.contains_key(exporter) {
                self.exporters.entry(*exporter).or_default()[place] += *amount;
            }
        }
    }

    /// What was lost of one exporter.
    pub fn of(&self, exporter: IpAddr) -> Lost {
        self.exporters.get(&exporter).copied().unwrap_or_default()
    }

    /// What was lost of all, also of those not told apart.
    pub fn total(&self) -> Lost {
        self.total
    }

    /// Every exporter that is told apart and lost something, in no order.
    pub fn exporters(&self) -> impl Iterator<Item = (IpAddr, Lost)> {
        self.exporters
            .iter()
            .map(|(exporter, lost)| (*exporter, *lost))
    }
}

impl Index<Place> for Lost {
    type Output = Amount;

    fn index(&self, place: Place) -> &Amount {
        match place {
            Place::HandOver => &self.hand_over,
            Place::Journal => &self.journal,
            Place::LogStore => &self.log_store,
            Place::Export => &self.export,
        }
    }
}

impl IndexMut<Place> for Lost {
    fn index_mut(&mut self, place: Place) -> &mut Amount {
        match place {
            Place::HandOver => &mut self.hand_over,
            Place::Journal => &mut self.journal,
            Place::LogStore => &mut self.log_store,
            Place::Export => &mut self.export,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(records: u64) -> Amount {
        Amount {
            records,
            octets: 100 * records,
            packets: records,
        }
    }

    #[test]
    fn exporters_beyond_the_maximum_count_in_the_total_only() {
        let [first, second, third] = [1, 2, 3].map(|last| IpAddr::from([192, 0, 2, last]));
        let mut losses = Losses::new(2);
        losses.book(
            Place::HandOver,
            &[(first, records(1)), (second, records(2))],
        );
        losses.book(Place::LogStore, &[(third, records(4)), (first, records(8))]);
        let lost = |hand_over, log_store| Lost {
            hand_over: records(hand_over),
            journal: Amount::default(),
            log_store: records(log_store),
            export: Amount::default(),
        };
        assert_eq!(losses.of(first), lost(1, 8));
        assert_eq!(losses.of(second), lost(2, 0));
        assert_eq!(losses.of(third), lost(0, 0));
        assert_eq!(losses.total(), lost(3, 12));
        assert_eq!(losses.total().records(), 15);
    }
}
