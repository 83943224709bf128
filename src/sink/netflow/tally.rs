//! What became of the rows that one collector was to get.

use std::collections::BTreeMap;

use crate::flow::Amount;
use crate::flow::Lacks;

use super::stream::Account;

/// `offered = pending + sent + Σ unsent`, exact at any moment.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Rows that are for the collector.
    pub offered: Amount,
    /// Rows that wait, or are in a message that is not sent yet.
    pub pending: Amount,
    /// Rows in messages that were sent; over UDP nobody says whether they arrived.
    pub sent: Amount,
    /// Rows that were not sent, by reason.
    pub unsent: BTreeMap<&'static str, Amount>,
    /// Messages sent, those with Templates only too.
    pub messages: u64,
    /// Octets of them.
    pub octets: u64,
    /// Data Records in them.
    pub records: u64,
    /// Times sending failed, by reason: of UDP, also for a message that was sent
    /// before.
    pub failures: BTreeMap<&'static str, u64>,
    /// Rows that lack something the version cannot carry, by what it is.
    pub lacking: Lacking,
    /// Transport sessions begun.
    pub sessions: u64,
    /// Templates in use, those of options among them.
    pub templates: u64,
}

impl Tally {
    /// Rows came.
    pub fn offer(&mut self, amount: Amount) {
        self.offered += amount;
        self.pending += amount;
    }

    /// Rows that waited were sent.
    pub fn send(&mut self, amount: Amount) {
        self.pending = self.pending - amount;
        self.sent += amount;
    }

    /// Rows that waited will not be sent.
    pub fn drop(&mut self, why: &'static str, amount: Amount) {
        self.pending = self.pending - amount;
        *self.unsent.entry(why).or_default() += amount;
    }

    /// Sending failed.
    pub fn fail(&mut self, why: &'static str) {
        *self.failures.entry(why).or_default() += 1;
    }

    /// Adds another collector's.
    pub fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.pending += other.pending;
        self.sent += other.sent;
        for (why, amount) in &other.unsent {
            *self.unsent.entry(why).or_default() += *amount;
        }
        self.messages += other.messages;
        self.octets += other.octets;
        self.records += other.records;
        for (why, count) in &other.failures {
            *self.failures.entry(why).or_default() += count;
        }
        self.lacking.sum(&other.lacking);
        self.sessions += other.sessions;
        self.templates += other.templates;
    }

    /// As the collector is told it: a row that its filter kept back is not lost.
    pub fn account(&self) -> Account {
        let unsent = self.unsent.iter();
        let taken = unsent.filter(|(why, _)| ![FILTERED, FULL].contains(why));
        Account {
            messages: self.messages,
            records: self.records,
            octets: self.octets,
            unsent: taken.fold(Amount::default(), |sum, (_, amount)| sum + *amount),
            ignored: self.unsent.get(FULL).map_or(0, |amount| amount.records),
        }
    }

    /// Rows that were not sent, for any reason.
    pub fn unsent(&self) -> Amount {
        let all = self.unsent.values();
        all.fold(Amount::default(), |sum, amount| sum + *amount)
    }

    /// Everything that ended or waits.
    pub fn sum(&self) -> Amount {
        self.pending + self.sent + self.unsent()
    }
}

/// Reason of rows that the filter kept back.
pub(super) const FILTERED: &str = "filtered";
/// Reason of rows that found the queue full.
pub(super) const FULL: &str = "queue-full";

/// How many rows lack what: a count for each bit of [`Lacks`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lacking([u64; 32]);

impl Lacking {
    /// A row lacks something.
    pub fn add(&mut self, lacks: Lacks) {
        for (bit, count) in (0..).zip(&mut self.0) {
            *count += u64::from(lacks.bits() >> bit & 1);
        }
    }

    /// Adds others.
    pub fn sum(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }

    /// What rows lack, and how many do; only what some lack.
    pub fn by_label(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = (0..).zip(self.0).filter(|(_, count)| *count > 0);
        counts.flat_map(|(bit, count)| {
            let lacks = Lacks::from_bits_truncate(1_u32.checked_shl(bit).unwrap_or(0));
            lacks.labels().map(move |label| (label, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(records: u64) -> Amount {
        Amount {
            records,
            octets: 100 * records,
            packets: 2 * records,
        }
    }

    #[test]
    fn what_was_offered_waits_was_sent_or_was_not() {
        let mut tally = Tally::default();
        tally.offer(amount(10));
        tally.send(amount(4));
        tally.drop("filtered", amount(3));
        assert_eq!((tally.pending, tally.sum()), (amount(3), amount(10)));
        let mut sum = tally.clone();
        sum.add(&tally);
        assert_eq!((sum.offered, sum.sum()), (amount(20), amount(20)));
        assert_eq!(sum.unsent["filtered"], amount(6));
    }

    #[test]
    fn a_collector_is_told_what_is_lost_and_not_what_it_does_not_want() {
        let mut tally = Tally::default();
        tally.offer(amount(10));
        tally.drop(FILTERED, amount(1));
        tally.drop(FULL, amount(2));
        tally.drop("refused", amount(3));
        tally.drop("event", amount(1));
        let account = tally.account();
        assert_eq!((account.unsent, account.ignored), (amount(4), 2));
    }

    #[test]
    fn what_rows_lack_is_counted_by_what_it_is() {
        let mut lacking = Lacking::default();
        lacking.add(Lacks::VLAN | Lacks::COUNTERS);
        lacking.add(Lacks::VLAN);
        lacking.add(Lacks::empty());
        let counts: Vec<_> = lacking.by_label().collect();
        assert_eq!(counts, [("vlan", 2), ("counters", 1)]);
    }
}
