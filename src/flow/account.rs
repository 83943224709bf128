//! What the loss ledger counts.

use std::ops::{Add, AddAssign, Sub};

use serde::Serialize;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Input records with what they metered: the unit of every record account.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout,
    PartialEq,
    Serialize,
)]
#[repr(C)]
pub struct Amount {
    /// Input records.
    pub records: u64,
    /// Octets as sent by exporters, not scaled by sampling.
    pub octets: u64,
    /// Packets as sent by exporters, not scaled by sampling.
    pub packets: u64,
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records.wrapping_add(other.records),
            octets: self.octets.wrapping_add(other.octets),
            packets: self.packets.wrapping_add(other.packets),
        }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            records: self.records.wrapping_sub(other.records),
            octets: self.octets.wrapping_sub(other.octets),
            packets: self.packets.wrapping_sub(other.packets),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
