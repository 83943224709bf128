//! Data Sets as routers and firewalls send them, the same in every run.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use flowlogd::cli::generate::template_of;
use flowlogd::cli::simulation::teardown_template;
use flowlogd::element::ElementId;
use flowlogd::session::Arrival;
use flowlogd::session::Clock;
use flowlogd::session::ClockLimits;
use flowlogd::session::Samplers;
use flowlogd::session::SamplingPolicy;
use flowlogd::session::Scope;
use flowlogd::session::SourceId;
use flowlogd::wire::FieldSpecifier;
use flowlogd::wire::Header;
use flowlogd::wire::Template;
use flowlogd::wire::TemplateKind;
use flowlogd::wire::VARIABLE;
use flowlogd::wire::Version;

/// When the Messages of all cases were exported, ms since 1970.
pub(crate) const EXPORT_MS: u64 = 1_700_000_000_000;
/// Uptime of the exporter at that time, ms.
pub(crate) const UPTIME_MS: u32 = 864_000_000;

/// Data Records of one Template.
pub(crate) struct Case {
    /// What they are.
    pub(crate) name: &'static str,
    /// What they look like.
    pub(crate) template: Template,
    /// How many.
    pub(crate) records: usize,
    /// Without padding.
    pub(crate) body: Vec<u8>,
}

impl Case {
    fn new(name: &'static str, template: Template, records: usize) -> Self {
        let mut body = Vec::new();
        let mut random = Random(1);
        for _ in 0..records {
            for field in &template.fields {
                random.put(*field, &mut body);
            }
        }
        Self {
            name,
            template,
            records,
            body,
        }
    }
}

/// So many records each of v5, v9, IPFIX with times in ms, the same with a name
/// of variable length, and NSEL.
pub(crate) fn cases(records: usize) -> [Case; 5] {
    let ipfix = template_of(Version::Ipfix);
    let name = FieldSpecifier {
        element: ElementId::iana(82),
        length: VARIABLE,
    };
    let named = [&ipfix.fields[..], &[name]].concat().into();
    let named = Template::new(Version::Ipfix, ipfix.id, TemplateKind::Data, 0, named);
    [
        Case::new("v5", template_of(Version::V5), records),
        Case::new("v9", template_of(Version::V9), records),
        Case::new("ipfix", ipfix, records),
        Case::new("ipfix-variable", named, records),
        Case::new("nsel", teardown_template(), records),
    ]
}

/// Numbers without a pattern. Steele's SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Appends a field with a value that an exporter may send.
    fn put(&mut self, field: FieldSpecifier, body: &mut Vec<u8>) {
        let before_ms = self.below(60_000);
        let value = match field.element.id {
            82 => return body.extend(b"\x06TenGig"),
            22 => u64::from(UPTIME_MS) - 60_000 - before_ms,
            21 => u64::from(UPTIME_MS) - before_ms,
            152 => EXPORT_MS - 60_000 - before_ms,
            153 | 323 => EXPORT_MS - before_ms,
            4 => 6 + 11 * self.below(2),
            9 | 13 => 24,
            10 | 14 => self.below(48),
            58 => self.below(4_094),
            61 => self.below(2),
            // The connection was deleted, and no rule against it.
            233 => 2,
            33_002 => 0,
            1 | 231 | 232 => self.below(1_000_000),
            2 => 1 + self.below(1_000),
            _ => self.below(1 << 32),
        };
        let octets = value.to_be_bytes();
        let length = usize::from(field.length);
        body.extend(octets.get(8 - length..).unwrap_or_default());
    }
}

/// What surrounds the records of a Message.
pub(crate) fn with_scope(look: impl FnOnce(&Scope<'_>)) {
    let mut header = Header::new(Version::V9, 1_700_000_000, 1, 1);
    header.sys_uptime = Some(UPTIME_MS);
    let mut clock = Clock::new(ClockLimits::default());
    let arrival = Arrival {
        monotonic_ms: 0,
        unix_ms: EXPORT_MS,
    };
    clock.begin(&header, arrival);
    let sampling = Samplers::new(SamplingPolicy::default());
    look(&Scope {
        source: SourceId(0),
        exporter: IpAddr::V4(Ipv4Addr::LOCALHOST),
        domain: 0,
        clock: &clock,
        sampling: &sampling,
    });
}
