//! The filter language of nfdump, as one expression over a flow: parsed,
//! evaluated and turned into SQL, the same everywhere it is typed.
//!
//! `src net 10.0.0.0/8 and dst port in [80 443] and not flags AF`
//!
//! A field the record lacks fails its test, so that `not port 80` holds for a
//! flow without ports. As in nfdump, `flags SA` wants all of its flags and
//! `not flags SA` none of them.

mod error;
mod evaluate;
mod lex;
mod network;
mod parse;
mod protocol;
mod sql;
#[cfg(test)]
mod tests;

pub use error::{FilterError, Problem};
pub use evaluate::Subject;
pub use network::Network;
pub use protocol::{protocol_name, protocol_number};

/// Longest filter text that is read, in octets.
pub const LENGTH_MAX: usize = 4096;
/// Deepest nesting of parentheses and `not` in a filter.
pub const DEPTH_MAX: usize = 64;

/// A checked filter over flows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    root: Expression,
}

impl Filter {
    /// Reads a filter; an empty text takes every flow.
    ///
    /// # Errors
    /// Says where the text stops making sense and what was expected there.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::filter(text).map(|root| Self { root })
    }

    /// Whether a flow passes.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        evaluate::holds(&self.root, subject, false)
    }

    /// The filter as a boolean SQL expression over the flow columns.
    ///
    /// Numbers, canonical addresses and quoted names are all that reaches the
    /// text. Networks use the function `cidr_contains(network, address)`.
    pub fn to_sql(&self) -> String {
        sql::expression(&self.root)
    }
}

/// A boolean expression; chains are flat, so depth is that of the parentheses.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Expression {
    Any,
    Test(Test),
    Not(Box<Self>),
    AllOf(Vec<Self>),
    OneOf(Vec<Self>),
}

/// One question about a flow.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Test {
    /// Source or destination address lies in one of the networks.
    Address(Side, Vec<Network>),
    /// Next hop lies in one of the networks.
    NextHop(Vec<Network>),
    /// Exporter's address lies in one of the networks.
    Exporter(Vec<Network>),
    /// Addresses are of this family.
    Family(Family),
    /// TCP flags; all of them, or none when negated.
    Flags(u16),
    /// Name of the flow log the flow was routed to.
    FlowLog(String),
    /// A number of the flow.
    Number(Quantity, Condition),
}

/// Which end of a flow is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    /// Source, or ingress.
    Source,
    /// Destination, or egress.
    Destination,
    Either,
    Both,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Family {
    V4,
    V6,
}

/// Numbers of a flow that can be compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Quantity {
    Port(Side),
    As(Side),
    Interface(Side),
    Protocol,
    Tos,
    Vlan,
    Bytes,
    Packets,
    Flows,
    /// Milliseconds.
    Duration,
    BitsPerSecond,
    PacketsPerSecond,
    BytesPerPacket,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Condition {
    Compare(Comparison, u64),
    In(Vec<u64>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comparison {
    Equal,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
}
