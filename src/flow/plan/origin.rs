//! Which exporter a record names as the one it is of. P-223, P-700, RFC 7119 §5.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::flow::plan::content::has;
use crate::flow::plan::fields::Field;
use crate::flow::plan::load::Span;
use crate::session::Origin;

/// Fields of a Template that name an exporter and its domain.
#[derive(Clone, Debug, Default)]
pub(super) struct OriginPlan {
    /// The most preferred first.
    exporters: Box<[Named]>,
    domain: Option<Span>,
    /// Fields of a length their element cannot have.
    pub(super) opaque: usize,
}

/// A field that names an exporter.
#[derive(Clone, Copy, Debug)]
struct Named {
    span: Span,
    is_original: bool,
}

impl OriginPlan {
    /// Finds the fields: those of the original exporter before those of an exporter.
    pub(super) fn of(fields: &[Field]) -> Self {
        let mut plan = Self::default();
        let mut exporters = Vec::new();
        for (id, octets) in [(403, 4), (404, 16), (130, 4), (131, 16)] {
            for field in fields.iter().filter(|field| is(field, id)) {
                match field.span() {
                    Some(span) if span.width == octets => exporters.push(Named {
                        span,
                        is_original: id > 400,
                    }),
                    _ => plan.opaque += 1,
                }
            }
        }
        for field in fields.iter().filter(|field| is(field, 405)) {
            match field.span() {
                Some(span) if span.width <= 8 => plan.domain = plan.domain.or(Some(span)),
                _ => plan.opaque += 1,
            }
        }
        plan.exporters = exporters.into();
        plan
    }

    /// Octets the list occupies.
    pub(super) fn heap(&self) -> usize {
        size_of_val(&*self.exporters)
    }

    /// Whether no record names an exporter.
    pub(super) fn is_empty(&self) -> bool {
        self.exporters.is_empty()
    }

    /// The first exporter that is not zero, as zero is what who does not know
    /// it sends.
    pub(super) fn read(&self, record: &[u8], bases: &[u16]) -> Option<Origin> {
        self.exporters.iter().find_map(|named| {
            let exporter = address(named.span.octets(record, bases)?)?.to_canonical();
            let domain = self.domain.map(|span| span.number(record, bases));
            (!exporter.is_unspecified()).then_some(Origin {
                exporter,
                domain: domain.and_then(|domain| u32::try_from(domain).ok()),
                is_original: named.is_original,
            })
        })
    }
}

fn is(field: &Field, id: u16) -> bool {
    has(std::slice::from_ref(field), &[id])
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = |four: [u8; 4]| IpAddr::V4(Ipv4Addr::from(four));
    let v6 = |all: [u8; 16]| IpAddr::V6(Ipv6Addr::from(all));
    let as_v4 = octets.try_into().ok().map(v4);
    as_v4.or_else(|| octets.try_into().ok().map(v6))
}
