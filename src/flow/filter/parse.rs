//! Words to expression: recursive descent, `and` before `or`.

use std::net::Ipv4Addr;

use crate::flow::filter::Comparison;
use crate::flow::filter::Condition;
use crate::flow::filter::DEPTH_MAX;
use crate::flow::filter::Expression;
use crate::flow::filter::Family;
use crate::flow::filter::FilterError;
use crate::flow::filter::Network;
use crate::flow::filter::Problem;
use crate::flow::filter::Quantity;
use crate::flow::filter::Side;
use crate::flow::filter::Test;
use crate::flow::filter::lex::Kind;
use crate::flow::filter::lex::Token;
use crate::flow::filter::lex::tokens;
use crate::flow::filter::network::netmask_bits;
use crate::flow::filter::protocol_number;

/// Flags of TCP by nfdump's letters; X is the six classic ones.
const FLAG_LETTERS: &[(char, u16)] = &[
    ('F', 0x01),
    ('S', 0x02),
    ('R', 0x04),
    ('P', 0x08),
    ('A', 0x10),
    ('U', 0x20),
    ('E', 0x40),
    ('C', 0x80),
    ('X', 0x3f),
];

/// Reads a whole filter.
pub(super) fn filter(text: &str) -> Result<Expression, FilterError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expression::Any);
    }
    let mut parser = Parser {
        rest: &tokens,
        end: text.len(),
        depth: 0,
    };
    let root = parser.one_of()?;
    match parser.rest {
        [] => Ok(root),
        [_, ..] => Err(parser.expected("`and`, `or` or the end")),
    }
}

struct Parser<'t, 'a> {
    rest: &'t [Token<'a>],
    /// Length of the text: where an early end is reported.
    end: usize,
    depth: usize,
}

