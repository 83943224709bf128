//! The few forms of protobuf that a LogGroup is made of.

use crate::sink::sls::GroupHeader;
use crate::sink::sls::PackId;

/// `LogGroup.Logs`.
const LOGS: u8 = 0x0a;
/// `LogGroup.Topic`.
const TOPIC: u8 = 0x1a;
/// `LogGroup.Source`.
const SOURCE: u8 = 0x22;
/// `LogGroup.LogTags`.
const TAGS: u8 = 0x32;
/// `Log.Time`.
const TIME: u8 = 0x08;
/// `Log.Contents`.
pub(super) const CONTENTS: u8 = 0x12;
/// `Content.Key` and `LogTag.Key`.
const KEY: u8 = 0x0a;
/// `Content.Value` and `LogTag.Value`.
const VALUE: u8 = 0x12;

/// A number, 7 bits an octet, the lowest first.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

fn low_bits(value: u64) -> u8 {
    let [lowest, ..] = value.to_le_bytes();
    lowest & 0x7f
}

/// How many octets [`varint`] needs.
fn varint_length(value: usize) -> usize {
    usize::try_from((value | 1).ilog2() / 7 + 1).unwrap_or(usize::MAX)
}

fn length(value: usize, out: &mut Vec<u8>) {
    varint(u64::try_from(value).unwrap_or(u64::MAX), out);
}

fn text(tag: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    length(text.len(), out);
    out.extend_from_slice(text);
}

/// Octets of a Content or LogTag without its value.
pub(super) fn pair_overhead(key: &[u8], value: usize) -> usize {
    let inner = pair_length(key.len(), value);
    (1 + varint_length(inner) + inner).saturating_sub(value)
}

fn pair_length(key: usize, value: usize) -> usize {
    2 + varint_length(key) + key + varint_length(value) + value
}

/// A Content or LogTag, of whose value only `head` is written: its last
/// `missing` octets are to follow.
pub(super) fn pair_head(tag: u8, key: &str, head: &[u8], missing: usize, out: &mut Vec<u8>) {
    let value = head.len() + missing;
    out.push(tag);
    length(pair_length(key.len(), value), out);
    text(KEY, key.as_bytes(), out);
    out.push(VALUE);
    length(value, out);
    out.extend_from_slice(head);
}

/// A Content or LogTag.
pub(super) fn pair(tag: u8, key: &str, value: &[u8], out: &mut Vec<u8>) {
    pair_head(tag, key, value, 0, out);
}

/// Begins a Log; the start is what [`close_log`] asks for.
pub(super) fn open_log(time_s: u32, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[LOGS, 0, 0, TIME]);
    varint(u64::from(time_s), out);
    start
}

/// Ends a Log that began at `start`, now that its length is known.
///
/// Two octets are kept for the length, which most Logs need; others move.
pub(super) fn close_log(start: usize, out: &mut Vec<u8>) {
    let body = start + 1 + LENGTH_OCTETS;
    let octets = out.len().saturating_sub(body);
    let mut length_octets = Vec::new();
    if varint_length(octets) == LENGTH_OCTETS {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        let both = [low_bits(octets) | 0x80, low_bits(octets >> 7)];
        if let Some(kept) = out.get_mut(start + 1..body) {
            kept.copy_from_slice(&both);
        }
        return;
    }
    length(octets, &mut length_octets);
    out.splice(start + 1..body, length_octets);
}

/// How many octets [`open_log`] keeps for the length.
const LENGTH_OCTETS: usize = 2;

/// What stands behind the Logs of a LogGroup.
pub(in crate::sink::sls) fn trailer(
    header: &GroupHeader,
    pack_id: Option<PackId>,
    out: &mut Vec<u8>,
) {
    text(TOPIC, header.topic.as_bytes(), out);
    text(SOURCE, header.source.as_bytes(), out);
    for (key, value) in &header.tags {
        pair(TAGS, key, value.as_bytes(), out);
    }
    if let Some(id) = pack_id {
        pair(TAGS, PackId::TAG, id.to_string().as_bytes(), out);
    }
}

