//! A message that is being written, and the numbers of those before it.

use std::collections::VecDeque;

use super::HELD_MS;
use super::Message;
use super::Moment;
use crate::flow::Amount;
use crate::wire::Header;
use crate::wire::MessageWriter;
use crate::wire::Version;

/// The open message of one domain, or of one of v5's engines.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) writer: MessageWriter,
    version: Version,
    /// Observation Domain; v9: source id; v5: engine.
    number: u32,
    /// v5's sampling word.
    sampling: u16,
    boot_ms: u64,
    sequence: u32,
    /// Export time of the last message: it never goes back (P-734).
    export_ms: u64,
    /// Rows that end in it.
    amount: Amount,
    /// When its first row came.
    opened_ms: Option<u64>,
}

impl Open {
    pub(super) fn new(version: Version, boot_ms: u64, number: u32, sampling: u16) -> Self {
        Self {
            writer: MessageWriter::new(Header::new(version, 0, 0, number)),
            version,
            number,
            sampling,
            boot_ms,
            sequence: 0,
            export_ms: 0,
            amount: Amount::default(),
            opened_ms: None,
        }
    }

    /// Notes that a row ends here.
    pub(super) fn end_row(&mut self, amount: Amount, now: Moment) {
        self.amount += amount;
        self.opened_ms.get_or_insert(now.monotonic_ms);
    }

    /// When it has been held long enough, by the monotonic clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.opened_ms.map(|opened| opened.saturating_add(HELD_MS))
    }

    /// Whether it has flows.
    pub(super) fn has_rows(&self) -> bool {
        self.opened_ms.is_some()
    }

    /// Puts what it has aside, so that something else goes first.
    pub(super) fn set_aside(&mut self) -> Aside {
        let empty = MessageWriter::new(Header::new(self.version, 0, 0, self.number));
        Aside {
            writer: std::mem::replace(&mut self.writer, empty),
            amount: std::mem::take(&mut self.amount),
            opened_ms: self.opened_ms.take(),
        }
    }

    /// Goes on with what was put aside.
    pub(super) fn go_on(&mut self, aside: Aside) {
        self.writer = aside.writer;
        self.amount = aside.amount;
        self.opened_ms = aside.opened_ms;
    }

    /// Begins a new transport session.
    pub(super) fn restart(&mut self) {
        self.sequence = 0;
    }

    /// Ends the message, if there is anything in it, and begins the next.
    pub(super) fn finish(&mut self, now: Moment, ready: &mut VecDeque<Message>) {
        if self.writer.is_empty() {
            return;
        }
        let records = self.writer.data_records();
        let mut message = Message {
            octets: Vec::with_capacity(self.writer.len()),
            amount: std::mem::take(&mut self.amount),
            records: u64::try_from(records).unwrap_or(u64::MAX),
        };
        let header = self.header(now);
        self.opened_ms = None;
        let step = match self.version {
            Version::V9 => 1,
            Version::V5 | Version::Ipfix => u32::try_from(records).unwrap_or(u32::MAX),
        };
        self.sequence = self.sequence.wrapping_add(step);
        // It was kept shorter than its header can say.
        if self.writer.finish_into(header, &mut message.octets).is_ok() {
            ready.push_back(message);
        }
    }

    /// The header of a message that is sent now.
    fn header(&mut self, now: Moment) -> Header {
        self.export_ms = self.export_ms.max(now.unix_ms);
        let ms = match self.version {
            // Whole seconds only: rounded up, no flow ends after its message (P-724).
            Version::V9 => self.export_ms.next_multiple_of(1_000),
            Version::V5 | Version::Ipfix => self.export_ms,
        };
        let uptime = low(ms.wrapping_sub(self.boot_ms));
        let header = Header::new(self.version, low(ms / 1_000), self.sequence, self.number);
        Header {
            sys_uptime: header.sys_uptime.map(|_| uptime),
            export_nanos: low(ms % 1_000 * 1_000_000),
            sampling: self.sampling,
            ..header
        }
    }
}

/// A message that is gone on with later.
#[derive(Debug)]
pub(super) struct Aside {
    writer: MessageWriter,
    amount: Amount,
    opened_ms: Option<u64>,
}

/// The low 32 bits, which are what headers have of time.
fn low(value: u64) -> u32 {
    let [_, _, _, _, bytes @ ..] = value.to_be_bytes();
    u32::from_be_bytes(bytes)
}
