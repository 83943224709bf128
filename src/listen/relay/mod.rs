//! Copies of datagrams to other collectors, octet by octet, before they are
//! decoded.
//!
//! [`RelayRule`]s compile to a [`RelayTable`]; each lane has a [`Relay`] that
//! goes by one, with a connected socket of its own for each destination. A
//! batch of datagrams is sent from the arena it was received into, in one call
//! for each destination, without waiting, allocating or locking.
//!
//! * What cannot be sent at once is dropped and counted in the destination's
//!   [`RelayAccount`]; no destination costs another anything but time.
//! * Whatever an exporter sends is relayed, empty datagrams too, in order; not
//!   what was cut short, nor what comes from exporters that are not heard.
//! * A lane's source port for a destination is the same for the life of the
//!   process, as collectors tell exporters apart by it.

mod account;
mod outlet;
mod rule;
mod spoof;
mod table;
mod transmit;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use super::batch::SLOTS;
use super::lane::Received;

pub use account::RelayAccount;
pub use account::RelayDrop;
pub use account::RelayTotals;
pub use outlet::may_spoof;
pub use rule::RELAY_TARGETS_MAX;
pub use rule::RelayRule;
pub use spoof::put_packet;
pub use table::RelayTable;

use outlet::Outlet;
use table::Way;

/// What one lane relays, and how.
#[derive(Debug)]
pub struct Relay {
    table: Arc<RelayTable>,
    /// One for each destination of the table, in its order.
    outlets: Vec<Outlet>,
    /// Of the batch at hand, one for each datagram.
    ways: Vec<Way>,
}

impl Relay {
    /// A relay that goes by a table.
    pub fn new(table: Arc<RelayTable>) -> Self {
        let mut relay = Self {
            table: Arc::default(),
            outlets: Vec::new(),
            ways: Vec::with_capacity(SLOTS),
        };
        relay.go_by(table);
        relay
    }

    /// Goes by another table; sockets to destinations that are in both stay.
    pub fn go_by(&mut self, table: Arc<RelayTable>) {
        let mut before = std::mem::take(&mut self.outlets);
        for destination in &table.destinations {
            let known = before.iter().position(|it| it.leads_to(destination));
            let known = known.map(|index| before.swap_remove(index));
            let outlet = Outlet::new(destination.clone(), known);
            self.outlets.push(outlet);
        }
        self.ways.clear();
        self.table = table;
    }

    /// Sends copies of a batch to where the rules say, without waiting.
    ///
    /// `is_heard` says whether an exporter is on the allow-list.
    pub fn send(
        &mut self,
        received: &Received<'_>,
        now_ms: u64,
        is_heard: impl Fn(IpAddr) -> bool,
    ) {
        if self.outlets.is_empty() {
            return;
        }
        self.ways.clear();
        let mut all = 0;
        // Datagrams of an exporter often come together.
        let mut last = None;
        for datagram in received.datagrams() {
            let exporter = datagram.peer.ip();
            let way = match last {
                Some((same, way)) if same == exporter => way,
                _ if is_heard(exporter) => self.table.way(exporter),
                _ => Way::default(),
            };
            self.ways.push(way);
            last = Some((exporter, way));
            all |= way.destinations;
        }
        for (index, outlet) in self.outlets.iter_mut().enumerate() {
            let bit = 1 << index;
            if all & bit == 0 {
                continue;
            }
            let datagrams = received.datagrams().zip(&self.ways);
            let wanted = datagrams.filter(|(_, way)| way.destinations & bit != 0);
            let mut wanted = wanted.map(|(datagram, _)| datagram).peekable();
            while wanted.peek().is_some() {
                outlet.send(wanted.by_ref().take(SLOTS), now_ms);
            }
        }
    }

    /// Whether the datagram of this number in the batch last sent is relayed
    /// and nothing else.
    pub fn is_only(&self, index: usize) -> bool {
        self.ways.get(index).is_some_and(|way| way.only)
    }
}
