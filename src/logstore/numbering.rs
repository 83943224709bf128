//! Which journal numbered which rows: what makes a `flow-id` of a number.
//!
//! Numbers go on when a journal is lost and another one begun, and a journal
//! may come back from a backup, so a number alone does not tell the journal.
//! Each part notes the one that numbered its rows, in MANIFEST and in its own
//! footer, as it notes their hour: rows of two journals never share a part, also
//! when parts are merged. Where none is noted, as in parts of old, there is no
//! `flow-id` rather than a wrong one.

/// Rows of one logstore by the journal that numbered them.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Numbering {
    /// In the order of numbers.
    runs: Vec<Run>,
}

/// Rows with nothing of another journal between them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Run {
    first_seq: u64,
    last_seq: u64,
    journal: Option<u64>,
}

impl Numbering {
    /// The next rows, with numbers behind those of all before.
    pub(super) fn push(&mut self, (first_seq, last_seq): (u64, u64), journal: Option<u64>) {
        match self.runs.last_mut() {
            Some(last) if last.journal == journal => last.last_seq = last_seq,
            Some(_) | None => self.runs.push(Run {
                first_seq,
                last_seq,
                journal,
            }),
        }
    }

    /// What the log service knows a row by: the journal in 16 hexadecimal
    /// digits, `-`, and the number. None where no journal is known.
    pub(super) fn flow_id(&self, seq: u64) -> Option<String> {
        let behind = self.runs.partition_point(|run| run.last_seq < seq);
        let run = self.runs.get(behind).filter(|run| run.first_seq <= seq)?;
        Some(format!("{:016x}-{seq}", run.journal?))
    }
}

/// The field of a flow that tells it from all others.
pub(super) const FLOW_ID: &str = "flow-id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_journal_it_was_given_by() {
        let mut numbering = Numbering::default();
        for (seqs, journal) in [
            ((3, 5), None),
            ((6, 6), Some(0xab)),
            ((9, 20), Some(0xab)),
            ((21, 30), Some(u64::MAX)),
            ((31, 31), None),
            ((40, 41), Some(0xab)),
        ] {
            numbering.push(seqs, journal);
        }
        assert_eq!(numbering.runs.len(), 5);
        let ids = [2, 3, 6, 9, 20, 21, 30, 31, 35, 41, 42].map(|seq| numbering.flow_id(seq));
        let expected = [
            None,
            None,
            Some("00000000000000ab-6"),
            Some("00000000000000ab-9"),
            Some("00000000000000ab-20"),
            Some("ffffffffffffffff-21"),
            Some("ffffffffffffffff-30"),
            None,
            None,
            Some("00000000000000ab-41"),
            None,
        ];
        assert_eq!(ids, expected.map(|id| id.map(str::to_owned)));
    }
}
