//! Records of one row.

/// The records one row became: several where its counters had to be split.
///
/// Kept by the caller and used again, so that rows allocate nothing.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Index of their Template in [`crate::flow::RowEncoder::templates`].
    pub template: usize,
    /// Whether that Template, or a sampler's options, were made for this row:
    /// they are to be sent before it.
    pub is_new: bool,
    /// v5's sampling word; records of one Message must share it (P-716).
    pub sampling: u16,
    octets: Vec<u8>,
    /// Where in `octets` each record ends.
    ends: Vec<usize>,
}

impl Records {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each record's octets.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&end| {
            let record = self.octets.get(start..end);
            start = end;
            record
        })
    }

    /// Octets of all of them.
    pub fn bytes(&self) -> usize {
        self.octets.len()
    }

    /// Removes all and keeps the room they had.
    pub(super) fn clear(&mut self) {
        self.template = 0;
        self.is_new = false;
        self.sampling = 0;
        self.octets.clear();
        self.ends.clear();
    }

    /// Adds a record that `put` writes behind those before.
    pub(super) fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.octets);
        self.ends.push(self.octets.len());
    }
}
