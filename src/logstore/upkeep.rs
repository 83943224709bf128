//! What keeps the store in shape: parts of old tails, merging, retiring.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use super::aside;
use super::compact;
use super::error::StoreError;
use super::part::Part;
use super::retain;
use super::retain::Candidate;
use super::shard::Shard;
use super::shard::lock;
use super::store::LogStore;
use super::tail::HOUR_MS;
use super::tail::hour_of;
use crate::flow::Amount;

/// Held by the one who is at it; remembers when what was last done.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    last: Mutex<Last>,
    /// Held by the one who merges.
    merging: Mutex<()>,
    /// When the disk last failed, milliseconds since 1970; 0 while it works.
    failed_ms: AtomicU64,
}

impl Upkeep {
    /// Whether the disk failed so recently that trying again is in vain.
    pub(super) fn is_resting(&self, now_ms: u64) -> bool {
        let failed_ms = self.failed_ms.load(Ordering::Relaxed);
        failed_ms > 0 && now_ms.abs_diff(failed_ms) < REST_MS
    }

    /// Remembers how a write went; whether that differs from the one before.
    pub(super) fn remember(&self, succeeded: bool, now_ms: u64) -> bool {
        let failed_ms = if succeeded { 0 } else { now_ms.max(1) };
        let before = self.failed_ms.swap(failed_ms, Ordering::Relaxed);
        (before == 0) != succeeded
    }
}

#[derive(Debug, Default)]
struct Last {
    retired_by_age_ms: Option<u64>,
}

impl LogStore {
    /// Does what must not wait at `now_ms`, milliseconds since 1970: old hours
    /// are retired, tails of [`tail_age`](super::Settings::tail_age) become
    /// parts. To be called about every second, from a thread that may wait for
    /// the disk. What fails is logged, counted and tried again.
    pub fn tend(&self, now_ms: u64) {
        let mut last = lock(&self.upkeep.last);
        // First: on a full disk nothing else makes room.
        if !self.upkeep.is_resting(now_ms) {
            self.give_up_damaged(now_ms);
            self.retire(now_ms, &mut last);
            self.clear_deleted();
        }
        if !self.upkeep.is_resting(now_ms) {
            self.flush_due(now_ms);
        }
    }

    /// Merges small parts as long as there are some worth it at `now_ms`,
    /// milliseconds since 1970, which may take minutes. To be called about
    /// every second, from a thread of its own: rows are taken, written, retired
    /// and queried meanwhile.
    ///
    /// `goes_on` is asked every few thousand rows; once it says no, what is
    /// half merged is given up. What fails is logged, counted and tried again.
    pub fn merge(&self, now_ms: u64, goes_on: &dyn Fn() -> bool) {
        let _turn = lock(&self.upkeep.merging);
        for shard in self.shards() {
            if self.upkeep.is_resting(now_ms) || !goes_on() {
                return;
            }
            let merged = self.merge_shard(&shard, now_ms, goes_on);
            self.note(&shard, &merged, now_ms);
        }
    }

    fn flush_due(&self, now_ms: u64) {
        let age_ms = u64::try_from(self.settings.tail_age.as_millis()).unwrap_or(u64::MAX);
        // An arrival later than now: the clock went back, do not wait for it.
        let due = |since_ms: u64| since_ms > now_ms || now_ms - since_ms >= age_ms;
        for shard in self.shards() {
            if shard.tail().1.is_some_and(due) {
                let flushed = shard.flush(&self.ledger);
                self.note(&shard, &flushed, now_ms);
            }
        }
    }

