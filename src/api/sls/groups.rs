//! Consumer groups: who reads which shard, and how far each has come.
//!
//! Pure: the time is an argument. Groups and checkpoints are kept with the
//! logstore; who is alive is learned anew from the heartbeats after a start.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{Failure, Place};

/// The consumer groups of all logstores in use.
///
/// Bounded by the store: only logstores that exist have an entry.
#[derive(Debug, Default)]
pub(super) struct ConsumerGroups {
    of: HashMap<(String, String), Groups>,
}

impl ConsumerGroups {
    /// The groups of a logstore, when they are known.
    pub(super) fn known(&mut self, at: Place<'_>) -> Option<&mut Groups> {
        self.of.get_mut(&key(at))
    }

    /// Takes over what was kept of a logstore's groups.
    pub(super) fn learn(&mut self, at: Place<'_>, groups: Groups) -> &mut Groups {
        let entry = self.of.entry(key(at));
        entry.insert_entry(groups).into_mut()
    }

    /// Forgets a logstore's groups, after it is deleted or a change of them
    /// could not be kept.
    pub(super) fn forget(&mut self, at: Place<'_>) {
        self.of.remove(&key(at));
    }

    /// Forgets a deleted project.
    pub(super) fn forget_project(&mut self, project: &str) {
        self.of.retain(|(of, _), _| of != project);
    }
}

fn key(at: Place<'_>) -> (String, String) {
    (at.project.to_owned(), at.logstore.to_owned())
}

/// The consumer groups of one logstore, by name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Groups {
    by_name: BTreeMap<String, Group>,
}

impl Groups {
    /// Groups of one logstore, at most, as SLS has it.
    pub(super) const GROUPS_MAX: usize = 30;

    /// Adds a group.
    ///
    /// # Errors
    /// There is one of this name, or there are too many.
    pub(super) fn create(&mut self, name: &str, terms: Terms) -> Result<(), Failure> {
        if self.by_name.contains_key(name) {
            let message = format!("consumer group {name} already exist");
            return Err(Failure::bad("ConsumerGroupAlreadyExist", message));
        }
        if self.by_name.len() >= Self::GROUPS_MAX {
            let message = format!("at most {} consumer groups", Self::GROUPS_MAX);
            return Err(Failure::bad("ConsumerGroupQuotaExceed", message));
        }
        self.by_name.insert(name.to_owned(), Group::new(terms));
        Ok(())
    }

    /// Removes a group.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn delete(&mut self, name: &str) -> Result<(), Failure> {
        let removed = self.by_name.remove(name);
        removed.map(|_| ()).ok_or_else(|| missing(name))
    }

    /// The group of this name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn find(&mut self, name: &str) -> Result<&mut Group, Failure> {
        self.by_name.get_mut(name).ok_or_else(|| missing(name))
    }

    /// All groups.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Terms)> {
        let groups = self.by_name.iter();
        groups.map(|(name, group)| (name.as_str(), &group.terms))
    }
}

fn missing(name: &str) -> Failure {
    let message = format!("consumer group {name} does not exist");
    Failure::missing("ConsumerGroupNotExist", message)
}

/// What a group is told when it is made.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Terms {
    /// Seconds without a heartbeat after which a consumer is gone.
    pub(super) timeout: u32,
    /// Whether shards that were split are read in order; kept, without effect.
    pub(super) order: bool,
}

/// One consumer group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Group {
    pub(super) terms: Terms,
    checkpoints: BTreeMap<u32, Checkpoint>,
    /// Milliseconds of the last heartbeat, by consumer.
    #[serde(skip)]
    seen_ms: BTreeMap<String, i64>,
    /// Who holds a shard; until it says that it let go, nobody else does.
    #[serde(skip)]
    holders: BTreeMap<u32, String>,
}

/// How far a shard is read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Checkpoint {
    /// The cursor to go on at.
    pub(super) checkpoint: String,
    /// Unix microseconds.
    #[serde(rename = "updateTime")]
    pub(super) update_time_us: i64,
    /// Who said so.
    pub(super) consumer: String,
}

impl Group {
    /// Consumers of one group, at most.
    pub(super) const CONSUMERS_MAX: usize = 1_000;

    const fn new(terms: Terms) -> Self {
        Self {
            terms,
            checkpoints: BTreeMap::new(),
            seen_ms: BTreeMap::new(),
            holders: BTreeMap::new(),
        }
    }

