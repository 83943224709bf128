//! Routes that a record may take or not, by what it says.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::flow::Event;
use crate::flow::FlowRecord;
use crate::flow::RecordFlags;

use super::FlowLog;
use super::RouteId;
use super::Traffic;

/// A route, and what a record must be to take it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Gate {
    /// The route.
    pub route: RouteId,
    /// How many packets passed for each metered one, of records that do not say.
    pub one_in: Option<NonZeroU32>,
    traffic: Traffic,
}

/// The gates before the records of one exporter's domain.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sieve {
    /// Before every record.
    every: Arc<[Gate]>,
    /// Before records that came in or went out by an interface; by ifIndex, sorted.
    interfaces: Arc<[(u32, Gate)]>,
    /// Before records that no other is.
    otherwise: Option<Gate>,
}

impl Gate {
    /// The gate of a route to a flow log.
    pub(super) fn new(route: RouteId, log: &FlowLog) -> Self {
        Self {
            route,
            one_in: log.one_in,
            traffic: log.traffic,
        }
    }

    /// Whether every record passes it, just as it is.
    pub(super) fn is_open(&self) -> bool {
        self.traffic == Traffic::All && self.one_in.is_none()
    }
}

impl Sieve {
    /// The gates before all records, and before those of interfaces, by
    /// ifIndex; `otherwise` is before the records of other interfaces if there
    /// is none before all.
    pub(super) fn new(
        every: Vec<Gate>,
        interfaces: &Arc<[(u32, Gate)]>,
        otherwise: Option<Gate>,
    ) -> Self {
        Self {
            otherwise: otherwise.filter(|_| every.is_empty()),
            every: every.into(),
            interfaces: Arc::clone(interfaces),
        }
    }

    /// The gates that a record passes, each once: of all its exporter's, and of
    /// the interfaces it came in and went out by, at most
    /// [`ROUTES_MAX`](super::ROUTES_MAX) each.
    pub fn passed<'a>(&'a self, record: &FlowRecord) -> impl Iterator<Item = &'a Gate> {
        let (inward, outward) = (record.key.in_if, record.key.out_if);
        let inward = self.of_interface(inward);
        let outward = self.of_interface(outward);
        let seen = |gate: &Gate| inward.iter().any(|(_, other)| other.route == gate.route);
        let outward = outward.iter().filter(move |(_, gate)| !seen(gate));
        let by_interface = inward.iter().chain(outward).map(|(_, gate)| gate);
        let mut before = self.every.iter().chain(by_interface).peekable();
        let is_alone = before.peek().is_none();
        let otherwise = self.otherwise.as_ref().filter(|_| is_alone);
        let fate = fate(record);
        before
            .chain(otherwise)
            .filter(move |gate| gate.traffic.takes(fate))
    }

    /// The gates of an interface; 0 is no interface.
    fn of_interface(&self, index: u32) -> &[(u32, Gate)] {
        let from = self.interfaces.partition_point(|(other, _)| *other < index);
        let (_, rest) = self.interfaces.split_at(from);
        let count = rest.partition_point(|(other, _)| *other == index);
        rest.split_at(count).0
    }
}

impl Traffic {
    fn takes(self, fate: Option<Fate>) -> bool {
        match self {
            Self::All => true,
            Self::Accept => fate == Some(Fate::LetThrough),
            Self::Reject => fate == Some(Fate::Dropped),
        }
    }
}

/// What became of a record's packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    LetThrough,
    Dropped,
}

