//! A metric's name and meaning, and the text of those the recorder cannot hold.

use std::borrow::Cow;
use std::fmt::{self, Display, Write as _};

/// A metric with all its series.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Family {
    /// Name with unit, as Prometheus wants it.
    pub name: Cow<'static, str>,
    /// What it does over time.
    pub kind: Kind,
    /// The label its series differ in, if there are several.
    pub label: Option<&'static str>,
    /// What it counts and in which unit, in one sentence.
    pub help: Cow<'static, str>,
}

impl Family {
    /// A metric of one series, or of several that differ in one label.
    pub const fn new(
        kind: Kind,
        name: &'static str,
        label: Option<&'static str>,
        help: &'static str,
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            kind,
            label,
            help: Cow::Borrowed(help),
        }
    }
}

/// What a metric does over time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// Text in Prometheus' form 0.0.4, family by family.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// A family of one series.
    pub fn single(&mut self, family: &Family, value: impl Display) {
        self.head(family);
        self.line(&family.name, value);
    }

    /// A family with a series for each value of its label, given ready for
    /// quotes: no `"`, `\` or line end. Without any it is left out.
    pub fn labelled<L: Display, V: Display>(
        &mut self,
        family: &Family,
        series: impl IntoIterator<Item = (L, V)>,
    ) {
        let mut series = series.into_iter().peekable();
        if series.peek().is_some() {
            self.head(family);
        }
        for (label, value) in series {
            let key = family.label.unwrap_or("label");
            self.line(format_args!("{}{{{key}=\"{label}\"}}", family.name), value);
        }
    }

    /// A histogram: upper bounds with the counts up to the next lower one, the
    /// last count that of what is above all bounds.
    pub fn histogram(&mut self, family: &Family, bounds: &[u64], counts: &[u64], sum: u64) {
        self.head(family);
        let name = &family.name;
        let mut total = 0_u64;
        for (index, count) in counts.iter().enumerate() {
            total = total.saturating_add(*count);
            match bounds.get(index) {
                Some(bound) => self.line(format_args!("{name}_bucket{{le=\"{bound}\"}}"), total),
                None => self.line(format_args!("{name}_bucket{{le=\"+Inf\"}}"), total),
            }
        }
        self.line(format_args!("{name}_sum"), sum);
        self.line(format_args!("{name}_count"), total);
    }

    /// All of it.
    pub fn into_string(self) -> String {
        self.0
    }

    fn head(&mut self, family: &Family) {
        let Family {
            name, kind, help, ..
        } = family;
        // Writing to a `String` does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, series: impl Display, value: impl Display) {
        // Writing to a `String` does not fail.
        let _ = writeln!(self.0, "{series} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Family = Family::new(Kind::Histogram, "sizes_bytes", None, "Sizes in octets.");

    #[test]
    fn buckets_are_cumulative() {
        let mut text = Text::default();
        text.histogram(&SIZES, &[64, 128], &[2, 0, 3], 1_000);
        let expected = "# HELP sizes_bytes Sizes in octets.\n\
                        # TYPE sizes_bytes histogram\n\
                        sizes_bytes_bucket{le=\"64\"} 2\n\
                        sizes_bytes_bucket{le=\"128\"} 2\n\
                        sizes_bytes_bucket{le=\"+Inf\"} 5\n\
                        sizes_bytes_sum 1000\n\
                        sizes_bytes_count 5\n";
        assert_eq!(text.into_string(), expected);
    }

    #[test]
    fn a_family_without_series_is_left_out() {
        let lost = Family::new(Kind::Counter, "lost_total", Some("exporter"), "Lost.");
        let mut text = Text::default();
        text.labelled(&lost, [("", 0); 0]);
        text.labelled(&lost, [("192.0.2.1", 1), ("other", 2)]);
        let expected = "# HELP lost_total Lost.\n# TYPE lost_total counter\n\
                        lost_total{exporter=\"192.0.2.1\"} 1\n\
                        lost_total{exporter=\"other\"} 2\n";
        assert_eq!(text.into_string(), expected);
    }
}