    /// Hears that a consumer lives and which shards it holds; tells it which
    /// to hold from now on.
    ///
    /// Shards are shared evenly, by the order of the consumers' names. One
    /// that is to change hands is first asked back, then given away.
    ///
    /// # Errors
    /// There are too many consumers.
    pub(super) fn heartbeat(
        &mut self,
        consumer: &str,
        held: &[u32],
        shards: &[u32],
        now_ms: i64,
    ) -> Result<Vec<u32>, Failure> {
        self.expire(now_ms);
        if !self.seen_ms.contains_key(consumer) && self.seen_ms.len() >= Self::CONSUMERS_MAX {
            let message = format!("at most {} consumers", Self::CONSUMERS_MAX);
            return Err(Failure::bad("ConsumerGroupQuotaExceed", message));
        }
        self.seen_ms.insert(consumer.to_owned(), now_ms);
        let is_let_go = |shard: &u32, holder: &String| holder == consumer && !held.contains(shard);
        self.holders
            .retain(|shard, holder| shards.contains(shard) && !is_let_go(shard, holder));
        let quota = self.quota(consumer, shards.len());
        let mut wanted: Vec<_> = shards.to_vec();
        wanted.sort_by_key(|shard| !held.contains(shard));
        let mut assigned = Vec::new();
        for shard in wanted {
            let holder = self.holders.get(&shard);
            let is_free = holder.is_none_or(|holder| holder == consumer);
            if is_free && assigned.len() < quota {
                self.holders.insert(shard, consumer.to_owned());
                assigned.push(shard);
            }
        }
        assigned.sort_unstable();
        Ok(assigned)
    }

    /// Lets go of what consumers held that were not heard of for too long.
    fn expire(&mut self, now_ms: i64) {
        let timeout_ms = i64::from(self.terms.timeout) * 1_000;
        self.seen_ms
            .retain(|_, seen_ms| now_ms.saturating_sub(*seen_ms) <= timeout_ms);
        let seen_ms = &self.seen_ms;
        self.holders
            .retain(|_, holder| seen_ms.contains_key(holder.as_str()));
    }

    /// Shards that a consumer is to hold.
    fn quota(&self, consumer: &str, shards: usize) -> usize {
        let consumers = self.seen_ms.len().max(1);
        let mut names = self.seen_ms.keys();
        let rank = names.position(|name| name == consumer).unwrap_or(0);
        shards / consumers + usize::from(rank < shards % consumers)
    }

    /// Keeps how far a shard is read. Unless forced, only its holder may say.
    ///
    /// # Errors
    /// Another consumer holds the shard, or this one is not known.
    pub(super) fn commit(
        &mut self,
        shard: u32,
        checkpoint: Checkpoint,
        is_forced: bool,
    ) -> Result<(), Failure> {
        let consumer = &checkpoint.consumer;
        if !is_forced && !self.seen_ms.contains_key(consumer) {
            let message = format!("consumer {consumer} does not exist");
            return Err(Failure::missing("ConsumerNotExist", message));
        }
        if !is_forced && self.holders.get(&shard) != Some(consumer) {
            let message = format!("shard {shard} is not held by consumer {consumer}");
            return Err(Failure::bad("ConsumerNotMatch", message));
        }
        self.checkpoints.insert(shard, checkpoint);
        Ok(())
    }

