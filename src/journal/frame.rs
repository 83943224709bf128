//! What is put in and comes out.

use std::ops::Range;

use bytes::Bytes;

use crate::flow::Amount;

/// A destination of rows: a dense number, kept on disk with its name.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DestinationId(pub u32);

/// The rows of a frame that go to one destination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Share {
    /// Whose they are.
    pub destination: DestinationId,
    /// Rows within the frame, from 0.
    pub rows: Range<u32>,
    /// What all rows of the share stand for in the loss ledger.
    pub amount: Amount,
}

impl Share {
    /// Sequence numbers of its rows in a frame that begins at `first_seq`.
    pub(super) fn seqs(&self, first_seq: u64) -> Range<u64> {
        first_seq + u64::from(self.rows.start)..first_seq + u64::from(self.rows.end)
    }
}

/// What the body of a frame is; the journal itself does not look into it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Flows, as the log store's columns.
    Flows,
    /// A LogGroup as PutLogs brought it.
    LogGroup,
}

impl Kind {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Flows => 1,
            Self::LogGroup => 2,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        [Self::Flows, Self::LogGroup]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// A frame, as one destination sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// Sequence number of the frame's first row, whoever's it is.
    pub first_seq: u64,
    /// When it was appended, in ms, by the clock of whoever did.
    pub at_ms: u64,
    /// What the body is.
    pub kind: Kind,
    /// The destination's rows that are not acknowledged: of its share the
    /// first run of them that was asked for. The amount is that of the whole
    /// share.
    pub share: Share,
    /// The whole body, shared with whoever else reads it.
    pub body: Bytes,
}

impl Frame {
    /// Sequence numbers of the share's rows: what to acknowledge.
    pub fn rows(&self) -> Range<u64> {
        self.share.seqs(self.first_seq)
    }
}
