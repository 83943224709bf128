//! The limiters of all projects and logstores.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::Aimd;
use super::Backoff;
use super::Feedback;
use crate::sink::sls::verdict::Scope;
use crate::sink::sls::verdict::Verdict;

/// One limiter per project and one per logstore of it.
///
/// A write quota slows down its project, a shard's quota its logstore only. At
/// most so many of each are kept: idle ones make room, and when none is idle
/// the newcomers share one.
#[derive(Debug)]
pub struct Limiters {
    bounds: RangeInclusive<u32>,
    backoff: Backoff,
    entries_max: usize,
    projects: HashMap<Arc<str>, Aimd>,
    logstores: HashMap<(Arc<str>, Arc<str>), Aimd>,
}

/// Leave for one request; must be given back to [`Limiters::finish`].
#[derive(Debug)]
#[must_use = "a permit that is not given back is in flight for ever"]
pub struct Permit {
    project: Arc<str>,
    logstore: (Arc<str>, Arc<str>),
    rounds: (u64, u64),
}

impl Limiters {
    /// No limiters yet; each will let 1 to `most` requests be in flight.
    pub fn new(most: u32, backoff: Backoff, entries_max: usize) -> Self {
        Self {
            bounds: 1..=most,
            backoff,
            entries_max,
            projects: HashMap::new(),
            logstores: HashMap::new(),
        }
    }

    /// Leave to send one request to a logstore, if both limiters have room.
    pub fn start(&mut self, project: &str, logstore: &str, now: Duration) -> Option<Permit> {
        let new = || Aimd::new(self.bounds.clone(), self.backoff);
        let project = Arc::from(project);
        let logstore = (Arc::clone(&project), Arc::from(logstore));
        let project = admit(&mut self.projects, project, self.entries_max);
        let logstore = admit(&mut self.logstores, logstore, self.entries_max);
        let of_project = self
            .projects
            .entry(Arc::clone(&project))
            .or_insert_with(new);
        let of_logstore = self.logstores.entry(logstore.clone()).or_insert_with(new);
        if !of_project.has_room(now) || !of_logstore.has_room(now) {
            return None;
        }
        Some(Permit {
            rounds: (of_project.start(), of_logstore.start()),
            project,
            logstore,
        })
    }

    /// Takes the end of a request; no verdict means that no answer came.
    pub fn finish(&mut self, permit: Permit, verdict: Option<Verdict>, now: Duration, random: u64) {
        self.end(permit, feedback(verdict), now, random);
    }

    fn end(
        &mut self,
        permit: Permit,
        (of_project, of_logstore): (Feedback, Feedback),
        now: Duration,
        random: u64,
    ) {
        if let Some(limiter) = self.projects.get_mut(&permit.project) {
            limiter.finish(permit.rounds.0, of_project, now, random);
        }
        if let Some(limiter) = self.logstores.get_mut(&permit.logstore) {
            limiter.finish(permit.rounds.1, of_logstore, now, random);
        }
    }

    /// Takes back a permit whose request says nothing about load, or was never
    /// sent.
    pub fn cancel(&mut self, permit: Permit, now: Duration) {
        self.end(permit, (Feedback::Neither, Feedback::Neither), now, 0);
    }

    /// Until when nothing may be sent to a logstore, whoever asks; in the past
    /// when something may.
    pub fn paused_until(&self, project: &str, logstore: &str) -> Duration {
        let limiters = [self.project(project), self.logstore(project, logstore)];
        let paused = limiters.into_iter().flatten().map(Aimd::paused_until);
        paused.max().unwrap_or_default()
    }

    /// How many requests may be in flight to a logstore; 1 before the first.
    pub fn room(&self, project: &str, logstore: &str) -> u32 {
        let limiters = [self.project(project), self.logstore(project, logstore)];
        let limits = limiters.into_iter().flatten().map(Aimd::limit);
        limits.min().unwrap_or(1)
    }

    /// The limiter of a project, if it has one.
    pub fn project(&self, project: &str) -> Option<&Aimd> {
        self.projects.get(project)
    }

    /// The limiter of a logstore, if it has one.
    pub fn logstore(&self, project: &str, logstore: &str) -> Option<&Aimd> {
        let name = (Arc::from(project), Arc::from(logstore));
        self.logstores.get(&name)
    }
}

/// What an answer says to the project's limiter, and to the logstore's.
fn feedback(verdict: Option<Verdict>) -> (Feedback, Feedback) {
    match verdict {
        Some(Verdict::Delivered) => (Feedback::Taken, Feedback::Taken),
        Some(Verdict::Throttled(Scope::Project)) => (Feedback::Throttled, Feedback::Neither),
        Some(Verdict::Throttled(Scope::Logstore)) => (Feedback::Neither, Feedback::Throttled),
        Some(Verdict::Retry) | None => (Feedback::Failed, Feedback::Neither),
        Some(
            Verdict::RetryAfterSkew
            | Verdict::Split
            | Verdict::Bisect
            | Verdict::Clamp
            | Verdict::Credentials
            | Verdict::Hold(_)
            | Verdict::DeadLetter,
        ) => (Feedback::Neither, Feedback::Neither),
    }
}

