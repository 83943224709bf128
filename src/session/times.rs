//! A record's times, as sent and as resolved.

use std::ops::BitOr;

/// The times of one record as sent; `None` where the Template lacks the field.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RawTimes {
    /// 22 and 21: exporter uptime in ms, modulo 2^32.
    pub start_uptime: Option<u32>,
    /// 21.
    pub end_uptime: Option<u32>,
    /// 150…157, already in ms since 1970: nanoseconds before microseconds,
    /// milliseconds, seconds (P-235).
    pub start_ms: Option<u64>,
    /// As `start_ms`.
    pub end_ms: Option<u64>,
    /// 158: µs before export time.
    pub start_delta_us: Option<u32>,
    /// 159.
    pub end_delta_us: Option<u32>,
    /// 160: exporter's boot, ms since 1970.
    pub boot_ms: Option<u64>,
    /// 161, or 162 / 1000.
    pub duration_ms: Option<u64>,
    /// 322…325, in ms since 1970.
    pub observed_ms: Option<u64>,
}

/// When a flow was, and how that is known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Times {
    /// Milliseconds since 1970.
    pub start_ms: u64,
    /// Milliseconds since 1970; never below `start_ms`.
    pub end_ms: u64,
    /// Provenance.
    pub flags: TimeFlags,
}

/// Provenance of a record's times, one bit each.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct TimeFlags(pub u8);

impl TimeFlags {
    /// Start and end are the record's own.
    pub const EXPORTER: Self = Self(1);
    /// Something in them cannot be true (P-232, P-239).
    pub const SUSPECT: Self = Self(2);
    /// Arrival took the place of a time that cannot be true (P-232, P-233).
    pub const FROM_ARRIVAL: Self = Self(4);
    /// End came before start by 5 s or less: exchanged (P-239).
    pub const SWAPPED: Self = Self(8);
    /// Uptimes without the exporter's boot: only their distance is used (P-236).
    pub const NO_BOOT: Self = Self(16);
    /// The record has no times: both are the Message's export time.
    pub const FROM_EXPORT: Self = Self(32);
    /// The exporter's boot was estimated from arrivals (P-236).
    pub const ESTIMATED: Self = Self(64);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for TimeFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
