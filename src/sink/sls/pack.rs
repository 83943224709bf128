//! What ties LogGroups together: their pack ids and the shard they go to.

use std::fmt;

use md5::Digest;
use md5::Md5;

/// Value of the tag `__pack_id__`: a LogGroup's place among its writer's.
///
/// SLS finds a log's neighbours by it; it does not remove duplicates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PackId {
    /// The writer.
    pub prefix: u64,
    /// Its LogGroups, from 0.
    pub sequence: u64,
}

impl PackId {
    /// Name of the tag.
    pub const TAG: &str = "__pack_id__";
}

/// As the official producers write it: `0123456789ABCDEF-1F`.
impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}-{:X}", self.prefix, self.sequence)
    }
}

/// Gives the LogGroups of one writer and Logstore their ids, in order.
#[derive(Clone, Debug)]
pub struct PackIds {
    next: PackId,
}

impl PackIds {
    /// The ids of a writer, which differs from all others by a random number.
    pub fn new(prefix: u64) -> Self {
        Self {
            next: PackId {
                prefix,
                sequence: 0,
            },
        }
    }

    /// The next id.
    pub fn take(&mut self) -> PackId {
        let id = self.next;
        self.next.sequence = id.sequence.wrapping_add(1);
        id
    }
}

/// The hash key that leads all LogGroups of a key to one shard.
///
/// The MD5 of `key`, of which the 6 highest bits stay: 64 buckets, as the
/// official producers' `AdjustShardHash` makes them.
pub fn shard_hash(key: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(key).into()) & BUCKET_BITS
}

/// The highest bits of a hash, which tell 64 buckets apart.
const BUCKET_BITS: u128 = 0xfc << 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_id_is_the_writer_and_its_count() {
        let mut ids = PackIds::new(0x0123_4567_89ab_cdef);
        let taken: Vec<_> = (0..17).map(|_| ids.take().to_string()).collect();
        assert_eq!(taken[0], "0123456789ABCDEF-0");
        assert_eq!(taken[16], "0123456789ABCDEF-10");
    }

    /// MD5 of the empty text is d41d8cd9…, of "a" 0cc175b9….
    #[test]
    fn a_shard_hash_is_one_of_64() {
        assert_eq!(shard_hash(""), 0xd4 << 120);
        assert_eq!(shard_hash("a"), 0x0c << 120);
        let mut hashes: Vec<_> = (0..4096).map(|n| shard_hash(&n.to_string())).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 64);
    }
}
