//! Files that are not as they were written. reliability.md rows 8 and 35.

use super::*;
use crate::journal::format::Header;
use crate::journal::format::VERSION;
use crate::journal::format::segment_name;

/// A closed journal with one segment of three frames, 2 rows each.
fn written() -> FaultyFs {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    for body in ["one", "two", "three"] {
        append(&journal, a, 2, body);
    }
    journal.close().unwrap();
    drop(journal);
    fs
}

const A: DestinationId = DestinationId(0);

#[test]
fn every_octet_of_a_segment_may_flip() {
    let fs = written();
    let name = segment_name(1);
    let good = fs.content(&name);
    for at in 0..good.len() {
        let fs = fs.fork();
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        fs.put(&name, &bytes);
        let (journal, recovered) = open(&fs);
        let frames = bodies(&journal, A);
        // Of header and names the frames do not depend.
        let frame_at = |body: &str| {
            let found = good.windows(body.len()).position(|w| w == body.as_bytes());
            found.unwrap() - 80
        };
        let starts = ["one", "two", "three"].map(frame_at);
        let hit = starts.iter().rposition(|start| *start <= at);
        let expected: Vec<_> = ["one", "two", "three"]
            .into_iter()
            .enumerate()
            .filter(|(number, _)| hit != Some(*number))
            .map(|(_, body)| body)
            .collect();
        assert_eq!(frames, expected, "octet {at}");
        let is_header = at < 64;
        assert_eq!(
            recovered.corrupt_frames,
            u64::from(!is_header),
            "octet {at}"
        );
        let mut again = Vec::new();
        for _ in 0..2 {
            drop(std::mem::take(&mut again));
            fs.kill();
            let (journal, _) = open(&fs);
            again = bodies(&journal, A);
            assert_eq!(again, expected, "octet {at}, opened again");
        }
        if !is_header {
            let names = fs.list().unwrap();
            let bad = names.iter().filter(|name| name.ends_with(".bad")).count();
            assert_eq!(bad, 1, "octet {at}");
        }
    }
}

#[test]
fn a_segment_may_end_anywhere() {
    let fs = written();
    let name = segment_name(1);
    let good = fs.content(&name);
    for len in 0..good.len() {
        let fs = fs.fork();
        fs.put(&name, &good[..len]);
        let (journal, recovered) = open(&fs);
        let frames = bodies(&journal, A);
        assert_eq!(frames, ["one", "two", "three"][..frames.len()], "{len}");
        // All of it had been durable.
        assert_eq!(recovered.corrupt_frames, 1, "{len}");
    }
}

#[test]
fn the_torn_end_of_a_write_is_cut_off_and_no_damage() {
    let fs = written();
    let name = segment_name(1);
    let mut bytes = fs.content(&name);
    let len = bytes.len();
    bytes.extend_from_slice(b"FLJ\xF1 torn");
    fs.put(&name, &bytes);
    let (journal, recovered) = open(&fs);
    assert_eq!((recovered.torn_bytes, recovered.corrupt_frames), (9, 0));
    assert_eq!(fs.content(&name).len(), len);
    assert_eq!(bodies(&journal, A).len(), 3);
}

#[test]
fn a_body_damaged_in_an_old_segment_is_found_when_it_is_read() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    for number in 0..8 {
        append(&journal, a, 1, &format!("{number:0400}"));
    }
    journal.close().unwrap();
    drop(journal);
    let name = segment_name(1);
    let mut bytes = fs.content(&name);
    let at = bytes.len() - 1;
    bytes[at] ^= 1;
    fs.put(&name, &bytes);
    let (journal, recovered) = open(&fs);
    assert_eq!((recovered.frames, recovered.corrupt_frames), (8, 0));
    assert_eq!(amounts(&journal, a).pending, amount(8));
    assert_eq!(backlog(&journal, a).len(), 7);
    assert_eq!(backlog(&journal, a).len(), 7);
    let stats = journal.stats(0);
    assert_eq!(
        (stats.counters.corrupt_frames, stats.counters.corrupt_rows),
        (1, 1)
    );
    assert_eq!(amounts(&journal, a).damaged, amount(1));
    assert_eq!(amounts(&journal, a).pending, amount(7));
}

