//! Records that enter a cache together.

use crate::flow::Detail;
use crate::flow::FlowRecord;

/// Routed records, in order; few of them have a detail.
#[derive(Debug, Default)]
pub struct Queue {
    records: Vec<FlowRecord>,
    /// By the place of its record, ascending.
    details: Vec<(usize, Detail)>,
}

impl Queue {
    /// Appends a record, on this route.
    #[inline(always)]
    pub fn push(&mut self, route: u16, record: &FlowRecord, detail: Option<&Detail>) {
        if let Some(detail) = detail {
            self.details.push((self.records.len(), detail.clone()));
        }
        self.records.push(*record);
        if let Some(routed) = self.records.last_mut() {
            routed.key.route = route;
        }
    }

    /// Records in it.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.records.clear();
        self.details.clear();
    }

    pub(super) fn records(&self) -> &[FlowRecord] {
        &self.records
    }

    pub(super) fn details(&self) -> &[(usize, Detail)] {
        &self.details
    }
}