/// The name under which a newcomer is kept: its own while there is room.
fn admit<K: Clone + Default + Eq + Hash>(
    table: &mut HashMap<K, Aimd>,
    name: K,
    entries_max: usize,
) -> K {
    if table.contains_key(&name) || table.len() < entries_max {
        return name;
    }
    table.retain(|_, limiter| limiter.in_flight() > 0);
    if table.len() < entries_max {
        name
    } else {
        K::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const SHARD: Verdict = Verdict::Throttled(Scope::Logstore);
    const PROJECT: Verdict = Verdict::Throttled(Scope::Project);

    fn limiters() -> Limiters {
        Limiters::new(16, Backoff::default(), 100)
    }

    fn send(limiters: &mut Limiters, project: &str, logstore: &str, verdict: Option<Verdict>) {
        let permit = limiters.start(project, logstore, NOW).unwrap();
        limiters.finish(permit, verdict, NOW, 0);
    }

    /// Limits of project `p` and its logstores `a` and `b` after 30 successes each.
    fn grown() -> Limiters {
        let mut limiters = limiters();
        for _ in 0..30 {
            send(&mut limiters, "p", "a", Some(Verdict::Delivered));
            send(&mut limiters, "p", "b", Some(Verdict::Delivered));
        }
        assert_eq!(limits(&limiters), [11, 8, 8]);
        limiters
    }

    fn limits(limiters: &Limiters) -> [u32; 3] {
        let logstore = |name| limiters.logstore("p", name).unwrap().limit();
        [
            limiters.project("p").unwrap().limit(),
            logstore("a"),
            logstore("b"),
        ]
    }

    #[test]
    fn a_shards_quota_slows_down_its_logstore_only() {
        let mut limiters = grown();
        send(&mut limiters, "p", "a", Some(SHARD));
        assert_eq!(limits(&limiters), [11, 4, 8]);
    }

    #[test]
    fn a_write_quota_slows_down_its_project_only() {
        let mut limiters = grown();
        send(&mut limiters, "p", "a", Some(PROJECT));
        assert_eq!(limits(&limiters), [5, 8, 8]);
    }

    #[test]
    fn trouble_of_the_service_slows_down_the_project_by_a_fifth() {
        for verdict in [Some(Verdict::Retry), None] {
            let mut limiters = grown();
            send(&mut limiters, "p", "a", verdict);
            assert_eq!(limits(&limiters), [8, 8, 8]);
        }
    }

    #[test]
    fn poison_says_nothing_about_load() {
        let mut limiters = grown();
        send(&mut limiters, "p", "a", Some(Verdict::Bisect));
        send(&mut limiters, "p", "a", Some(Verdict::Credentials));
        assert_eq!(limits(&limiters), [11, 8, 8]);
    }

    #[test]
    fn a_project_without_room_sends_nothing() {
        let mut limiters = limiters();
        let first = limiters.start("p", "a", NOW).unwrap();
        assert!(limiters.start("p", "b", NOW).is_none());
        let other = limiters.start("q", "a", NOW).unwrap();
        limiters.finish(first, Some(Verdict::Delivered), NOW, 0);
        limiters.finish(other, Some(Verdict::Delivered), NOW, 0);
        let again = limiters.start("p", "b", NOW).unwrap();
        limiters.finish(again, None, NOW, 0);
    }

    #[test]
    fn a_permit_that_is_taken_back_says_nothing() {
        let mut limiters = grown();
        let permit = limiters.start("p", "a", NOW).unwrap();
        limiters.cancel(permit, NOW);
        assert_eq!(limits(&limiters), [11, 8, 8]);
        assert_eq!(limiters.project("p").unwrap().in_flight(), 0);
    }

    #[test]
    fn a_logstore_has_the_room_and_the_pause_of_its_project_too() {
        let mut limiters = grown();
        assert_eq!(limiters.room("p", "a"), 8);
        assert_eq!(limiters.room("q", "a"), 1);
        assert_eq!(limiters.paused_until("p", "a"), Duration::ZERO);
        for _ in 0..5 {
            send(&mut limiters, "p", "b", Some(PROJECT));
            if limiters.paused_until("p", "a") > NOW {
                break;
            }
        }
        assert_eq!(limiters.room("p", "a"), 1);
        assert!(limiters.paused_until("p", "a") > NOW);
    }

    #[test]
    fn the_tables_are_bounded() {
        let mut limiters = Limiters::new(4, Backoff::default(), 3);
        let mut permits = Vec::new();
        for number in 0..50 {
            permits.extend(limiters.start(&format!("p{number}"), "a", NOW));
        }
        // Three of their own, and one for the one place that the others share.
        assert_eq!(permits.len(), 4);
        assert_eq!(limiters.projects.len(), 4);
        assert_eq!(limiters.logstores.len(), 4);
        for permit in permits {
            limiters.finish(permit, Some(Verdict::Delivered), NOW, 0);
        }
        for number in 0..50 {
            send(&mut limiters, &format!("q{number}"), "a", Some(PROJECT));
        }
        assert!(limiters.projects.len() <= 4);
        assert!(limiters.logstores.len() <= 4);
    }
}