    /// Whether any were merged.
    fn merge_shard(
        &self,
        shard: &Shard,
        now_ms: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<bool, StoreError> {
        let hour = hour_of(now_ms);
        let _turn = shard.merging();
        let goes_on = || goes_on() && !shard.is_ending();
        let mut has_written = false;
        loop {
            let parts = shard.parts();
            let entries: Vec<_> = parts.iter().map(|part| &part.entry).collect();
            let Some(range) = compact::choose(&entries, hour, self.settings.merged_bytes) else {
                return Ok(has_written);
            };
            let chosen = parts.get(range).unwrap_or_default();
            let Some(merged) = compact::merge(shard, chosen, &goes_on)? else {
                return Ok(has_written);
            };
            if shard.replace(chosen, merged)? {
                has_written = true;
                self.ledger.count(|stats| stats.parts_merged += 1);
            }
        }
    }

    /// Damaged files make room before any live part does.
    fn give_up_damaged(&self, now_ms: u64) {
        let shards = self.shards();
        let live = shards.iter().flat_map(|shard| shard.parts());
        let live: u64 = live.map(|part| part.entry.bytes).sum();
        let room = self.settings.disk_budget.saturating_sub(live);
        let aside = shards.iter().flat_map(|shard| shard.aside()).collect();
        let gone = aside::to_give_up(aside, room, now_ms, self.retention_ms());
        for aside in &gone {
            for shard in shards.iter().filter(|shard| shard.aside().contains(aside)) {
                let removed = shard.give_up(aside);
                self.note(shard, &removed, now_ms);
                if removed.is_ok() {
                    self.ledger.count(|stats| stats.removed_damaged += 1);
                    tracing::info!(path = %aside.path.display(), "removed a damaged file to make room");
                }
            }
        }
    }

    fn retention_ms(&self) -> u64 {
        u64::try_from(self.settings.retention.as_millis()).unwrap_or(u64::MAX)
    }

    /// How long rows of a logstore are kept: as it is set to, but no longer
    /// than all are.
    fn retention_of(&self, shard: &Shard) -> u64 {
        let days = lock(&shard.sheet).ttl_days();
        let own = days.map_or(u64::MAX, |days| u64::from(days) * DAY_MS);
        own.min(self.retention_ms())
    }

    fn retire(&self, now_ms: u64, last: &mut Last) {
        let held: Vec<(Arc<Shard>, Vec<Arc<Part>>)> = self
            .shards()
            .into_iter()
            .map(|shard| (Arc::clone(&shard), shard.parts()))
            .collect();
        let candidates: Vec<Candidate> = held
            .iter()
            .enumerate()
            .flat_map(|(owner, (shard, parts))| {
                let retention_ms = self.retention_of(shard);
                parts
                    .iter()
                    .map(move |part| candidate(owner, part, retention_ms))
            })
            .collect();
        let old = self.too_old(&candidates, now_ms, last);
        let is_old =
            |candidate: &Candidate| old == Some(candidate.hour) && candidate.is_old(now_ms);
        let rest = candidates.iter().filter(|candidate| !is_old(candidate));
        let rest: Vec<Candidate> = rest.copied().collect();
        let excess = retain::over_budget(&rest, self.settings.disk_budget);
        for (owner, (shard, parts)) in held.iter().enumerate() {
            let retention_ms = self.retention_of(shard);
            let (aged, kept): (Vec<_>, Vec<_>) = parts
                .iter()
                .cloned()
                .partition(|part| is_old(&candidate(owner, part, retention_ms)));
            self.let_go(shard, &aged, true, now_ms);
            let goes = |part: &Arc<Part>| excess.contains(&(owner, part.entry.first_seq));
            let over: Vec<_> = kept.into_iter().filter(goes).collect();
            self.let_go(shard, &over, false, now_ms);
        }
    }

    /// Hours to retire by age, at most one a minute.
    fn too_old(&self, candidates: &[Candidate], now_ms: u64, last: &mut Last) -> Option<u64> {
        if last
            .retired_by_age_ms
            .is_some_and(|then| now_ms.abs_diff(then) < AGE_PAUSE_MS)
        {
            return None;
        }
        let hour = retain::too_old(candidates, now_ms)?;
        last.retired_by_age_ms = Some(now_ms);
        Some(hour)
    }

    fn let_go(&self, shard: &Shard, parts: &[Arc<Part>], by_age: bool, now_ms: u64) {
        if parts.is_empty() {
            return;
        }
        let retired = shard.retire(parts);
        let is_done = matches!(retired, Ok(true));
        self.note(shard, &retired, now_ms);
        if !is_done {
            // Merged meanwhile: the merged part goes next time.
            return;
        }
        let amount = parts
            .iter()
            .fold(Amount::default(), |sum, part| sum + part.entry.amount());
        let count = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        self.ledger.count(|stats| {
            stats.retired_parts += count;
            match by_age {
                true => stats.retired_by_age += amount,
                false => stats.retired_by_budget += amount,
            }
        });
        tracing::info!(logstore = %shard.name, parts = count, records = amount.records, by_age, "retired parts");
    }
}

fn candidate(owner: usize, part: &Part, retention_ms: u64) -> Candidate {
    Candidate {
        owner,
        hour: part.entry.hour,
        first_seq: part.entry.first_seq,
        bytes: part.entry.bytes,
        retention_ms,
    }
}

const DAY_MS: u64 = 24 * HOUR_MS;
/// Time between two hours retired by age: a clock that jumped ahead is noticed
/// before it has emptied the store.
const AGE_PAUSE_MS: u64 = 60_000;
/// Time to let a failing disk be: a try costs as much as a success.
const REST_MS: u64 = 5_000;
