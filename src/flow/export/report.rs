//! What an Exporting Process says of itself, by options. P-737.

use crate::element::ElementId;
use crate::element::V9_SCOPE_PEN;
use crate::flow::Amount;
use crate::flow::export::ExportSettings;
use crate::wire::FieldSpecifier;
use crate::wire::Version;

/// What became of all rows for one collector, since the process began to send
/// to it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Messages sent (41).
    pub messages: u64,
    /// Data Records in them (42).
    pub records: u64,
    /// Octets of them (40).
    pub octets: u64,
    /// Rows that were not sent (166…168).
    pub unsent: Amount,
    /// When the first and the last of these came to that, ms since 1970.
    pub unsent_ms: (u64, u64),
    /// Records nobody looked at, for want of room (407).
    pub ignored: u64,
    /// As of [`Self::unsent_ms`].
    pub ignored_ms: (u64, u64),
}

/// Which part of a [`Report`] one record tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReportPart {
    /// What was sent and what was not. RFC 7011 §4.1, §4.3.
    Exporting,
    /// What was ignored before. RFC 7119 §10.1.
    Intermediate,
}

impl ReportPart {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Exporting, Self::Intermediate];

    /// Its elements behind the scope, and what they say.
    fn values(self, report: &Report) -> Vec<(u16, u64)> {
        let interval = |(first, last)| [(323, first), (323, last)];
        match self {
            Self::Exporting => [
                &[
                    (41, report.messages),
                    (42, report.records),
                    (40, report.octets),
                    (166, report.unsent.records),
                    (167, report.unsent.packets),
                    (168, report.unsent.octets),
                ][..],
                &interval(report.unsent_ms),
            ]
            .concat(),
            Self::Intermediate => {
                [&[(407, report.ignored)][..], &interval(report.ignored_ms)].concat()
            }
        }
    }

    /// What it is about: this process; v9 knows the whole system only.
    fn scope(self, settings: &ExportSettings) -> FieldSpecifier {
        let element = match (settings.version, self) {
            (Version::V5 | Version::V9, _) => ElementId {
                pen: V9_SCOPE_PEN,
                id: 1,
            },
            (Version::Ipfix, Self::Exporting) => ElementId::iana(144),
            (Version::Ipfix, Self::Intermediate) => ElementId::iana(406),
        };
        FieldSpecifier { element, length: 4 }
    }

    /// Fields of its Template; the first is the scope.
    pub(super) fn fields(self, settings: &ExportSettings) -> Box<[FieldSpecifier]> {
        let field = |(id, _)| FieldSpecifier {
            element: ElementId::iana(id),
            length: 8,
        };
        let values = self.values(&Report::default()).into_iter();
        std::iter::once(self.scope(settings))
            .chain(values.map(field))
            .collect()
    }

    /// Writes its record.
    pub(super) fn put(self, report: &Report, settings: &ExportSettings, out: &mut Vec<u8>) {
        let process: u32 = match settings.version {
            Version::V5 | Version::V9 => 0,
            Version::Ipfix => PROCESS,
        };
        out.extend(process.to_be_bytes());
        let values = self.values(report).into_iter();
        out.extend(values.flat_map(|(_, value)| value.to_be_bytes()));
    }
}

/// Number of the one process that exports, and of the one before it.
const PROCESS: u32 = 1;
