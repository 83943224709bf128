//! One batch through one socket: what goes into one call, and what an error of
//! it means. No socket in here: the call is an argument.

use std::io;
use std::io::IoSlice;

use super::super::batch::Outgoing;
use super::super::batch::SLOTS;
use super::account::RelayDrop;
use super::account::RelayTotals;

/// How datagrams become entries of `sendmmsg(2)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Neighbours of equal length, of up to so many octets each, go as one that
    /// the kernel takes apart (`UDP_SEGMENT`); 0 has each go for itself.
    Plain(usize),
    /// Each has two parts: a header of ours, and its octets.
    Headed,
}

/// Sends a batch of datagrams, in order, each at most once.
///
/// `parts` are those of at most [`SLOTS`] datagrams. One that does not go for
/// want of room is dropped with all that follow it. Any other error may be of a
/// datagram sent before, as the network's notices come back with the next call:
/// so the datagram is tried again once, and what comes then counts.
pub(super) fn transmit(
    parts: &[IoSlice<'_>],
    form: &mut Form,
    totals: &mut RelayTotals,
    mut send: impl FnMut(&[Outgoing<'_>]) -> io::Result<usize>,
) {
    let mut batch = Batch {
        rest: parts,
        form,
        totals,
        is_retry: false,
        is_cut: false,
    };
    while !batch.rest.is_empty() {
        let mut entries = [Outgoing::default(); SLOTS];
        let entries = arrange(batch.rest, *batch.form, &mut entries);
        match send(entries) {
            Ok(sent) => batch.sent(entries, sent),
            Err(error) => batch.failed(entries, error.raw_os_error().unwrap_or_default()),
        }
    }
}

/// A batch under way.
struct Batch<'a, 'b> {
    /// Parts of the datagrams that are neither sent nor dropped.
    rest: &'b [IoSlice<'b>],
    form: &'a mut Form,
    totals: &'a mut RelayTotals,
    /// The first of them has failed before.
    is_retry: bool,
    /// The call before sent some, and did not say what ended it.
    is_cut: bool,
}

impl Batch<'_, '_> {
    fn sent(&mut self, entries: &[Outgoing<'_>], sent: usize) {
        // What ended the call before is gone: a notice that the kernel told
        // nobody.
        self.totals.unreachable += u64::from(self.is_cut);
        self.is_cut = sent < entries.len();
        self.is_retry = false;
        for entry in entries.iter().take(sent) {
            for datagram in entry.parts.chunks(self.width()) {
                let octets = datagram.last().map_or(0, |octets| octets.len());
                self.totals.send(octets);
            }
            self.advance(entry.parts.len());
        }
    }

    fn failed(&mut self, entries: &[Outgoing<'_>], code: i32) {
        let first = entries.first().copied().unwrap_or_default();
        self.is_cut = false;
        self.totals.unreachable += u64::from(code == libc::ECONNREFUSED);
        if matches!(code, libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) {
            self.drop(RelayDrop::Full, self.rest.len());
        } else if !self.is_retry {
            self.is_retry = true;
        } else if first.segment_bytes > 0 && is_of_segments(code) {
            *self.form = Form::Plain(segment_bytes_max(code, first.segment_bytes));
            self.is_retry = false;
        } else {
            let (why, is_of_one) = reason(code);
            let parts = if is_of_one {
                first.parts.len()
            } else {
                self.rest.len()
            };
            self.drop(why, parts);
        }
    }

    fn drop(&mut self, why: RelayDrop, parts: usize) {
        self.totals.drop(why, parts / self.width());
        self.advance(parts);
        self.is_retry = false;
    }

    fn advance(&mut self, parts: usize) {
        // Never empty entries, so this comes to an end.
        self.rest = self.rest.get(parts.max(1)..).unwrap_or_default();
    }

    fn width(&self) -> usize {
        match self.form {
            Form::Plain(_) => 1,
            Form::Headed => 2,
        }
    }
}

/// Why a datagram does not go at the second try, and whether that is of this
/// one alone: others may be shorter, or find somebody there.
fn reason(code: i32) -> (RelayDrop, bool) {
    match code {
        libc::EMSGSIZE => (RelayDrop::TooLong, true),
        libc::ECONNREFUSED => (RelayDrop::Unreachable, true),
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN => {
            (RelayDrop::Unreachable, false)
        }
        _ => (RelayDrop::Other, false),
    }
}

/// Whether datagrams may go that fail together: they are longer than the path
/// takes in one piece (`EINVAL` before Linux 6.9), the interface computes no
/// checksums (`EIO`), or the kernel is older than 4.18.
fn is_of_segments(code: i32) -> bool {
    let codes = [
        libc::EMSGSIZE,
        libc::EINVAL,
        libc::EIO,
        libc::EOPNOTSUPP,
        libc::ENOPROTOOPT,
    ];
    codes.contains(&code)
}

fn segment_bytes_max(code: i32, failed: u16) -> usize {
    match code {
        libc::EMSGSIZE | libc::EINVAL => usize::from(failed).saturating_sub(1),
        _ => 0,
    }
}

/// Entries for as many datagrams as there are.
fn arrange<'e, 'a>(
    parts: &'a [IoSlice<'a>],
    form: Form,
    entries: &'e mut [Outgoing<'a>; SLOTS],
) -> &'e [Outgoing<'a>] {
    let mut rest = parts;
    let mut used = 0;
    for entry in entries.iter_mut() {
        let (length, segment_bytes) = match form {
            Form::Plain(segment_bytes_max) => run(rest, segment_bytes_max),
            Form::Headed => (2, 0),
        };
        let Some((parts, others)) = rest.split_at_checked(length) else {
            break;
        };
        *entry = Outgoing {
            parts,
            segment_bytes,
        };
        rest = others;
        used += 1;
    }
    entries.get(..used).unwrap_or_default()
}

/// How many datagrams from the first on may go together, and the octets of each
/// if that is more than one: all as long as the first, the last may be shorter,
/// none empty.
fn run(parts: &[IoSlice<'_>], segment_bytes_max: usize) -> (usize, u16) {
    let first = parts.first().map_or(0, |part| part.len());
    let (mut length, mut octets) = (1, first);
    if first > segment_bytes_max {
        return (1, 0);
    }
    for part in parts.iter().skip(1) {
        octets += part.len();
        if part.is_empty() || part.len() > first || octets > RUN_BYTES_MAX {
            break;
        }
        length += 1;
        if part.len() < first {
            break;
        }
    }
    let segment_bytes = u16::try_from(first).unwrap_or_default();
    (length, if length > 1 { segment_bytes } else { 0 })
}

/// Octets of the longest UDP payload that IPv4 takes; RFC 791 §3.1.
const RUN_BYTES_MAX: usize = 65_535 - 20 - 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// What one call was asked to send: lengths of the datagrams of each entry.
    type Call = Vec<Vec<usize>>;

    /// Transmits datagrams of these lengths; calls have these outcomes, and
    /// then send all they are given.
    fn play(
        lengths: &[usize],
        form: &mut Form,
        outcomes: &[Result<usize, i32>],
    ) -> (Vec<Call>, RelayTotals) {
        let octets = vec![0; 65_535];
        let parts: Vec<_> = lengths
            .iter()
            .map(|length| IoSlice::new(&octets[..*length]))
            .collect();
        let (mut calls, mut totals) = (Vec::new(), RelayTotals::default());
        let mut outcomes = outcomes.iter();
        transmit(&parts, form, &mut totals, |entries| {
            let lengths = |entry: &Outgoing<'_>| {
                let lengths: Vec<_> = entry.parts.iter().map(|part| part.len()).collect();
                if entry.segment_bytes > 0 {
                    assert_eq!(lengths[0], usize::from(entry.segment_bytes));
                }
                lengths
            };
            calls.push(entries.iter().map(lengths).collect());
            match outcomes.next() {
                Some(Ok(sent)) => Ok(*sent),
                Some(Err(code)) => Err(io::Error::from_raw_os_error(*code)),
                None => Ok(entries.len()),
            }
        });
        (calls, totals)
    }

    fn totals(sent: u64, octets: u64, unreachable: u64) -> RelayTotals {
        RelayTotals {
            sent,
            octets,
            unreachable,
            ..RelayTotals::default()
        }
    }

    fn dropped(mut totals: RelayTotals, why: RelayDrop, datagrams: u64) -> RelayTotals {
        totals.dropped[why as usize] = datagrams;
        totals
    }

    #[test]
    fn equal_neighbours_go_together_and_nothing_else_does() {
        let lengths = [100, 100, 80, 80, 100, 0, 0, 100, 2000, 2000];
        let (calls, sums) = play(&lengths, &mut Form::Plain(1500), &[]);
        let call: Call = vec![
            vec![100, 100, 80],
            vec![80],
            vec![100],
            vec![0],
            vec![0],
            vec![100],
            vec![2000],
            vec![2000],
        ];
        assert_eq!(calls, [call]);
        assert_eq!(sums, totals(10, 4560, 0));

        let (calls, _) = play(&[100; 3], &mut Form::Plain(0), &[]);
        assert_eq!(calls, [[[100]; 3]]);
    }

    /// RFC 791 §3.1.
    #[test]
    fn a_run_is_no_longer_than_a_datagram_may_be() {
        let (calls, _) = play(&[9000; 8], &mut Form::Plain(9000), &[]);
        assert_eq!(calls, [[vec![9000; 7], vec![9000]]]);
    }

    #[test]
    fn a_header_of_ours_counts_for_no_octets() {
        let (calls, sums) = play(&[28, 10, 28, 0], &mut Form::Headed, &[]);
        assert_eq!(calls, [[[28, 10], [28, 0]]]);
        assert_eq!(sums, totals(2, 10, 0));
    }

    #[test]
    fn without_room_all_that_is_left_is_dropped() {
        for code in [libc::EAGAIN, libc::ENOBUFS] {
            let (calls, sums) = play(&[1, 2, 3], &mut Form::Plain(0), &[Ok(1), Err(code)]);
            assert_eq!(
                calls,
                [vec![vec![1], vec![2], vec![3]], vec![vec![2], vec![3]]]
            );
            assert_eq!(sums, dropped(totals(1, 1, 0), RelayDrop::Full, 2));
        }
    }

    #[test]
    fn a_notice_is_of_an_earlier_datagram_and_costs_none() {
        let refused = Err(libc::ECONNREFUSED);
        let (calls, sums) = play(&[1, 2], &mut Form::Plain(0), &[refused]);
        assert_eq!(calls.len(), 2);
        assert_eq!(sums, totals(2, 3, 1));
        // The kernel says nothing of the one that cut the first call short.
        let (calls, sums) = play(&[1, 2, 3], &mut Form::Plain(0), &[Ok(1)]);
        assert_eq!(calls.len(), 2);
        assert_eq!(sums, totals(3, 6, 1));
    }

    #[test]
    fn nobody_there_twice_in_a_row_costs_one_datagram() {
        let refused = Err(libc::ECONNREFUSED);
        let (calls, sums) = play(&[1, 2], &mut Form::Plain(0), &[refused, refused]);
        assert_eq!(calls.last(), Some(&vec![vec![2]]));
        assert_eq!(sums, dropped(totals(1, 2, 2), RelayDrop::Unreachable, 1));
    }

    #[test]
    fn no_way_there_costs_the_batch_two_calls() {
        let nowhere = Err(libc::ENETUNREACH);
        let (calls, sums) = play(&[1; 64], &mut Form::Plain(0), &[nowhere, nowhere]);
        assert_eq!(calls.len(), 2);
        assert_eq!(sums, dropped(totals(0, 0, 0), RelayDrop::Unreachable, 64));
        let forbidden = Err(libc::EPERM);
        let (calls, sums) = play(&[1; 64], &mut Form::Plain(0), &[forbidden, forbidden]);
        assert_eq!(calls.len(), 2);
        assert_eq!(sums, dropped(totals(0, 0, 0), RelayDrop::Other, 64));
    }

    #[test]
    fn one_that_is_too_long_costs_no_other() {
        let long = Err(libc::EMSGSIZE);
        let (_, sums) = play(&[65_535, 2], &mut Form::Plain(0), &[long, long]);
        assert_eq!(sums, dropped(totals(1, 2, 0), RelayDrop::TooLong, 1));
    }

    #[test]
    fn what_does_not_go_together_goes_apart() {
        for (code, left) in [(libc::EINVAL, 999), (libc::EMSGSIZE, 999), (libc::EIO, 0)] {
            let mut form = Form::Plain(65_535);
            let (calls, sums) = play(&[1000; 3], &mut form, &[Err(code), Err(code)]);
            assert_eq!(calls.last(), Some(&vec![vec![1000]; 3]));
            assert_eq!(sums, totals(3, 3000, 0));
            assert_eq!(form, Form::Plain(left));
        }
    }

    #[test]
    fn any_outcomes_leave_each_datagram_in_one_account() {
        let codes = [
            libc::EMSGSIZE,
            libc::EINVAL,
            libc::ECONNREFUSED,
            libc::EPERM,
        ];
        for seed in 0..4_096_u32 {
            let outcome = |step: u32| match (seed >> (3 * step)) & 7 {
                code @ 0..4 => Err(codes[code as usize]),
                sent => Ok(usize::try_from(sent - 3).unwrap()),
            };
            let outcomes: Vec<_> = (0..4).map(outcome).collect();
            let lengths = [5, 5, 5, 0, 7, 5, 5, 5, 4, 9];
            let (_, sums) = play(&lengths, &mut Form::Plain(100), &outcomes);
            let all = sums.sent + sums.dropped.iter().sum::<u64>();
            assert_eq!(all, 10, "{outcomes:?}");
        }
    }
}
