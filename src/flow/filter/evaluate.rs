//! Whether a flow passes a filter.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::flow::Detail;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::filter::Comparison;
use crate::flow::filter::Condition;
use crate::flow::filter::Expression;
use crate::flow::filter::Family;
use crate::flow::filter::Network;
use crate::flow::filter::Quantity;
use crate::flow::filter::Side;
use crate::flow::filter::Test;

/// A flow and where it came from and went.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What the flow says.
    pub record: &'a FlowRecord,
    /// What few flows say.
    pub detail: Option<&'a Detail>,
    /// Exporter's address.
    pub exporter: IpAddr,
    /// Name of the flow log it was routed to.
    pub flow_log: &'a str,
}

/// Evaluates with negation pushed down to the tests, as the SQL form does.
pub(super) fn holds(expression: &Expression, subject: &Subject<'_>, negated: bool) -> bool {
    match expression {
        Expression::Any => !negated,
        Expression::Not(inner) => holds(inner, subject, !negated),
        Expression::AllOf(terms) if negated => terms.iter().any(|term| holds(term, subject, true)),
        Expression::AllOf(terms) => terms.iter().all(|term| holds(term, subject, false)),
        Expression::OneOf(terms) if negated => terms.iter().all(|term| holds(term, subject, true)),
        Expression::OneOf(terms) => terms.iter().any(|term| holds(term, subject, false)),
        Expression::Test(Test::Flags(flags)) if negated => subject.record.tcp_flags & flags == 0,
        Expression::Test(test) => test_holds(test, subject) != negated,
    }
}

fn test_holds(test: &Test, subject: &Subject<'_>) -> bool {
    let record = subject.record;
    let key = &record.key;
    let address = |field, octets| key.present.contains(field).then(|| address(octets));
    let source = address(Presence::SRC, key.src);
    let destination = address(Presence::DST, key.dst);
    match test {
        Test::Address(side, networks) => on_side(*side, source, destination, |address| {
            within(networks, address)
        }),
        Test::NextHop(networks) => {
            next_hop(subject).is_some_and(|address| within(networks, address))
        }
        Test::Exporter(networks) => within(networks, subject.exporter),
        Test::Family(Family::V4) => source.is_some_and(|address| address.is_ipv4()),
        Test::Family(Family::V6) => source.is_some_and(|address| address.is_ipv6()),
        Test::Flags(flags) => record.tcp_flags & flags == *flags,
        Test::FlowLog(name) => subject.flow_log == name,
        Test::Number(quantity, condition) => number_holds(*quantity, condition, record),
    }
}

fn number_holds(quantity: Quantity, condition: &Condition, record: &FlowRecord) -> bool {
    let key = &record.key;
    let whole = |number: u32| condition.holds(Ratio::whole(number.into()));
    let present = |field, number: u32| key.present.contains(field).then_some(number);
    let sides = |side, source, destination| on_side(side, source, destination, whole);
    match quantity {
        Quantity::Port(side) => sides(
            side,
            present(Presence::SRC_PORT, key.src_port.into()),
            present(Presence::DST_PORT, key.dst_port.into()),
        ),
        Quantity::As(side) => sides(side, Some(record.src_as), Some(record.dst_as)),
        Quantity::Interface(side) => sides(
            side,
            present(Presence::IN_IF, key.in_if),
            present(Presence::OUT_IF, key.out_if),
        ),
        Quantity::Protocol => present(Presence::PROTOCOL, key.protocol.into()).is_some_and(whole),
        Quantity::Tos => present(Presence::TOS, key.tos.into()).is_some_and(whole),
        Quantity::Vlan => present(Presence::VLAN, key.vlan.into()).is_some_and(whole),
        Quantity::Flows => whole(record.flows),
        Quantity::Bytes => condition.holds(Ratio::whole(record.octets)),
        Quantity::Packets => condition.holds(Ratio::whole(record.packets)),
        Quantity::Duration => condition.holds(Ratio::whole(duration_ms(record))),
        Quantity::BitsPerSecond => {
            condition.holds(Ratio::new(record.octets, 8_000, duration_ms(record)))
        }
        Quantity::PacketsPerSecond => {
            condition.holds(Ratio::new(record.packets, 1_000, duration_ms(record)))
        }
        Quantity::BytesPerPacket => condition.holds(Ratio::new(record.octets, 1, record.packets)),
    }
}

/// Asks one end of a flow, or both; an absent end says no.
fn on_side<T>(
    side: Side,
    source: Option<T>,
    destination: Option<T>,
    ask: impl Fn(T) -> bool,
) -> bool {
    let source = || source.is_some_and(&ask);
    let destination = || destination.is_some_and(&ask);
    match side {
        Side::Source => source(),
        Side::Destination => destination(),
        Side::Either => source() || destination(),
        Side::Both => source() && destination(),
    }
}

fn within(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

fn address(octets: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
}

fn next_hop(subject: &Subject<'_>) -> Option<IpAddr> {
    let v6 = subject.detail.and_then(|detail| detail.next_hop_v6);
    let v4 = (subject.record.next_hop != 0).then(|| Ipv4Addr::from(subject.record.next_hop).into());
    v4.or_else(|| v6.map(|octets| Ipv6Addr::from(octets).into()))
}

fn duration_ms(record: &FlowRecord) -> u64 {
    record.end_ms.saturating_sub(record.start_ms)
}

impl Condition {
    fn holds(&self, left: Ratio) -> bool {
        match self {
            Self::In(numbers) => numbers
                .iter()
                .any(|number| left.compare(*number) == Ordering::Equal),
            Self::Compare(comparison, right) => comparison.holds(left.compare(*right)),
        }
    }
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::Greater => ordering.is_gt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// The operator, in SQL and in the filter language.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::LessOrEqual => "<=",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// A rate kept exact; over nothing it is 0, as nfdump has it.
#[derive(Clone, Copy)]
struct Ratio {
    dividend: u128,
    divisor: u64,
}

impl Ratio {
    fn new(count: u64, scale: u64, divisor: u64) -> Self {
        match divisor {
            0 => Self::whole(0),
            _ => Self {
                dividend: u128::from(count) * u128::from(scale),
                divisor,
            },
        }
    }

    fn whole(number: u64) -> Self {
        Self {
            dividend: number.into(),
            divisor: 1,
        }
    }

    fn compare(self, right: u64) -> Ordering {
        self.dividend
            .cmp(&(u128::from(right) * u128::from(self.divisor)))
    }
}
