//! The details of the flows that have any.

use super::entry::NIL;
use crate::flow::Detail;

/// Details by slot; how many octets they hold is bounded.
#[derive(Debug)]
pub(super) struct Details {
    slots: Vec<Option<Detail>>,
    free: Vec<u32>,
    bytes: usize,
    bytes_max: usize,
}

impl Details {
    /// Room for `bytes_max` octets.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Whether as much as this detail holds can be taken in addition.
    pub(super) fn has_room(&self, detail: &Detail) -> bool {
        self.bytes.saturating_add(weight(detail)) <= self.bytes_max
    }

    /// Keeps a detail; its slot.
    pub(super) fn put(&mut self, detail: &Detail) -> u32 {
        self.bytes += weight(detail);
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slots.get_mut(slot as usize)
        {
            *place = Some(detail.clone());
            return slot;
        }
        self.slots.push(Some(detail.clone()));
        u32::try_from(self.slots.len() - 1).unwrap_or(NIL)
    }

    /// The detail of a slot.
    pub(super) fn get(&self, slot: u32) -> Option<&Detail> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Merges into the detail of a slot, which [`Detail::fits`].
    pub(super) fn absorb(&mut self, slot: u32, detail: &Detail) {
        if let Some(Some(mine)) = self.slots.get_mut(slot as usize) {
            let before = weight(mine);
            // Asked before; layer-2 octets alone could refuse.
            let merged = mine.absorb(detail);
            debug_assert!(merged.is_ok(), "it was asked whether it fits");
            self.bytes = self.bytes - before + weight(mine);
        }
    }

    /// Gives the detail of a slot back and frees it.
    pub(super) fn take(&mut self, slot: u32) -> Option<Detail> {
        let detail = self.slots.get_mut(slot as usize)?.take()?;
        self.bytes -= weight(&detail);
        self.free.push(slot);
        Some(detail)
    }

    /// Details kept, and their octets as counted and as summed: for checks.
    #[cfg(test)]
    pub(super) fn totals(&self) -> (usize, usize, usize) {
        let kept = self.slots.iter().flatten();
        (kept.clone().count(), self.bytes, kept.map(weight).sum())
    }
}

/// Octets a detail takes: itself, and for each extra element its name, its box
/// and what the allocator adds.
fn weight(detail: &Detail) -> usize {
    let extra = detail.extra.iter().map(|(_, value)| 40 + value.len());
    size_of::<Option<Detail>>() + extra.sum::<usize>()
}
