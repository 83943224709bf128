//! The newest frames, in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::format::Head;
use super::frame::Frame;
use super::frame::Kind;
use super::frame::Share;

/// A frame in memory.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) head: Head,
    pub(super) kind: Kind,
    pub(super) shares: Vec<Share>,
    /// Head and shares as they stand on disk.
    pub(super) prefix: Bytes,
    pub(super) body: Bytes,
}

impl Held {
    /// What a destination sees of it.
    pub(super) fn frame(&self, share: Share) -> Frame {
        Frame {
            first_seq: self.head.first_seq,
            at_ms: self.head.at_ms,
            kind: self.kind,
            share,
            body: self.body.clone(),
        }
    }
}

/// Frames in the order of their rows, without a gap.
#[derive(Debug, Default)]
pub(super) struct Window {
    frames: VecDeque<Arc<Held>>,
    bytes: u64,
}

impl Window {
    pub(super) fn push(&mut self, frame: Held) {
        self.bytes += frame.head.frame_len();
        self.frames.push_back(Arc::new(frame));
    }

    pub(super) fn pop_oldest(&mut self) -> Option<Arc<Held>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.head.frame_len();
        Some(frame)
    }

    pub(super) fn pop_newest(&mut self) -> Option<Arc<Held>> {
        let frame = self.frames.pop_back()?;
        self.bytes -= frame.head.frame_len();
        Some(frame)
    }

    pub(super) fn oldest(&self) -> Option<&Arc<Held>> {
        self.frames.front()
    }

    /// Octets of all frames.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first frame with rows from `seq` on.
    pub(super) fn first_from(&self, seq: u64) -> Option<Arc<Held>> {
        self.from(seq).next().cloned()
    }

    /// Frames with rows from `seq` on.
    pub(super) fn from(&self, seq: u64) -> impl Iterator<Item = &Arc<Held>> {
        let first = self
            .frames
            .partition_point(|frame| frame.head.end_seq() <= seq);
        self.frames.iter().skip(first)
    }
}
