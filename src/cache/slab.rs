//! Where the entries live.

use super::entry::Entry;
use super::entry::NIL;
use super::entry::SLOTS_MAX;
use crate::flow::FlowRecord;

/// Entries by slot, the free ones linked.
///
/// Reserved once, so that it never moves; pages nobody touched cost no memory.
#[derive(Debug)]
pub(super) struct Slab {
    entries: Vec<Entry>,
    /// By slot; apart, because no update needs them.
    serials: Vec<u64>,
    /// First free slot.
    free: u32,
    live: usize,
    capacity: usize,
}

impl Slab {
    /// Room for `capacity` entries, at most [`SLOTS_MAX`].
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, SLOTS_MAX);
        Self {
            entries: Vec::with_capacity(capacity),
            serials: Vec::with_capacity(capacity),
            free: NIL,
            live: 0,
            capacity,
        }
    }

    /// Entries that may live at once.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Entries that live.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Slots ever used: all live ones are below.
    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(NIL)
    }

    /// Gives an entry a slot; `None` when every slot is taken.
    pub(super) fn put(&mut self, entry: Entry, serial: u64) -> Option<u32> {
        if self.live >= self.capacity {
            return None;
        }
        let slot = match self.get_mut(self.free) {
            Some(place) => {
                let next = place.next;
                *place = entry;
                std::mem::replace(&mut self.free, next)
            }
            None => {
                self.entries.push(entry);
                self.serials.push(serial);
                self.slots() - 1
            }
        };
        if let Some(place) = self.serials.get_mut(slot as usize) {
            *place = serial;
        }
        self.live += 1;
        Some(slot)
    }

    /// Frees a slot; gives its record and its place in the details.
    pub(super) fn take(&mut self, slot: u32) -> Option<(FlowRecord, u32)> {
        let free = self.free;
        let entry = self.get_mut(slot).filter(|entry| !entry.is_free())?;
        let taken = (entry.record, entry.detail);
        entry.free(free);
        self.free = slot;
        self.live -= 1;
        Some(taken)
    }

    /// The serial of a slot's entry.
    pub(super) fn serial(&self, slot: u32) -> u64 {
        self.serials.get(slot as usize).copied().unwrap_or(0)
    }

    /// The entry of a slot, live or not.
    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot as usize)
    }

    /// The entry of a slot, live or not.
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)
    }
}
