//! A record's times, as sent and as resolved.

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

bitflags::bitflags! {
    /// Provenance of a record's times, one bit each.
    #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
    pub struct TimeFlags: u8 {
        /// Start and end are the record's own.
        const EXPORTER = 1;
        /// Something in them cannot be true (P-232, P-239).
        const SUSPECT = 2;
        /// Arrival took the place of a time that cannot be true (P-232, P-233).
        const FROM_ARRIVAL = 4;
        /// End came before start by 5 s or less: exchanged (P-239).
        const SWAPPED = 8;
        /// Uptimes without the exporter's boot: only their distance is used (P-236).
        const NO_BOOT = 16;
        /// The record has no times: both are the Message's export time.
        const FROM_EXPORT = 32;
        /// The exporter's boot was estimated from arrivals (P-236).
        const ESTIMATED = 64;
    }
}
