//! Which records come after their flow has left. P-614.

/// Flows that left of late: by hash, until another takes the place.
///
/// 2^16 places of 8 octets at most. Two flows of one tag are told apart by
/// neither, one time in 65 536: it feeds a counter, nothing else.
#[derive(Debug)]
pub(super) struct Departed {
    /// Tag in the upper 16 bits, end of the flow in ms below.
    places: Vec<u64>,
    mask: u64,
}

const END_BITS: u32 = 48;

impl Departed {
    /// Remembers up to `flows` of them.
    pub(super) fn new(flows: usize) -> Self {
        let size = flows.next_power_of_two().min(1 << 16);
        Self {
            places: vec![0; size],
            mask: size as u64 - 1,
        }
    }

    /// A flow left which ended at `end_ms`.
    pub(super) fn note(&mut self, hash: u64, end_ms: u64) {
        let end_ms = end_ms.min((1 << END_BITS) - 1);
        let at = self.place(hash);
        if let Some(place) = self.places.get_mut(at) {
            *place = tag(hash) << END_BITS | end_ms;
        }
    }

    /// Whether a new flow of `end_ms` is a straggler of one that left.
    pub(super) fn is_late(&self, hash: u64, end_ms: u64) -> bool {
        let place = self.places.get(self.place(hash)).copied().unwrap_or(0);
        place >> END_BITS == tag(hash) && end_ms <= place & ((1 << END_BITS) - 1)
    }

    fn place(&self, hash: u64) -> usize {
        usize::try_from(hash & self.mask).unwrap_or(0)
    }
}

/// Bits of the hash that choose no place.
fn tag(hash: u64) -> u64 {
    hash >> 16 & 0xffff
}
