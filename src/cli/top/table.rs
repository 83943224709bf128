//! A ranking in nfdump's layout, as JSON and as CSV.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::api::QueryAnswer;
use crate::cli::output;
use crate::cli::text::csv_text;
use crate::cli::text::printable;
use crate::cli::top::Order;
use crate::cli::top::Question;
use crate::cli::top::dimension::Dimension;
use crate::flow::protocol_name;

/// Narrowest column for a dimension's values, as in nfdump.
const VALUE_WIDTH: usize = 17;
/// Moments in the table.
const MOMENT: &str = "%Y-%m-%d %H:%M:%S%.3f";

/// The groups of an answer, best first, and what they are parts of.
pub(super) struct Ranking {
    dimensions: Vec<Dimension>,
    order: Order,
    groups: Vec<(Vec<Value>, Measures)>,
    total: Measures,
    completeness: Option<String>,
}

/// Sums over some flows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Measures {
    /// Milliseconds since 1970.
    first_ms: i64,
    /// Milliseconds since 1970.
    last_ms: i64,
    flows: u64,
    packets: u64,
    bytes: u64,
}

impl Ranking {
    /// Reads the rows that [`super::sql::question`] asks for.
    pub(super) fn new(question: &Question, answer: &QueryAnswer) -> Self {
        let keys = question.dimensions.len();
        let groups = answer.rows.iter().map(|row| {
            let key: Vec<Value> = row.iter().take(keys).cloned().collect();
            (key, Measures::of(row.iter().skip(keys)))
        });
        let total = answer
            .rows
            .first()
            .map(|row| Measures::of(row.iter().skip(keys + super::sql::MEASURES.len())));
        let mut total = total.unwrap_or_default();
        if question
            .dimensions
            .iter()
            .any(|dimension| dimension.is_either())
        {
            total.halve();
        }
        Self {
            dimensions: question.dimensions.clone(),
            order: question.order,
            groups: groups.collect(),
            total,
            completeness: output::completeness(answer),
        }
    }

    /// nfdump's `-s` table.
    pub(super) fn table(&self, out: &mut impl Write, zone: &TimeZone) -> io::Result<()> {
        let widths: Vec<usize> = self
            .dimensions
            .iter()
            .enumerate()
            .map(|(at, _)| self.width(at))
            .collect();
        let headings: Vec<&str> = self
            .dimensions
            .iter()
            .map(|dimension| dimension.heading())
            .collect();
        writeln!(
            out,
            "Top {} {} ordered by {}:",
            self.groups.len(),
            headings.join(","),
            self.order.word()
        )?;
        let columns: Vec<String> = headings
            .iter()
            .zip(&widths)
            .map(|(heading, width)| format!("{heading:>width$}"))
            .collect();
        writeln!(
            out,
            "Date first seen          Duration Proto {}    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp",
            columns.join(" ")
        )?;
        for (key, measures) in &self.groups {
            self.line(out, key, measures, &widths, zone)?;
        }
        self.summary(out, zone)
    }

    fn line(
        &self,
        out: &mut impl Write,
        key: &[Value],
        measures: &Measures,
        widths: &[usize],
        zone: &TimeZone,
    ) -> io::Result<()> {
        let values: Vec<String> = self
            .dimensions
            .iter()
            .zip(key)
            .zip(widths)
            .map(|((dimension, value), width)| format!("{:>width$}", text(*dimension, value)))
            .collect();
        writeln!(
            out,
            "{} {:>9.3} {:<5} {} {:>8}({:>4.1}) {:>8}({:>4.1}) {:>8}({:>4.1}) {:>8} {:>8} {:>5}",
            moment(measures.first_ms, zone),
            measures.seconds(),
            self.protocol(key),
            values.join(" "),
            scaled(measures.flows),
            percent(measures.flows, self.total.flows),
            scaled(measures.packets),
            percent(measures.packets, self.total.packets),
            scaled(measures.bytes),
            percent(measures.bytes, self.total.bytes),
            scaled(measures.pps()),
            scaled(measures.bps()),
            measures.bpp(),
        )
    }

    fn summary(&self, out: &mut impl Write, zone: &TimeZone) -> io::Result<()> {
        let total = &self.total;
        writeln!(
            out,
            "\nSummary: total flows: {}, total bytes: {}, total packets: {}, avg bps: {}, avg pps: {}, avg bpp: {}",
            total.flows,
            scaled(total.bytes),
            scaled(total.packets),
            scaled(total.bps()),
            scaled(total.pps()),
            total.bpp()
        )?;
        if !self.groups.is_empty() {
            writeln!(
                out,
                "Time window: {} - {}",
                moment(total.first_ms, zone),
                moment(total.last_ms, zone)
            )?;
        }
        self.completeness
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    }

