//! The journal as a whole, on a disk that fails.

mod damage;
mod model;
mod progress;
mod quota;
mod snapshots;
mod writing;

use std::ops::Range;

use bytes::Bytes;

use super::DestinationId;
use super::Frame;
use super::Journal;
use super::Kind;
use super::Recovered;
use super::Settings;
use super::Share;
use super::testing::FaultyFs;
use super::*;
use crate::flow::Amount;

/// Small segments, so that few frames fill them.
fn settings() -> Settings {
    Settings {
        quota_bytes: 1 << 20,
        segment_bytes: 1024,
        window_bytes: 1 << 16,
        ..Settings::default()
    }
}

fn open(fs: &FaultyFs) -> (Journal, Recovered) {
    Journal::open(settings(), fs.clone()).unwrap()
}

fn amount(records: u64) -> Amount {
    Amount {
        records,
        octets: records * 100,
        packets: records * 3,
    }
}

fn share(destination: DestinationId, rows: Range<u32>) -> Share {
    let amount = amount(u64::from(rows.end - rows.start));
    Share {
        destination,
        rows,
        amount,
    }
}

/// Appends a frame whose rows all go to one destination.
fn append(journal: &Journal, destination: DestinationId, rows: u32, body: &str) -> u64 {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let shares = [share(destination, 0..rows)];
    journal.append(Kind::Flows, &shares, body, 1_000).unwrap()
}

/// All frames of a destination that are not acknowledged.
fn backlog(journal: &Journal, destination: DestinationId) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut after = 0;
    while let Some(frame) = journal.next(destination, after).unwrap() {
        after = frame.rows().end - 1;
        frames.push(frame);
    }
    frames
}

/// Their bodies.
fn bodies(journal: &Journal, destination: DestinationId) -> Vec<String> {
    let frames = backlog(journal, destination);
    let text = |frame: &Frame| String::from_utf8(frame.body.to_vec()).unwrap();
    frames.iter().map(text).collect()
}

fn amounts(journal: &Journal, destination: DestinationId) -> Amounts {
    let stats = journal.stats(0);
    stats.destinations[destination.0 as usize].amounts
}