/// By firewallEvent (233), else by forwardingStatus (89), whose two upper bits
/// say it (RFC 7270 §4.12); packets consumed by the device itself reached where
/// they should. `None` if the record does not say.
fn fate(record: &FlowRecord) -> Option<Fate> {
    match record.event {
        Some(Event::NselDenied) => return Some(Fate::Dropped),
        Some(Event::NselCreated | Event::NselTeardown | Event::NselUpdate) => {
            return Some(Fate::LetThrough);
        }
        // An alert may be about either.
        Some(
            Event::NselAlert | Event::Nat | Event::PacketSection | Event::Options | Event::Other,
        )
        | None => {}
    }
    match record.forwarding_status >> 6 {
        1 | 3 => Some(Fate::LetThrough),
        2 => Some(Fate::Dropped),
        // Connections that count have carried packets.
        _ => {
            let is_connection = record.event.is_none() && record.flags.contains(RecordFlags::NSEL);
            is_connection.then_some(Fate::LetThrough)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowKey;

    fn gate(route: u16, traffic: Traffic) -> Gate {
        Gate {
            route: RouteId(route),
            one_in: None,
            traffic,
        }
    }

    fn record(in_if: u32, out_if: u32) -> FlowRecord {
        FlowRecord {
            key: FlowKey {
                in_if,
                out_if,
                ..FlowKey::default()
            },
            ..FlowRecord::default()
        }
    }

    fn routes(sieve: &Sieve, record: &FlowRecord) -> Vec<u16> {
        sieve.passed(record).map(|gate| gate.route.0).collect()
    }

    fn of_interfaces() -> Arc<[(u32, Gate)]> {
        let all = Traffic::All;
        let gates = [
            (7, gate(3, all)),
            (7, gate(4, all)),
            (9, gate(4, all)),
            (9, gate(5, all)),
        ];
        gates.into()
    }

    #[test]
    fn a_record_takes_the_routes_of_both_its_interfaces_each_once() {
        let every = vec![gate(1, Traffic::All)];
        let sieve = Sieve::new(every, &of_interfaces(), Some(gate(2, Traffic::All)));
        assert_eq!(routes(&sieve, &record(7, 9)), [1, 3, 4, 5]);
        assert_eq!(routes(&sieve, &record(9, 7)), [1, 4, 5, 3]);
        assert_eq!(routes(&sieve, &record(8, 7)), [1, 3, 4]);
        assert_eq!(routes(&sieve, &record(0, 8)), [1]);
    }

    #[test]
    fn what_no_interface_claims_goes_where_unclaimed_records_go() {
        let sieve = Sieve::new(Vec::new(), &of_interfaces(), Some(gate(2, Traffic::All)));
        assert_eq!(routes(&sieve, &record(0, 9)), [4, 5]);
        assert_eq!(routes(&sieve, &record(8, 10)), [2]);
        let ignored = Sieve::new(Vec::new(), &of_interfaces(), None);
        assert_eq!(routes(&ignored, &record(8, 10)), [0_u16; 0]);
    }

    #[test]
    fn a_record_that_a_flow_log_does_not_want_is_not_unclaimed_for_that() {
        let interfaces: Arc<[_]> = [(7, gate(3, Traffic::Reject))].into();
        let sieve = Sieve::new(Vec::new(), &interfaces, Some(gate(2, Traffic::All)));
        assert_eq!(routes(&sieve, &record(7, 0)), [0_u16; 0]);
    }

    #[test]
    fn traffic_is_what_the_exporter_says_became_of_it() {
        let gates = [Traffic::Accept, Traffic::Reject, Traffic::All];
        let gates = gates.into_iter().zip(1..);
        let every = gates.map(|(traffic, route)| gate(route, traffic)).collect();
        let sieve = Sieve::new(every, &Arc::default(), None);
        let of = |status, event, flags| {
            let record = FlowRecord {
                forwarding_status: status,
                event,
                flags,
                ..FlowRecord::default()
            };
            routes(&sieve, &record)
        };
        let none = RecordFlags::empty();
        for (status, event, flags, expected) in [
            (0, None, none, vec![3]),
            (63, None, none, vec![3]),
            (64, None, none, vec![1, 3]),
            (127, None, none, vec![1, 3]),
            (128, None, none, vec![2, 3]),
            (191, None, none, vec![2, 3]),
            (192, None, none, vec![1, 3]),
            (64, Some(Event::NselDenied), none, vec![2, 3]),
            (0, Some(Event::NselCreated), none, vec![1, 3]),
            (0, Some(Event::NselTeardown), none, vec![1, 3]),
            (0, Some(Event::NselUpdate), none, vec![1, 3]),
            (0, Some(Event::NselAlert), none, vec![3]),
            (0, None, RecordFlags::NSEL, vec![1, 3]),
        ] {
            assert_eq!(of(status, event, flags), expected, "{status} {event:?}");
        }
    }
}