#[test]
fn a_segment_that_is_gone_stops_nothing() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    for number in 0..8 {
        append(&journal, a, 1, &format!("{number:0400}"));
    }
    journal.close().unwrap();
    drop(journal);
    let fs_before = fs.fork();
    fs.remove(&segment_name(2)).unwrap();
    let (journal, recovered) = open(&fs);
    assert_eq!(recovered.missing_segments, 1);
    let left = backlog(&journal, a).len() as u64;
    assert!(left < 8);
    // Removed under an open journal: counted too, with what it held.
    let (journal, _) = open(&fs_before);
    fs_before.remove(&segment_name(2)).unwrap();
    assert_eq!(backlog(&journal, a).len() as u64, left);
    assert_eq!(amounts(&journal, a).damaged, amount(8 - left));
    assert_eq!(journal.stats(0).counters.missing_segments, 1);
}

#[test]
fn rubbish_and_strangers_stop_nothing() {
    let fs = written();
    let stranger = Header {
        version: VERSION,
        uuid: [9; 16],
        number: 7,
        first_seq: 1,
        created_ms: 0,
    };
    fs.put(&segment_name(7), &stranger.encode());
    fs.put(&segment_name(8), &[0; 500]);
    fs.put("000000000000000a.seg.tmp", b"half");
    fs.put("notes.txt", b"mine");
    let (journal, recovered) = open(&fs);
    assert_eq!(recovered.foreign_segments, 1);
    assert_eq!(bodies(&journal, A).len(), 3);
    let names = fs.list().unwrap();
    assert!(names.contains(&"0000000000000007.seg.bad".to_owned()));
    assert!(names.contains(&"notes.txt".to_owned()));
    assert!(!names.iter().any(|name| name.ends_with(".tmp")));
    // New frames go behind all there ever was.
    append(&journal, A, 1, "new");
    journal.commit().unwrap();
    assert!(fs.list().unwrap().contains(&segment_name(9)));
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let fs = written();
    let newer = Header {
        version: VERSION + 1,
        uuid: [9; 16],
        number: 7,
        first_seq: 1,
        created_ms: 0,
    };
    fs.put(&segment_name(7), &newer.encode());
    fs.put("left.tmp", b"half");
    let before = fs.list().unwrap();
    let refused = Journal::open(settings(), fs.clone()).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Newer {
            version: 2,
            known: 1,
            ..
        }
    ));
    assert!(refused.to_string().contains("0000000000000007.seg"));
    assert_eq!(fs.list().unwrap(), before);
}

#[test]
fn a_body_that_looks_like_frames_is_no_frame() {
    let fs = FaultyFs::default();
    let (journal, _) = open(&fs);
    let a = journal.destination("a").unwrap();
    append(&journal, a, 1, "first");
    journal.commit().unwrap();
    // What a sender could learn from another journal.
    let other = FaultyFs::default();
    let (stranger, _) = open(&other);
    let theirs = stranger.destination("a").unwrap();
    append(&stranger, theirs, 1, "forged");
    let forged = other.content(&segment_name(1));
    let shares = [share(a, 0..1)];
    let body = Bytes::copy_from_slice(&forged[64..]);
    journal.append(Kind::LogGroup, &shares, body, 0).unwrap();
    append(&journal, a, 1, "last");
    journal.close().unwrap();
    drop(journal);
    let name = segment_name(1);
    let mut bytes = fs.content(&name);
    let head = bytes.windows(5).position(|w| w == b"first").unwrap() + 5;
    bytes[head] ^= 1;
    fs.put(&name, &bytes);
    let (journal, recovered) = open(&fs);
    assert_eq!(bodies(&journal, a), ["first", "last"]);
    assert_eq!((recovered.corrupt_frames, recovered.corrupt_rows), (1, 1));
}
