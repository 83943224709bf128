//! Routes and their ids, from one routing table to the next.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use super::FlowLog;

/// The number of a route, as it stands in flow keys; never 0.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RouteId(pub u16);

/// One way of a record: a flow log, on behalf of the device that sent it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Route {
    /// Its number.
    pub id: RouteId,
    /// How often its definition changed, from 1.
    pub generation: u32,
    /// Where its rows go; of a retired route, as it was when it retired.
    pub flow_log: Arc<FlowLog>,
    /// The device's `Instance_id`; `None` for exporters no device claims.
    pub instance_id: Option<Arc<str>>,
    /// The device's `snid`.
    pub snid: Option<Arc<str>>,
    /// The device's `ali-uid`.
    pub ali_uid: Option<Arc<str>>,
}

impl Route {
    fn name(&self) -> Name<'_> {
        let device = (self.instance_id.as_deref(), self.snid.as_deref());
        (&self.flow_log.name, device)
    }

    /// Whether rows of both are the same rows: only timers may differ.
    fn delivers_like(&self, other: &Self) -> bool {
        self.flow_log.delivers_like(&other.flow_log)
            && self.instance_id == other.instance_id
            && self.snid == other.snid
            && self.ali_uid == other.ali_uid
    }
}

/// What stays the same when the definition of a route changes: flow log and device.
type Name<'a> = (&'a str, (Option<&'a str>, Option<&'a str>));

/// Every route that an id stands for, live or retired.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes {
    /// By id.
    slots: Vec<Option<Slot>>,
    /// Retired ids, the longest retired first.
    retired: VecDeque<RouteId>,
    /// The id given last: the next is the next free one, so that an id rests
    /// as long as possible before it means something else.
    last: u16,
}

#[derive(Clone, Debug)]
struct Slot {
    route: Arc<Route>,
    is_live: bool,
}

impl Routes {
    /// The routes that follow `self` when `wanted` are to be live.
    ///
    /// A route delivered as before keeps its id; any other gets a free one.
    /// Returns the ids in the order of `wanted`, whose own ids and generations
    /// do not count. `wanted` holds no name twice, and at most [`LIVE_MAX`].
    pub(super) fn successor(&self, wanted: Vec<Route>) -> (Self, Vec<RouteId>) {
        let mut next = self.clone();
        let before = self.by_name();
        let mut kept = vec![false; self.slots.len()];
        let mut ids = Vec::with_capacity(wanted.len());
        for mut route in wanted {
            let old = before.get(&route.name()).copied();
            match old.filter(|old| old.is_live && old.route.delivers_like(&route)) {
                Some(old) => {
                    route.id = old.route.id;
                    route.generation = old.route.generation;
                    if let Some(kept) = kept.get_mut(usize::from(route.id.0)) {
                        *kept = true;
                    }
                }
                None => {
                    route.id = next.free_id();
                    route.generation = old.map_or(1, |old| old.route.generation.wrapping_add(1));
                }
            }
            ids.push(route.id);
            next.put(route);
        }
        for old in self.live() {
            if !kept.get(usize::from(old.id.0)).is_some_and(|kept| *kept) {
                next.retire(old.id);
            }
        }
        (next, ids)
    }

    pub(super) fn get(&self, id: RouteId) -> Option<&Route> {
        Some(&self.slot(id)?.route)
    }

    pub(super) fn is_live(&self, id: RouteId) -> bool {
        self.slot(id).is_some_and(|slot| slot.is_live)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Route> {
        let live = self.slots.iter().flatten().filter(|slot| slot.is_live);
        live.map(|slot| &*slot.route)
    }

    fn slot(&self, id: RouteId) -> Option<&Slot> {
        self.slots.get(usize::from(id.0))?.as_ref()
    }

    /// The newest route of each name, live ones before retired ones.
    fn by_name(&self) -> BTreeMap<Name<'_>, &Slot> {
        let retired = self.retired.iter().filter_map(|id| self.slot(*id));
        let live = self.slots.iter().flatten().filter(|slot| slot.is_live);
        retired
            .chain(live)
            .map(|slot| (slot.route.name(), slot))
            .collect()
    }

    /// The next id that stands for nothing. There is one: live, newly live and
    /// retired routes together are fewer than ids.
    fn free_id(&mut self) -> RouteId {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if self.slot(RouteId(self.last)).is_none() {
                return RouteId(self.last);
            }
        }
    }

    fn put(&mut self, route: Route) {
        let index = usize::from(route.id.0);
        if self.slots.len() <= index {
            self.slots.resize(index + 1, None);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Slot {
                route: Arc::new(route),
                is_live: true,
            });
        }
    }

    /// Takes a route out of use; its id stays resolvable while it is among
    /// the [`RETIRED_MAX`] last ones.
    fn retire(&mut self, id: RouteId) {
        if let Some(Some(slot)) = self.slots.get_mut(usize::from(id.0)) {
            slot.is_live = false;
            self.retired.push_back(id);
        }
        if self.retired.len() > RETIRED_MAX
            && let Some(forgotten) = self.retired.pop_front()
            && let Some(slot) = self.slots.get_mut(usize::from(forgotten.0))
        {
            *slot = None;
        }
    }
}

/// Live routes; twice as many must find ids while one table follows another.
pub(super) const LIVE_MAX: usize = 24_000;
/// Retired routes that stay resolvable. Their flows leave the cache within
/// seconds, so this is many changes at once and not a long time.
pub(super) const RETIRED_MAX: usize = 16_000;

// 0 is no id, and `free_id` must always find one.
const _: () = assert!(2 * LIVE_MAX + RETIRED_MAX < u16::MAX as usize);