    /// How far a shard is read; none when nobody has said.
    pub(super) fn checkpoint(&self, shard: u32) -> Option<&Checkpoint> {
        self.checkpoints.get(&shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        timeout: 10,
        order: false,
    };

    fn heartbeat(group: &mut Group, consumer: &str, held: &[u32], now_ms: i64) -> Vec<u32> {
        let shards = [0, 1, 2, 3];
        group.heartbeat(consumer, held, &shards, now_ms).unwrap()
    }

    #[test]
    fn a_shard_changes_hands_only_once_it_is_let_go() {
        let mut group = Group::new(TERMS);
        assert_eq!(heartbeat(&mut group, "a", &[], 0), [0, 1, 2, 3]);
        assert_eq!(heartbeat(&mut group, "b", &[], 0), [0; 0]);
        // It is asked back, but still held.
        assert_eq!(heartbeat(&mut group, "a", &[0, 1, 2, 3], 0), [0, 1]);
        assert_eq!(heartbeat(&mut group, "b", &[], 0), [0; 0]);
        assert_eq!(heartbeat(&mut group, "a", &[0, 1], 0), [0, 1]);
        assert_eq!(heartbeat(&mut group, "b", &[], 0), [2, 3]);
    }

    #[test]
    fn nobody_is_left_without_while_another_has_two_more() {
        let mut group = Group::new(TERMS);
        for _ in 0..2 {
            for consumer in ["a", "b", "c"] {
                heartbeat(&mut group, consumer, &[], 0);
            }
        }
        let mut held = BTreeMap::new();
        for holder in group.holders.values() {
            *held.entry(holder.as_str()).or_insert(0) += 1;
        }
        assert_eq!(held, BTreeMap::from([("a", 2), ("b", 1), ("c", 1)]));
    }

    #[test]
    fn a_silent_consumer_loses_its_shards() {
        let mut group = Group::new(TERMS);
        heartbeat(&mut group, "a", &[], 0);
        assert_eq!(heartbeat(&mut group, "b", &[], 10_000), [0; 0]);
        assert_eq!(heartbeat(&mut group, "b", &[], 10_001), [0, 1, 2, 3]);
    }

    #[test]
    fn after_a_start_consumers_keep_what_they_hold() {
        let mut group = Group::new(TERMS);
        assert_eq!(heartbeat(&mut group, "b", &[2, 3], 0), [0, 1, 2, 3]);
        heartbeat(&mut group, "a", &[], 0);
        assert_eq!(heartbeat(&mut group, "b", &[0, 1, 2, 3], 0), [0, 1]);
    }

    #[test]
    fn only_the_holder_of_a_shard_says_how_far_it_is_read_unless_forced() {
        let mut group = Group::new(TERMS);
        let says = |consumer: &str| Checkpoint {
            checkpoint: "Mg==".to_owned(),
            update_time_us: 7,
            consumer: consumer.to_owned(),
        };
        let code = |result: Result<(), Failure>| result.map_err(|failure| failure.code);
        let refused = code(group.commit(0, says("a"), false));
        assert_eq!(refused, Err("ConsumerNotExist"));
        heartbeat(&mut group, "a", &[], 0);
        heartbeat(&mut group, "b", &[], 0);
        assert_eq!(
            code(group.commit(0, says("b"), false)),
            Err("ConsumerNotMatch")
        );
        assert_eq!(code(group.commit(0, says("a"), false)), Ok(()));
        assert_eq!(code(group.commit(1, says(""), true)), Ok(()));
        let sayers = [0, 1, 2].map(|shard| Some(group.checkpoint(shard)?.consumer.as_str()));
        assert_eq!(sayers, [Some("a"), Some(""), None]);
    }

    #[test]
    fn groups_and_consumers_are_bounded() {
        let mut groups = Groups::default();
        for number in 0..Groups::GROUPS_MAX {
            groups.create(&format!("group-{number}"), TERMS).unwrap();
        }
        let refusal = groups.create("one-more", TERMS).unwrap_err();
        assert_eq!(refusal.code, "ConsumerGroupQuotaExceed");
        let group = groups.find("group-0").unwrap();
        for number in 0..Group::CONSUMERS_MAX {
            heartbeat(group, &format!("consumer-{number}"), &[], 0);
        }
        let refusal = group.heartbeat("one-more", &[], &[0], 0).unwrap_err();
        assert_eq!(refusal.code, "ConsumerGroupQuotaExceed");
        heartbeat(group, "one-more", &[], 10_001);
    }

    #[test]
    fn checkpoints_are_kept_and_holders_are_not() {
        let mut groups = Groups::default();
        groups.create("g", TERMS).unwrap();
        heartbeat(groups.find("g").unwrap(), "a", &[], 0);
        let checkpoint = Checkpoint {
            checkpoint: "Mg==".to_owned(),
            update_time_us: 7,
            consumer: "a".to_owned(),
        };
        groups
            .find("g")
            .unwrap()
            .commit(0, checkpoint, false)
            .unwrap();
        let kept = serde_json::to_value(&groups).unwrap();
        let written = r#"{"g":{"terms":{"timeout":10,"order":false},"checkpoints":{"0":{"checkpoint":"Mg==","updateTime":7,"consumer":"a"}}}}"#;
        assert_eq!(kept.to_string(), written);
        let mut read: Groups = serde_json::from_value(kept).unwrap();
        assert!(read.find("g").unwrap().checkpoint(0).is_some());
        assert_eq!(read.find("g").unwrap().seen_ms, BTreeMap::new());
    }
}
