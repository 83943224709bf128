//! What exporters do wrong, in the log: a few lines a minute, whatever they send.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

use crate::daemon::losses::{Losses, Lost, Place};
use crate::session::ExporterView;
use crate::wire::Reason;

/// Exporters named in one round; of more, only the number is said.
const NAMED_MAX: usize = 20;

/// One domain of one exporter's port.
type Origin = (IpAddr, u16, u16, u32);

/// What was known of each exporter at the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: HashMap<Origin, Seen>,
    /// What had been dropped of each exporter at the last look, as many as
    /// [`Losses`] tells apart.
    losses: HashMap<IpAddr, Lost>,
    /// What had been dropped of all.
    lost: Lost,
}

/// Counters at the last look.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    faults: [u32; Reason::LABELS.len()],
    lost: u64,
    restarts: u64,
}

/// What is new about one exporter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct News {
    /// Its address.
    pub(super) exporter: IpAddr,
    /// Its Observation Domain.
    pub(super) domain: u32,
    /// `reason=count`, those of its whole session.
    pub(super) faults: Vec<(&'static str, u32)>,
    /// Units missing by sequence number.
    pub(super) lost: u64,
    /// Restarts.
    pub(super) restarts: u64,
}

impl Watch {
    /// Compares with the last look and says what is new. What is known of
    /// exporters that are gone is forgotten, so this grows no further than
    /// the sessions do.
    pub(super) fn look(&mut self, views: &[ExporterView]) -> Vec<News> {
        let mut seen = HashMap::with_capacity(views.len());
        let mut news = Vec::new();
        for view in views {
            let peer = view.peer;
            let origin = (peer.exporter, peer.port, peer.local_port, view.domain);
            let before = self.seen.get(&origin).copied().unwrap_or_default();
            let now = Seen {
                faults: view.faults,
                lost: view.sequence.lost,
                restarts: view.restarts,
            };
            news.extend(new_since(view, before, now));
            seen.insert(origin, now);
        }
        self.seen = seen;
        news
    }

    /// Writes into the log whose records were dropped.
    pub(super) fn mourn(news: &[(IpAddr, u64, u64)]) {
        for (exporter, hand_over, log_store) in news.iter().take(NAMED_MAX) {
            tracing::error!(
                %exporter,
                hand_over,
                log_store,
                "records were dropped: the log store is too slow or takes none"
            );
        }
        let others = news.len().saturating_sub(NAMED_MAX);
        if others > 0 {
            tracing::error!(others, "more exporters' records were dropped");
        }
    }

    /// Exporters with losses since the last look, the greatest first, and how
    /// many records each lost in the hand-over and in the log store.
    pub(super) fn compare(&mut self, losses: &Losses) -> Vec<(IpAddr, u64, u64)> {
        // Nothing is lost on most looks, and then there is nothing to compare.
        if losses.total() == self.lost {
            return Vec::new();
        }
        self.lost = losses.total();
        let mut news = Vec::new();
        for (exporter, now) in losses.exporters() {
            let before = self.losses.insert(exporter, now).unwrap_or_default();
            let new = |place| now[place].records.wrapping_sub(before[place].records);
            if now != before {
                news.push((exporter, new(Place::HandOver), new(Place::LogStore)));
            }
        }
        news.sort_by_key(|(exporter, hand_over, log_store)| {
            (Reverse(hand_over + log_store), *exporter)
        });
        news
    }

    /// Looks, and writes what is new into the log.
    pub(super) fn report(&mut self, views: &[ExporterView]) {
        let news = self.look(views);
        for new in news.iter().take(NAMED_MAX) {
            tracing::warn!(
                exporter = %new.exporter,
                domain = new.domain,
                faults = %Faults(&new.faults),
                lost = new.lost,
                restarts = new.restarts,
                "an exporter's messages were bad or missing; see /api/v1/exporters"
            );
        }
        let others = news.len().saturating_sub(NAMED_MAX);
        if others > 0 {
            tracing::warn!(others, "more exporters' messages were bad or missing");
        }
    }
}

fn new_since(view: &ExporterView, before: Seen, now: Seen) -> Option<News> {
    let counts = now.faults.iter().zip(before.faults);
    let faults: Vec<(&'static str, u32)> = Reason::LABELS
        .iter()
        .zip(counts)
        .map(|(label, (now, before))| (*label, now.saturating_sub(before)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let news = News {
        exporter: view.peer.exporter,
        domain: view.domain,
        faults,
        lost: now.lost.saturating_sub(before.lost),
        restarts: now.restarts.saturating_sub(before.restarts),
    };
    let is_news = !news.faults.is_empty() || news.lost > 0 || news.restarts > 0;
    is_news.then_some(news)
}

/// Faults on one line.
struct Faults<'a>(&'a [(&'static str, u32)]);

impl std::fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (label, count)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{label}={count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Amount;
    use crate::session::Peer;
    use crate::session::SequenceCounts;
    use crate::session::Trust;
    use crate::wire::Version;

    fn view(lost: u64, truncated: u32) -> ExporterView {
        let mut faults = [0; Reason::LABELS.len()];
        faults[Reason::Truncated.index()] = truncated;
        ExporterView {
            peer: Peer {
                exporter: IpAddr::from([192, 0, 2, 1]),
                port: 2055,
                local_port: 9995,
            },
            version: Version::V9,
            domain: 7,
            source: None,
            standing: Trust::Established,
            last_seen_unix_ms: 0,
            messages: 1,
            records: 0,
            records_throttled: 0,
            missing_sets: 0,
            templates: 0,
            sequence: SequenceCounts {
                lost,
                ..SequenceCounts::default()
            },
            sequence_pending: 0,
            restarts: 0,
            faults,
            sampling: None,
            active_secs: None,
            inactive_secs: None,
            statistics: Vec::new(),
            clock_offset_ms: 0,
        }
    }

    #[test]
    fn only_what_is_new_is_said() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(&[view(0, 0)]), []);
        let news = watch.look(&[view(5, 2)]);
        let expected = News {
            exporter: IpAddr::from([192, 0, 2, 1]),
            domain: 7,
            faults: vec![(Reason::Truncated.label(), 2)],
            lost: 5,
            restarts: 0,
        };
        assert_eq!(news, [expected]);
        assert_eq!(watch.look(&[view(5, 2)]), []);
        assert_eq!(watch.look(&[view(6, 2)])[0].lost, 1);
    }

    #[test]
    fn exporters_that_are_gone_are_forgotten() {
        let mut watch = Watch::default();
        watch.look(&[view(1, 1)]);
        watch.look(&[]);
        assert!(watch.seen.is_empty());
    }

    #[test]
    fn losses_are_said_once_the_greatest_first() {
        let [small, great] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        let records = |records| Amount {
            records,
            ..Amount::default()
        };
        let (mut watch, mut losses) = (Watch::default(), Losses::new(8));
        losses.book(Place::HandOver, &[(small, records(1)), (great, records(2))]);
        losses.book(Place::LogStore, &[(great, records(3))]);
        assert_eq!(watch.compare(&losses), [(great, 2, 3), (small, 1, 0)]);
        assert_eq!(watch.compare(&losses), []);
        losses.book(Place::LogStore, &[(small, records(4))]);
        assert_eq!(watch.compare(&losses), [(small, 0, 4)]);
    }

    #[test]
    fn faults_stand_on_one_line() {
        let faults = [("truncated", 2), ("count", 1)];
        assert_eq!(Faults(&faults).to_string(), "truncated=2 count=1");
    }
}
