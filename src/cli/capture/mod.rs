//! UDP datagrams out of a capture file, pcap or pcapng.

mod frame;
mod reader;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub(super) use reader::ReadError;

use crate::cli::capture::frame::Skipped;
use crate::cli::capture::reader::Reader;

/// One UDP datagram of a capture.
#[derive(Debug)]
pub(super) struct Captured {
    /// Position of its frame in the file, from 1.
    pub(super) frame: u64,
    /// Time of capture since 1970.
    pub(super) time: Duration,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) payload: Vec<u8>,
}

/// The UDP datagrams of a file, in the order of capture.
pub(super) struct Capture {
    reader: Reader,
    /// Frames that gave no datagram, by reason.
    skipped: [u64; Skipped::ALL.len()],
    frames: u64,
}

impl Capture {
    /// Opens a file; pcap or pcapng, by its first octets.
    ///
    /// # Errors
    /// Names what the file is not.
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        Ok(Self {
            reader: Reader::open(path)?,
            skipped: [0; Skipped::ALL.len()],
            frames: 0,
        })
    }

    /// The next datagram; `None` at the end of the file.
    ///
    /// # Errors
    /// The file is damaged or cannot be read; there is no more to come.
    pub(super) fn next(&mut self) -> Result<Option<Captured>, ReadError> {
        while let Some(frame) = self.reader.next()? {
            self.frames += 1;
            match frame::datagram(frame.link_type, &frame.octets) {
                Ok(datagram) => {
                    return Ok(Some(Captured {
                        frame: self.frames,
                        time: frame.time,
                        source: datagram.source,
                        destination: datagram.destination,
                        payload: datagram.payload.to_vec(),
                    }));
                }
                Err(reason) => {
                    if let Some(count) = self.skipped.get_mut(reason as usize) {
                        *count += 1;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Octets of the file read so far.
    pub(super) fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Octets of the file.
    pub(super) fn length(&self) -> u64 {
        self.reader.length()
    }

    /// What was left out, in words: `2 fragments, 1 not UDP`; `None` if nothing was.
    pub(super) fn skipped(&self) -> Option<String> {
        let counts = Skipped::ALL.iter().zip(self.skipped);
        let words: Vec<String> = counts
            .filter(|(_, count)| *count > 0)
            .map(|(reason, count)| format!("{count} {}", reason.label()))
            .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests;