/// Sets the Log Times of finished Logs: `time` is asked with each one's own.
///
/// Only a Time of as many octets can take another's place; all since 1978 have
/// the same. Tells how many were changed.
pub(in crate::sink::sls) fn retime<'a>(
    logs: impl Iterator<Item = &'a mut [u8]>,
    time: impl Fn(u32) -> u32,
) -> usize {
    logs.filter_map(|log| retime_log(log, &time)).count()
}

fn retime_log(log: &mut [u8], time: &impl Fn(u32) -> u32) -> Option<()> {
    let length_octets = log.iter().skip(1).position(|octet| octet & 0x80 == 0)? + 1;
    let octets = log.get_mut(1 + length_octets + 1..)?;
    let count = octets.iter().position(|octet| octet & 0x80 == 0)? + 1;
    let octets = octets.get_mut(..count)?;
    let bits = |octet: &u8| u64::from(octet & 0x7f);
    let old = octets
        .iter()
        .rfold(0, |value, octet| value << 7 | bits(octet));
    let old = u32::try_from(old).ok()?;
    let new = time(old);
    let mut replacement = Vec::new();
    varint(u64::from(new), &mut replacement);
    if new == old || replacement.len() != count {
        return None;
    }
    octets.copy_from_slice(&replacement);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_seven_bits_an_octet() {
        let written = |value: u64| {
            let mut out = Vec::new();
            varint(value, &mut out);
            assert_eq!(varint_length(usize::try_from(value).unwrap()), out.len());
            out
        };
        assert_eq!(written(0), [0]);
        assert_eq!(written(127), [0x7f]);
        assert_eq!(written(128), [0x80, 1]);
        assert_eq!(written(16_383), [0xff, 0x7f]);
        assert_eq!(written(16_384), [0x80, 0x80, 1]);
        assert_eq!(written(1_767_225_600), [0x80, 0xf2, 0xd6, 0xca, 6]);
        assert_eq!(written(u64::MAX).len(), 10);
    }

    #[test]
    fn the_length_of_a_log_takes_the_octets_it_needs() {
        // A Time of one octet and its tag are 2 of the Log's.
        for (octets, length) in [
            (2, vec![2]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (16_383, vec![0xff, 0x7f]),
            (16_384, vec![0x80, 0x80, 1]),
        ] {
            let mut out = b"before".to_vec();
            let start = open_log(5, &mut out);
            out.extend(vec![b'x'; octets - 2]);
            close_log(start, &mut out);
            let mut expected = b"before\x0a".to_vec();
            expected.extend(&length);
            expected.extend([TIME, 5]);
            expected.extend(vec![b'x'; octets - 2]);
            assert_eq!(out, expected, "{octets} octets");
        }
    }

    #[test]
    fn a_pair_may_be_written_in_two_parts() {
        for length in [0, 1, 100, 125, 126, 200, 20_000] {
            let value = vec![b'v'; length];
            let mut whole = Vec::new();
            pair(CONTENTS, "key", &value, &mut whole);
            let mut parts = Vec::new();
            let (head, rest) = value.split_at(length / 2);
            pair_head(CONTENTS, "key", head, rest.len(), &mut parts);
            parts.extend_from_slice(rest);
            assert_eq!(parts, whole);
            assert_eq!(pair_overhead(b"key", length) + length, whole.len());
        }
    }

    #[test]
    fn a_time_takes_the_place_of_one_as_long() {
        let log = |time_s| {
            let mut out = Vec::new();
            let start = open_log(time_s, &mut out);
            pair(CONTENTS, "key", &[b'v'; 300], &mut out);
            close_log(start, &mut out);
            out
        };
        let mut logs = [log(1_767_225_600), log(1_767_225_601), log(7)];
        let logs = logs.each_mut().map(Vec::as_mut_slice);
        let changed = retime(logs.into_iter(), |_| 1_767_225_601);
        assert_eq!(changed, 1);
        let mut first = [log(1_767_225_600)];
        retime(first.iter_mut().map(Vec::as_mut_slice), |_| 1_767_999_999);
        assert_eq!(first[0], log(1_767_999_999));
    }
}
