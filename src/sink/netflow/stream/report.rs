//! When a collector is told how much of its rows did not reach it.

use super::Moment;
use super::RefreshEvery;
use crate::flow::Amount;
use crate::flow::Report;

/// What is known of the rows of one collector.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// Messages sent.
    pub messages: u64,
    /// Data Records in them.
    pub records: u64,
    /// Octets of them.
    pub octets: u64,
    /// Rows that were taken up and not sent; those a filter kept back are none.
    pub unsent: Amount,
    /// Records of rows for which there was no room.
    pub ignored: u64,
}

/// Watches an [`Account`], and says when it is to be told.
#[derive(Debug)]
pub(super) struct Reporter {
    every: RefreshEvery,
    account: Option<Account>,
    unsent_ms: Option<(u64, u64)>,
    ignored_ms: Option<(u64, u64)>,
    /// When the account was first seen, ms since 1970.
    began_ms: u64,
    /// When and with how many messages it was told last.
    told: (u64, u64),
}

impl Reporter {
    /// Tells as often as Templates are repeated; over TCP, which repeats none,
    /// by time.
    pub(super) fn new(refresh: Option<RefreshEvery>) -> Self {
        Self {
            every: refresh.unwrap_or(UNREPEATED),
            account: None,
            unsent_ms: None,
            ignored_ms: None,
            began_ms: 0,
            told: (0, 0),
        }
    }

    /// Sees how things stand, and by that when something was lost.
    pub(super) fn see(&mut self, account: Account, now: Moment) {
        let Some(before) = self.account.replace(account) else {
            self.began_ms = now.unix_ms;
            self.told = (now.monotonic_ms, account.messages);
            return;
        };
        let extend = |span: &mut Option<(u64, u64)>| {
            let first = span.map_or(now.unix_ms, |(first, _)| first);
            *span = Some((first, now.unix_ms.max(first)));
        };
        if account.unsent != before.unsent {
            extend(&mut self.unsent_ms);
        }
        if account.ignored != before.ignored {
            extend(&mut self.ignored_ms);
        }
    }

    /// When it is to be told, by the monotonic clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let account = self.account?;
        let messages = account.messages.saturating_sub(self.told.1);
        Some(match messages >= self.every.messages.into() {
            true => 0,
            false => self.told.0.saturating_add(self.every.ms),
        })
    }

    /// What to tell now, if it is time.
    pub(super) fn report(&mut self, now: Moment) -> Option<Report> {
        let account = self.account?;
        if self.due_ms()? > now.monotonic_ms {
            return None;
        }
        self.told = (now.monotonic_ms, account.messages);
        // While nothing is lost, the interval is where counting began.
        let nothing = (self.began_ms, self.began_ms);
        Some(Report {
            messages: account.messages,
            records: account.records,
            octets: account.octets,
            unsent: account.unsent,
            unsent_ms: self.unsent_ms.unwrap_or(nothing),
            ignored: account.ignored,
            ignored_ms: self.ignored_ms.unwrap_or(nothing),
        })
    }
}

/// RFC 5153 §6.2 has 600 s for Templates (P-721).
const UNREPEATED: RefreshEvery = RefreshEvery {
    ms: 600_000,
    messages: u32::MAX,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment {
            unix_ms: 1_000_000 + ms,
            monotonic_ms: ms,
        }
    }

    fn lost(records: u64, ignored: u64) -> Account {
        Account {
            unsent: Amount {
                records,
                ..Amount::default()
            },
            ignored,
            ..Account::default()
        }
    }

    #[test]
    fn losses_have_the_times_of_the_first_and_the_last() {
        let mut reporter = Reporter::new(None);
        for (ms, account) in [
            (1, lost(0, 0)),
            (2, lost(1, 0)),
            (3, lost(1, 0)),
            (4, lost(2, 9)),
            (5, lost(2, 9)),
        ] {
            reporter.see(account, at(ms));
        }
        assert_eq!(reporter.report(at(600_000)), None);
        let report = reporter.report(at(600_001)).unwrap();
        assert_eq!((report.unsent.records, report.ignored), (2, 9));
        assert_eq!(report.unsent_ms, (1_000_002, 1_000_004));
        assert_eq!(report.ignored_ms, (1_000_004, 1_000_004));
    }

    #[test]
    fn without_a_loss_the_interval_is_where_counting_began() {
        let mut reporter = Reporter::new(Some(RefreshEvery {
            ms: 100,
            messages: 20,
        }));
        assert_eq!(reporter.report(at(500)), None);
        reporter.see(lost(0, 0), at(500));
        assert_eq!(reporter.due_ms(), Some(600));
        let report = reporter.report(at(600)).unwrap();
        assert_eq!(report.unsent_ms, (1_000_500, 1_000_500));
        assert_eq!(reporter.due_ms(), Some(700));
    }
}