impl<'a> Parser<'_, 'a> {
    fn one_of(&mut self) -> Result<Expression, FilterError> {
        let mut terms = vec![self.all_of()?];
        while self.take(&Kind::Or) {
            terms.push(self.all_of()?);
        }
        Ok(flat(terms, Expression::OneOf))
    }

    fn all_of(&mut self) -> Result<Expression, FilterError> {
        let mut terms = vec![self.term()?];
        while self.take(&Kind::And) {
            terms.push(self.term()?);
        }
        Ok(flat(terms, Expression::AllOf))
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        if self.take(&Kind::Not) {
            return Ok(Expression::Not(Box::new(self.nested(Self::term)?)));
        }
        if self.take(&Kind::Open) {
            let inner = self.nested(Self::one_of)?;
            return self
                .demand(&Kind::Close, "`and`, `or` or `)`")
                .map(|()| inner);
        }
        self.test()
    }

    fn nested(
        &mut self,
        parse: fn(&mut Self) -> Result<Expression, FilterError>,
    ) -> Result<Expression, FilterError> {
        if self.depth == DEPTH_MAX {
            return Err(self.fault(Problem::TooDeep));
        }
        self.depth += 1;
        let inner = parse(self);
        self.depth -= 1;
        inner
    }

    fn test(&mut self) -> Result<Expression, FilterError> {
        const EXPECTED: &str = "a test such as `dst port 443`, `not` or `(`";
        let word = self.peek_word().ok_or_else(|| self.expected(EXPECTED))?;
        let before = self.rest;
        self.skip();
        let test = match word.as_str() {
            "any" => return Ok(Expression::Any),
            "ipv4" | "inet" => Test::Family(Family::V4),
            "ipv6" | "inet6" => Test::Family(Family::V6),
            "src" | "dst" => self.sided(&word)?,
            "in" | "out" => self.interface(&word)?,
            "ip" | "host" | "net" => Test::Address(Side::Either, self.networks()?),
            "port" => self.number(Quantity::Port(Side::Either))?,
            "as" => self.number(Quantity::As(Side::Either))?,
            "if" => self.number(Quantity::Interface(Side::Either))?,
            "next" => self
                .demand_word("ip")
                .and_then(|()| self.networks().map(Test::NextHop))?,
            "router" => self
                .demand_word("ip")
                .and_then(|()| self.networks().map(Test::Exporter))?,
            "exporter" => Test::Exporter(self.networks()?),
            "ident" | "flow-log" => Test::FlowLog(self.name()?),
            "flags" => Test::Flags(self.flags()?),
            other => {
                let Some(quantity) = quantity(other) else {
                    self.rest = before;
                    return Err(self.expected(EXPECTED));
                };
                self.number(quantity)?
            }
        };
        Ok(Expression::Test(test))
    }

    /// After `src` or `dst`, or `src and dst`, `src or dst`.
    fn sided(&mut self, first: &str) -> Result<Test, FilterError> {
        let mut side = if first == "src" {
            Side::Source
        } else {
            Side::Destination
        };
        let other = if first == "src" { "dst" } else { "src" };
        if let [join, second, ..] = self.rest
            && let Kind::Word(second) = second.kind
            && second.eq_ignore_ascii_case(other)
            && matches!(join.kind, Kind::And | Kind::Or)
        {
            side = if join.kind == Kind::And {
                Side::Both
            } else {
                Side::Either
            };
            self.skip();
            self.skip();
        }
        let expected = "`ip`, `host`, `net`, `port` or `as`";
        let word = self.peek_word().ok_or_else(|| self.expected(expected))?;
        let quantity = match word.as_str() {
            "ip" | "host" | "net" => {
                self.skip();
                return self
                    .networks()
                    .map(|networks| Test::Address(side, networks));
            }
            "port" => Quantity::Port(side),
            "as" => Quantity::As(side),
            _ => return Err(self.expected(expected)),
        };
        self.skip();
        self.number(quantity)
    }

    fn interface(&mut self, direction: &str) -> Result<Test, FilterError> {
        let side = if direction == "in" {
            Side::Source
        } else {
            Side::Destination
        };
        self.demand_word("if")?;
        self.number(Quantity::Interface(side))
    }

    /// One address or network, `10.0.0.0 255.0.0.0`, or `in [ list ]`.
    fn networks(&mut self) -> Result<Vec<Network>, FilterError> {
        if !self.list_follows()? {
            let network = self.network()?;
            return Ok(vec![self.with_netmask(network)]);
        }
        self.list(Self::network)
    }

    fn network(&mut self) -> Result<Network, FilterError> {
        let network = match self.rest.first().map(|token| &token.kind) {
            Some(Kind::Word(word)) => Network::parse(word),
            _ => None,
        };
        let network =
            network.ok_or_else(|| self.expected("an address or network such as 10.0.0.0/8"))?;
        self.skip();
        Ok(network)
    }

    /// Takes the netmask that may follow a bare IPv4 address.
    fn with_netmask(&mut self, network: Network) -> Network {
        let mask = match self.rest.first().map(|token| &token.kind) {
            Some(Kind::Word(word)) => word.parse::<Ipv4Addr>().ok().and_then(netmask_bits),
            _ => None,
        };
        let masked = mask.and_then(|bits| Network::new(network.as_host()?, bits));
        if masked.is_some() {
            self.skip();
        }
        masked.unwrap_or(network)
    }

    fn number(&mut self, quantity: Quantity) -> Result<Test, FilterError> {
        if self.list_follows()? {
            let numbers = self.list(|parser| parser.value(quantity))?;
            return Ok(Test::Number(quantity, Condition::In(numbers)));
        }
        let mut comparison = Comparison::Equal;
        if let Some(Kind::Comparison(found)) = self.rest.first().map(|token| &token.kind) {
            comparison = *found;
            self.skip();
        }
        let value = self.value(quantity)?;
        Ok(Test::Number(
            quantity,
            Condition::Compare(comparison, value),
        ))
    }

    fn value(&mut self, quantity: Quantity) -> Result<u64, FilterError> {
        let value = match self.rest.first().map(|token| &token.kind) {
            Some(Kind::Word(word)) => value(quantity, word),
            _ => None,
        };
        let value = value.ok_or_else(|| self.expected(quantity.expected()))?;
        let max = quantity.max();
        if value > max {
            return Err(self.fault(Problem::OutOfRange { max }));
        }
        self.skip();
        Ok(value)
    }

    fn flags(&mut self) -> Result<u16, FilterError> {
        let flags = match self.rest.first().map(|token| &token.kind) {
            Some(Kind::Word(word)) => flag_bits(word),
            _ => None,
        };
        let flags = flags.ok_or_else(|| self.expected("TCP flags out of the letters FSRPAUECX"))?;
        self.skip();
        Ok(flags)
    }

    fn name(&mut self) -> Result<String, FilterError> {
        let name = match self.rest.first().map(|token| &token.kind) {
            Some(Kind::Word(name) | Kind::Quoted(name)) => (*name).to_owned(),
            _ => return Err(self.expected("a name")),
        };
        self.skip();
        Ok(name)
    }

    /// Whether `in [` follows; takes it.
    fn list_follows(&mut self) -> Result<bool, FilterError> {
        if self.peek_word().is_none_or(|word| word != "in") {
            return Ok(false);
        }
        self.skip();
        self.demand(&Kind::ListOpen, "`[`").map(|()| true)
    }

    /// Items up to `]`, with or without commas between them; at least one.
    fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, FilterError>,
    ) -> Result<Vec<T>, FilterError> {
        let mut items = vec![item(self)?];
        while !self.take(&Kind::ListClose) {
            self.take(&Kind::Comma);
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn peek_word(&self) -> Option<String> {
        let token = self.rest.first()?;
        if let Kind::Word(word) = token.kind {
            Some(word.to_ascii_lowercase())
        } else {
            None
        }
    }

    fn demand_word(&mut self, wanted: &'static str) -> Result<(), FilterError> {
        if self.peek_word().is_some_and(|word| word == wanted) {
            self.skip();
            return Ok(());
        }
        Err(self.expected(if wanted == "ip" { "`ip`" } else { "`if`" }))
    }

    fn demand(&mut self, kind: &Kind<'a>, expected: &'static str) -> Result<(), FilterError> {
        if self.take(kind) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn take(&mut self, kind: &Kind<'a>) -> bool {
        let found = self.rest.first().is_some_and(|token| token.kind == *kind);
        if found {
            self.skip();
        }
        found
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn expected(&self, expected: &'static str) -> FilterError {
        let found = self
            .rest
            .first()
            .map_or_else(|| "the end".to_owned(), |token| token.kind.found());
        self.fault(Problem::Expected { expected, found })
    }

    fn fault(&self, problem: Problem) -> FilterError {
        let offset = self.rest.first().map_or(self.end, |token| token.offset);
        FilterError { offset, problem }
    }
}

/// One term stands for itself.
fn flat(mut terms: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        last => {
            terms.extend(last);
            join(terms)
        }
    }
}

fn quantity(word: &str) -> Option<Quantity> {
    Some(match word {
        "proto" => Quantity::Protocol,
        "tos" => Quantity::Tos,
        "vlan" => Quantity::Vlan,
        "bytes" => Quantity::Bytes,
        "packets" => Quantity::Packets,
        "flows" => Quantity::Flows,
        "duration" => Quantity::Duration,
        "bps" => Quantity::BitsPerSecond,
        "pps" => Quantity::PacketsPerSecond,
        "bpp" => Quantity::BytesPerPacket,
        _ => return None,
    })
}

/// A number of this field: decimal, 0x hexadecimal, with unit, or a protocol's name.
fn value(quantity: Quantity, word: &str) -> Option<u64> {
    if quantity == Quantity::Protocol
        && let Some(number) = protocol_number(word)
    {
        return Some(number.into());
    }
    if let Some(digits) = word.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    let (digits, unit) = match word.char_indices().last()? {
        (at, 'k' | 'K') => (word.get(..at)?, 1_000),
        (at, 'm' | 'M') => (word.get(..at)?, 1_000_000),
        (at, 'g' | 'G') => (word.get(..at)?, 1_000_000_000),
        _ => return word.parse().ok(),
    };
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| quantity.has_units())?
        .checked_mul(unit)
}

fn flag_bits(letters: &str) -> Option<u16> {
    let mut bits = 0;
    for letter in letters.chars() {
        let letter = letter.to_ascii_uppercase();
        bits |= FLAG_LETTERS.iter().find(|(known, _)| *known == letter)?.1;
    }
    Some(bits)
}

impl Quantity {
    /// Largest number a flow can have here.
    fn max(self) -> u64 {
        match self {
            Self::Port(_) | Self::Vlan => u16::MAX.into(),
            Self::As(_) | Self::Interface(_) => u32::MAX.into(),
            Self::Protocol | Self::Tos => u8::MAX.into(),
            Self::Bytes
            | Self::Packets
            | Self::Flows
            | Self::Duration
            | Self::BitsPerSecond
            | Self::PacketsPerSecond
            | Self::BytesPerPacket => i64::MAX.unsigned_abs(),
        }
    }

    fn has_units(self) -> bool {
        self.max() > u32::MAX.into()
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Port(_) => "a port number or `in [`",
            Self::As(_) => "an AS number or `in [`",
            Self::Interface(_) => "an interface number or `in [`",
            Self::Protocol => "a protocol's name or number",
            Self::Tos | Self::Vlan => "a number",
            Self::Duration => "milliseconds",
            Self::Bytes
            | Self::Packets
            | Self::Flows
            | Self::BitsPerSecond
            | Self::PacketsPerSecond
            | Self::BytesPerPacket => "a number, with unit k, m or g if need be",
        }
    }
}
