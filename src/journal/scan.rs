//! Frames of a segment one after the other, past whatever is damaged.

use std::ops::Range;

use bytes::Bytes;

use super::format::Content;
use super::format::FRAME_MAGIC;
use super::format::HEAD_LEN;
use super::format::Head;
use super::format::Seal;
use super::format::decode_shares;
use super::frame::Share;
use super::fs::File;
use super::fs::read_full_at;

/// How much of a frame is checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Depth {
    /// Its head and shares, and names.
    Heads,
    /// Its body too.
    Whole,
}

/// What stands at a place of a segment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// A frame, sound as far as it was checked.
    Frame {
        offset: u64,
        head: Head,
        shares: Vec<Share>,
    },
    /// A frame whose head is sound and the rest not; the shares, if they are.
    Broken {
        octets: Range<u64>,
        head: Head,
        shares: Vec<Share>,
    },
    /// Octets that are no frame.
    Damage(Range<u64>),
}

/// A walk over the frames in a range of a file.
///
/// It ends: each step passes at least one octet, and no octet is searched
/// twice for the beginning of a frame.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    file: &'a dyn File,
    seal: Seal,
    depth: Depth,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
    /// Whether the system failed to read something, which then counts as damaged.
    pub(super) is_unreadable: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(file: &'a dyn File, octets: Range<u64>, seal: Seal, depth: Depth) -> Self {
        Self {
            file,
            seal,
            depth,
            at: octets.start,
            end: octets.end,
            buffer: Vec::new(),
            buffer_at: 0,
            is_unreadable: false,
        }
    }

    /// The body of a frame; `None` where it is damaged.
    pub(super) fn body(&mut self, offset: u64, head: &Head) -> Option<Bytes> {
        let seal = self.seal;
        let at = offset + head.prefix_len() as u64;
        let body = self.bytes(at, usize::try_from(head.body_len).ok()?)?;
        (seal.of(body) == head.body_crc).then(|| Bytes::copy_from_slice(body))
    }

    fn frame(&mut self) -> Option<Found> {
        let offset = self.at;
        let head = self.head(offset)?;
        let octets = offset..offset.saturating_add(head.frame_len()).min(self.end);
        self.at = octets.end;
        let seal = self.seal;
        let shares = self
            .bytes(offset + HEAD_LEN as u64, head.shares_len())
            .and_then(|bytes| decode_shares(bytes, &head, seal));
        let is_whole = offset + head.frame_len() <= self.end;
        let is_checked = self.depth == Depth::Whole || head.content == Content::Names;
        let is_sound =
            is_whole && shares.is_some() && (!is_checked || self.has_sound_body(offset, &head));
        let shares = shares.unwrap_or_default();
        Some(if is_sound {
            Found::Frame {
                offset,
                head,
                shares,
            }
        } else {
            Found::Broken {
                octets,
                head,
                shares,
            }
        })
    }

    fn has_sound_body(&mut self, offset: u64, head: &Head) -> bool {
        let seal = self.seal;
        let at = offset + head.prefix_len() as u64;
        let len = usize::try_from(head.body_len).unwrap_or(usize::MAX);
        self.bytes(at, len)
            .is_some_and(|body| seal.of(body) == head.body_crc)
    }

    fn head(&mut self, offset: u64) -> Option<Head> {
        let seal = self.seal;
        Head::decode(self.bytes(offset, HEAD_LEN)?, seal)
    }

    /// Where the next frame begins, from `from` on; the end where none does.
    fn resync(&mut self, mut from: u64) -> u64 {
        while from + HEAD_LEN as u64 <= self.end {
            let window = usize::try_from(self.end - from).unwrap_or(usize::MAX);
            let Some(bytes) = self.bytes(from, window.min(READ_AHEAD)) else {
                break;
            };
            let found = bytes
                .windows(FRAME_MAGIC.len())
                .position(|window| window == FRAME_MAGIC);
            // Three octets may be the first of a magic that goes on behind them.
            let passed = bytes.len() - (FRAME_MAGIC.len() - 1);
            let Some(position) = found else {
                from += passed as u64;
                continue;
            };
            from += position as u64;
            if self.head(from).is_some() {
                return from;
            }
            from += 1;
        }
        self.end
    }

    /// Octets of the file; `None` behind the end of the walk.
    fn bytes(&mut self, at: u64, len: usize) -> Option<&[u8]> {
        let end = at.checked_add(len as u64)?;
        if end > self.end {
            return None;
        }
        let buffer_end = self.buffer_at + self.buffer.len() as u64;
        if at < self.buffer_at || end > buffer_end {
            self.fill(at, len);
        }
        let start = usize::try_from(at - self.buffer_at).ok()?;
        self.buffer.get(start..)?.get(..len)
    }

    fn fill(&mut self, at: u64, len: usize) {
        let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
        self.buffer.clear();
        self.buffer.resize(len.max(READ_AHEAD).min(left), 0);
        self.buffer_at = at;
        if read_full_at(self.file, at, &mut self.buffer).is_err() {
            self.is_unreadable = true;
            self.buffer.fill(0);
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.at >= self.end {
            return None;
        }
        if let Some(found) = self.frame() {
            return Some(found);
        }
        let from = self.at;
        self.at = self.resync(from + 1);
        Some(Found::Damage(from..self.at))
    }
}

/// Octets read at once.
const READ_AHEAD: usize = 16 << 10;
