//! What an operator chooses, and the limits nobody needs to.

/// How a journal is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Most octets on disk, segments and all else of the journal.
    pub quota_bytes: u64,
    /// Octets after which a segment is closed; at most an eighth of the quota.
    pub segment_bytes: u64,
    /// Most octets of frames in memory: those not durable yet, and those kept
    /// for destinations that keep up.
    pub window_bytes: u64,
    /// What happens when the quota is used up.
    pub when_full: WhenFull,
    /// Most destinations there may be, over all time.
    pub destinations_max: usize,
    /// Most ranges of acknowledged rows remembered per destination.
    pub ranges_max: usize,
    /// The least number a new row may get: above all that rows elsewhere have.
    /// Other than the rows, the journal may have been removed.
    pub first_seq: u64,
}

impl Default for Settings {
    /// 4 GiB in segments of 64 MiB, 64 MiB of memory.
    fn default() -> Self {
        Self {
            quota_bytes: 4 << 30,
            segment_bytes: 64 << 20,
            window_bytes: 64 << 20,
            when_full: WhenFull::DropOldestUnsent,
            destinations_max: 4096,
            ranges_max: 1024,
            first_seq: 1,
        }
    }
}

impl Settings {
    /// The same with a segment size that leaves eight segments in the quota.
    pub(super) fn checked(mut self) -> Self {
        let most = (self.quota_bytes / SEGMENTS_MIN).max(1);
        self.segment_bytes = self.segment_bytes.min(most);
        self
    }
}

/// What goes when the quota is used up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WhenFull {
    /// The oldest segment with rows that were not delivered.
    #[default]
    DropOldestUnsent,
    /// The frame that would have come.
    DropNewest,
}

/// Fewer segments than these make eviction coarse.
const SEGMENTS_MIN: u64 = 8;
