//! What names were resolved to: pure, with time as an argument.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Names with their addresses, and which of these are known to be good.
///
/// Addresses are good once the service itself has answered from one of them: a
/// resolver that lies does not make the good ones forgotten. At most so many
/// names are kept; the one that was asked for the longest ago makes room.
#[derive(Debug)]
pub(super) struct Names {
    names: BTreeMap<String, Entry>,
    names_max: usize,
}

#[derive(Debug, Default)]
struct Entry {
    /// What it was resolved to last.
    latest: Vec<IpAddr>,
    /// What worked last.
    good: Vec<IpAddr>,
    /// When the service answered last from one of these.
    good_at: Duration,
    /// Why the good ones are used although it does not resolve.
    trouble: Option<String>,
    asked_at: Duration,
}

impl Names {
    /// Of so many names at most, at least one.
    pub(super) fn new(names_max: usize) -> Self {
        Self {
            names: BTreeMap::new(),
            names_max: names_max.max(1),
        }
    }

    /// Notes what a name resolves to; says whether it did not before.
    pub(super) fn resolved(&mut self, name: &str, addresses: &[IpAddr], now: Duration) -> bool {
        let entry = self.entry(name, now);
        entry.latest = addresses.to_vec();
        entry.trouble.take().is_some()
    }

    /// The addresses to use of a name that does not resolve: those that worked
    /// last, if that was within [`STALE_MAX`].
    pub(super) fn unresolved(&mut self, name: &str, why: &str, now: Duration) -> Option<&[IpAddr]> {
        let entry = self.entry(name, now);
        let is_known = !entry.good.is_empty() && now.saturating_sub(entry.good_at) <= STALE_MAX;
        entry.trouble = is_known.then(|| why.to_owned());
        is_known.then_some(&entry.good)
    }

    /// Notes that the service answered from an address.
    pub(super) fn worked(&mut self, address: IpAddr, now: Duration) {
        for entry in self.names.values_mut() {
            let is_latest = entry.latest.contains(&address);
            if is_latest && entry.good != entry.latest {
                entry.good.clone_from(&entry.latest);
            }
            if is_latest || entry.good.contains(&address) {
                entry.good_at = now;
            }
        }
    }

    /// Why a name does not resolve while its good addresses are used.
    pub(super) fn trouble(&self, name: &str) -> Option<&str> {
        self.names.get(name)?.trouble.as_deref()
    }

    fn entry(&mut self, name: &str, now: Duration) -> &mut Entry {
        if !self.names.contains_key(name) && self.names.len() >= self.names_max {
            let oldest = self.names.iter().min_by_key(|(_, entry)| entry.asked_at);
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.and_then(|oldest| self.names.remove(&oldest));
        }
        let entry = self.names.entry(name.to_owned()).or_default();
        entry.asked_at = now;
        entry
    }
}

/// How long addresses that do not work stay good. RFC 8767 §5: one to three days.
const STALE_MAX: Duration = Duration::from_hours(72);

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 3));

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_worked_last_is_used_while_a_name_does_not_resolve() {
        let mut names = Names::new(8);
        assert!(!names.resolved("p.log", &[A, B], at(0)));
        names.worked(B, at(1));
        assert_eq!(names.trouble("p.log"), None);
        let good = names.unresolved("p.log", "no such name", at(2));
        assert_eq!(good, Some([A, B].as_slice()));
        assert_eq!(names.trouble("p.log"), Some("no such name"));
        assert!(names.resolved("p.log", &[C], at(3)));
        assert_eq!(names.trouble("p.log"), None);
    }

    #[test]
    fn addresses_that_never_worked_are_not_used() {
        let mut names = Names::new(8);
        assert_eq!(names.unresolved("p.log", "no such name", at(0)), None);
        assert_eq!(names.trouble("p.log"), None);
        names.resolved("p.log", &[A], at(1));
        assert_eq!(names.unresolved("p.log", "no such name", at(2)), None);
        names.worked(C, at(3));
        assert_eq!(names.unresolved("p.log", "no such name", at(4)), None);
    }

    #[test]
    fn a_lie_of_the_resolver_does_not_make_the_truth_forgotten() {
        let mut names = Names::new(8);
        names.resolved("p.log", &[A], at(0));
        names.worked(A, at(1));
        names.resolved("p.log", &[C], at(2));
        let good = names.unresolved("p.log", "refused", at(3));
        assert_eq!(good, Some([A].as_slice()));
        // No lie: it answers.
        names.resolved("p.log", &[C], at(4));
        names.worked(C, at(5));
        let good = names.unresolved("p.log", "refused", at(6));
        assert_eq!(good, Some([C].as_slice()));
    }

    #[test]
    fn addresses_are_good_for_three_days_after_they_worked() {
        let mut names = Names::new(8);
        names.resolved("p.log", &[A], at(0));
        names.worked(A, at(0));
        let days = Duration::from_hours(72);
        assert!(names.unresolved("p.log", "refused", days).is_some());
        names.worked(A, days);
        assert!(names.unresolved("p.log", "refused", days * 2).is_some());
        let late = days * 2 + at(1);
        assert_eq!(names.unresolved("p.log", "refused", late), None);
        assert_eq!(names.trouble("p.log"), None);
    }

    #[test]
    fn the_name_asked_for_the_longest_ago_makes_room() {
        let mut names = Names::new(2);
        for (second, name) in [(0, "a"), (1, "b"), (2, "a"), (3, "c")] {
            names.resolved(name, &[A], at(second));
        }
        let kept: Vec<_> = names.names.keys().map(String::as_str).collect();
        assert_eq!(kept, ["a", "c"]);
    }
}