    /// One object: the groups, what they are parts of, and what is not included.
    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let groups = self.groups.iter().map(|(key, measures)| {
            let keys = self
                .dimensions
                .iter()
                .zip(key)
                .map(|(dimension, value)| (dimension.name().to_owned(), value.clone()));
            Value::Object(keys.chain(measures.named()).collect())
        });
        let mut object = Map::new();
        object.insert("top".to_owned(), groups.collect());
        object.insert(
            "total".to_owned(),
            Value::Object(self.total.named().collect()),
        );
        object.insert("completeness".to_owned(), self.completeness.clone().into());
        writeln!(out, "{}", Value::Object(object))
    }

    /// nfdump's `-o csv` of a statistic; its `val` has one column for each dimension.
    pub(super) fn csv(&self, out: &mut impl Write, zone: &TimeZone) -> io::Result<()> {
        let names: Vec<&str> = match self.dimensions.as_slice() {
            [_] => vec!["val"],
            several => several.iter().map(|dimension| dimension.name()).collect(),
        };
        write!(
            out,
            "ts,te,td,pr,{},fl,flP,ipkt,ipktP,ibyt,ibytP,ipps,ibps,ibpp\r\n",
            names.join(",")
        )?;
        for (key, measures) in &self.groups {
            let pairs = self.dimensions.iter().zip(key);
            let values: Vec<String> = pairs
                .map(|(dimension, value)| csv_text(&raw(*dimension, value)))
                .collect();
            write!(
                out,
                "{},{},{:.3},{},{},{},{:.1},{},{:.1},{},{:.1},{},{},{}\r\n",
                moment(measures.first_ms, zone),
                moment(measures.last_ms, zone),
                measures.seconds(),
                self.protocol(key),
                values.join(","),
                measures.flows,
                percent(measures.flows, self.total.flows),
                measures.packets,
                percent(measures.packets, self.total.packets),
                measures.bytes,
                percent(measures.bytes, self.total.bytes),
                measures.pps(),
                measures.bps(),
                measures.bpp(),
            )?;
        }
        Ok(())
    }

    fn width(&self, at: usize) -> usize {
        let dimension = self.dimensions.get(at).copied();
        let values = self
            .groups
            .iter()
            .filter_map(|(key, _)| Some(text(dimension?, key.get(at)?).chars().count()));
        let heading = dimension.map_or(0, |dimension| dimension.heading().len());
        values
            .chain([heading, VALUE_WIDTH])
            .max()
            .unwrap_or(VALUE_WIDTH)
    }

    /// The group's protocol where protocols are told apart, else `any`.
    fn protocol(&self, key: &[Value]) -> String {
        let mut pairs = self.dimensions.iter().zip(key);
        let found = pairs.find(|(dimension, _)| **dimension == Dimension::Proto);
        found.map_or_else(
            || "any".to_owned(),
            |(dimension, value)| text(*dimension, value),
        )
    }
}

impl Measures {
    fn of<'v>(mut values: impl Iterator<Item = &'v Value>) -> Self {
        let mut next = || values.next().map_or(0, number);
        let first_ms = next();
        let last_ms = next();
        let mut count = || u64::try_from(next()).unwrap_or(0);
        Self {
            first_ms: i64::try_from(first_ms).unwrap_or(0),
            last_ms: i64::try_from(last_ms).unwrap_or(0),
            flows: count(),
            packets: count(),
            bytes: count(),
        }
    }

    /// Where each flow counted for both of its ends.
    fn halve(&mut self) {
        for count in [&mut self.flows, &mut self.packets, &mut self.bytes] {
            *count /= 2;
        }
    }

    fn span_ms(&self) -> u64 {
        u64::try_from(self.last_ms - self.first_ms).unwrap_or(0)
    }

    fn seconds(&self) -> f64 {
        std::time::Duration::from_millis(self.span_ms()).as_secs_f64()
    }

    fn pps(&self) -> u64 {
        rate(self.packets, 1_000, self.span_ms())
    }

    fn bps(&self) -> u64 {
        rate(self.bytes, 8_000, self.span_ms())
    }

    fn bpp(&self) -> u64 {
        rate(self.bytes, 1, self.packets)
    }

    fn named(self) -> impl Iterator<Item = (String, Value)> {
        let pairs: [(&str, Value); 8] = [
            ("first_ms", self.first_ms.into()),
            ("last_ms", self.last_ms.into()),
            ("flows", self.flows.into()),
            ("packets", self.packets.into()),
            ("bytes", self.bytes.into()),
            ("pps", self.pps().into()),
            ("bps", self.bps().into()),
            ("bpp", self.bpp().into()),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
    }
}

/// Whole units; over nothing 0, as nfdump has it.
fn rate(count: u64, scale: u64, over: u64) -> u64 {
    let scaled = u128::from(count) * u128::from(scale);
    let rate = scaled.checked_div(over.into()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A number as the engine sends it: JSON number, or text when JSON's would not hold it.
fn number(value: &Value) -> i128 {
    match value {
        Value::Number(number) => {
            let whole = number
                .as_i64()
                .map(i128::from)
                .or_else(|| number.as_u64().map(i128::from));
            whole.unwrap_or(0)
        }
        Value::String(text) => text.parse().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => 0,
    }
}

/// A dimension's value without escapes.
fn raw(dimension: Dimension, value: &Value) -> String {
    let name = || u8::try_from(number(value)).ok().and_then(protocol_name);
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        _ if dimension == Dimension::Proto => {
            name().map_or_else(|| value.to_string(), str::to_owned)
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A dimension's value in the table; nothing is a dash.
fn text(dimension: Dimension, value: &Value) -> String {
    if value.is_null() {
        "-".to_owned()
    } else {
        printable(&raw(dimension, value))
    }
}

fn moment(ms: i64, zone: &TimeZone) -> String {
    let moment = Timestamp::from_millisecond(ms).unwrap_or_default();
    moment.to_zoned(zone.clone()).strftime(MOMENT).to_string()
}

#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 * 100.0 / whole as f64
    }
}

/// nfdump's numbers: whole below a million, then one decimal of M, G or T.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn scaled(number: u64) -> String {
    const UNITS: [(u64, &str); 3] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
    ];
    let unit = UNITS.into_iter().find(|(size, _)| number >= *size);
    unit.map_or_else(
        || number.to_string(),
        |(size, unit)| format!("{:.1} {unit}", number as f64 / size as f64),
    )
}
