//! Every frame from a row on, for whoever must know all that was journaled.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::format::Content;
use super::format::HEADER_LEN;
use super::format::Seal;
use super::frame::Kind;
use super::fs::Fs;
use super::rebuild::SEQ_STEP;
use super::scan::Depth;
use super::scan::Found;
use super::scan::Scan;
use super::state::State;

/// Where the frames of earlier runs stand.
#[derive(Debug)]
pub(super) struct Since {
    disk: Arc<dyn Fs>,
    seal: Seal,
    /// Name and octets of frames, oldest first.
    segments: Vec<(String, Range<u64>)>,
    /// The first row that is wanted.
    from: u64,
    /// The first row of an earlier run that nobody can have got.
    got_to: u64,
}

impl State {
    /// Where the frames with rows from `from` on stand.
    pub(super) fn since(&self, from: u64) -> Since {
        let segments = self.segments.iter();
        let segments = segments.filter(|segment| segment.seqs.end > from);
        Since {
            disk: Arc::clone(&self.disk),
            seal: self.seal,
            segments: segments
                .map(|segment| (segment.name(), HEADER_LEN as u64..segment.len))
                .collect(),
            from,
            got_to: self.got_to,
        }
    }
}

impl Since {
    /// Shows the frames; whether their numbers have no gap but those that each
    /// start of the journal leaves.
    pub(super) fn read(&self, mut see: impl FnMut(Kind, Bytes)) -> io::Result<bool> {
        let mut next = self.from;
        let mut is_whole = true;
        for (name, octets) in &self.segments {
            let file = self.disk.open(name)?;
            let mut scan = Scan::new(&*file, octets.clone(), self.seal, Depth::Heads);
            while let Some(found) = scan.next() {
                let Found::Frame { offset, head, .. } = found else {
                    continue;
                };
                let Content::Rows(kind) = head.content else {
                    continue;
                };
                if head.end_seq() <= next {
                    continue;
                }
                let Some(body) = scan.body(offset, &head) else {
                    continue;
                };
                is_whole &= is_gap_of_starts(next, head.first_seq);
                next = head.end_seq();
                see(kind, body);
            }
        }
        Ok(is_whole && is_gap_of_starts(next, self.got_to))
    }
}

/// Whether numbers were passed over by starts alone, of which each passes over
/// the same count.
fn is_gap_of_starts(next: u64, found: u64) -> bool {
    found.saturating_sub(next).is_multiple_of(SEQ_STEP)
}
