//! One file of frames, and what memory knows of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::format::HEADER_LEN;
use super::format::Head;
use super::format::segment_name;
use super::frame::DestinationId;
use super::frame::Share;
use super::fs::File;
use super::ranges::Ranges;
use crate::flow::Amount;

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    /// Number, and with it the name.
    pub(super) number: u64,
    /// Sequence numbers of its frames lie in here.
    pub(super) seqs: Range<u64>,
    /// Octets of header and frames.
    pub(super) len: u64,
    /// Octets that are durable.
    pub(super) synced_len: u64,
    /// Octets that the file takes on the disk: reserved ones count.
    pub(super) disk_len: u64,
    /// Where to look for frames.
    pub(super) blocks: Vec<Block>,
    /// What keeps it: shares not delivered, by destination.
    pub(super) holds: BTreeMap<DestinationId, Hold>,
    /// Open while it takes frames or has some that are not durable.
    pub(super) file: Option<Arc<dyn File>>,
    /// Whether it takes no more frames.
    pub(super) is_sealed: bool,
    /// Names of destinations it has.
    pub(super) names: usize,
    /// Octets found damaged, so that they are counted once.
    pub(super) damage: Ranges,
}

/// Shares of one destination that are not delivered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Hold {
    pub(super) shares: u64,
    pub(super) amount: Amount,
}

/// A run of frames: the index has one entry for [`BLOCK_LEN`] octets or one
/// frame, so that its size depends on the quota alone.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) octets: Range<u64>,
    pub(super) seqs: Range<u64>,
    /// When the first of its frames was appended.
    pub(super) at_ms: u64,
    /// One bit per destination, by the remainder of its id.
    mask: u64,
}

impl Block {
    /// False if none of its frames has a share of the destination.
    pub(super) fn may_have(&self, destination: DestinationId) -> bool {
        self.mask & bit(destination) != 0
    }
}

impl Segment {
    /// A segment with nothing but its header.
    pub(super) fn new(number: u64, first_seq: u64) -> Self {
        Self {
            number,
            seqs: first_seq..first_seq,
            len: HEADER_LEN as u64,
            synced_len: HEADER_LEN as u64,
            disk_len: HEADER_LEN as u64,
            blocks: Vec::new(),
            holds: BTreeMap::new(),
            file: None,
            is_sealed: false,
            names: 0,
            damage: Ranges::default(),
        }
    }

    pub(super) fn name(&self) -> String {
        segment_name(self.number)
    }

    /// Notes a frame that stands at `offset`.
    pub(super) fn index(&mut self, offset: u64, head: &Head, shares: &[Share]) {
        self.seqs.end = head.end_seq();
        let mask = shares
            .iter()
            .fold(0, |mask, share| mask | bit(share.destination));
        let end = offset + head.frame_len();
        match self.blocks.last_mut() {
            Some(block) if end - block.octets.start <= BLOCK_LEN => {
                block.octets.end = end;
                block.seqs.end = head.end_seq();
                block.mask |= mask;
            }
            _ => self.blocks.push(Block {
                octets: offset..end,
                seqs: head.first_seq..head.end_seq(),
                at_ms: head.at_ms,
                mask,
            }),
        }
    }

    /// Notes that a share is to be delivered.
    pub(super) fn hold(&mut self, share: &Share) {
        let hold = self.holds.entry(share.destination).or_default();
        hold.shares += 1;
        hold.amount += share.amount;
    }

    /// Takes back what [`Segment::hold`] noted.
    pub(super) fn release(&mut self, destination: DestinationId, amount: Amount) {
        let Some(hold) = self.holds.get_mut(&destination) else {
            return;
        };
        hold.shares = hold.shares.saturating_sub(1);
        hold.amount = hold.amount - amount;
        if hold.shares == 0 {
            self.holds.remove(&destination);
        }
    }

    /// Whether all of it was delivered, and nothing will come.
    pub(super) fn is_free(&self) -> bool {
        self.is_sealed && self.file.is_none() && self.holds.is_empty()
    }

    /// Forgets all frames that are not durable: those from `durable` on.
    pub(super) fn cut(&mut self, durable: u64) {
        self.len = self.synced_len;
        self.seqs.end = self.seqs.end.min(durable).max(self.seqs.start);
        self.blocks.retain(|block| block.seqs.start < durable);
        if let Some(block) = self.blocks.last_mut() {
            block.seqs.end = block.seqs.end.min(durable);
            block.octets.end = block.octets.end.min(self.len);
        }
    }

    /// The first block with rows of a destination from `from` on.
    pub(super) fn block(&self, destination: DestinationId, from: u64) -> Option<&Block> {
        let first = self.blocks.partition_point(|block| block.seqs.end <= from);
        let mut blocks = self.blocks.iter().skip(first);
        blocks.find(|block| block.may_have(destination))
    }
}

fn bit(destination: DestinationId) -> u64 {
    1 << (destination.0 % u64::BITS)
}

/// Octets of frames that share an entry of the index.
pub(super) const BLOCK_LEN: u64 = 64 << 10;
