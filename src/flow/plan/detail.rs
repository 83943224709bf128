//! What few Templates carry: NAT, MACs, labels and elements asked for by name.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::element::ElementId;
use crate::flow::Detail;
use crate::flow::EXTRA_MAX;
use crate::flow::plan::fields::Field;
use crate::flow::plan::fields::Place;
use crate::flow::plan::load::Span;

/// Fields of a Template that go into a [`Detail`].
#[derive(Clone, Debug, Default)]
pub(super) struct DetailPlan {
    parts: Box<[(Part, Span)]>,
    /// Elements the flow logs ask for, and all that occur several times.
    wanted: Box<[(ElementId, Place)]>,
    /// All elements, where records may be events.
    all: Box<[(ElementId, Place)]>,
    /// Of events that are options: [`Detail::scopes`].
    pub(super) scopes: Option<u8>,
    /// Elements beyond [`EXTRA_MAX`].
    pub(super) unkept: usize,
    /// Fields of a length their element cannot have.
    pub(super) opaque: usize,
}

/// Where a field goes in a [`Detail`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    NatSrc,
    NatDst,
    NatSrcPort,
    NatDstPort,
    SrcMac,
    DstMac,
    MplsLabel,
    Layer2Octets,
    NextHop6,
}

/// The part of an element, and whether it can have so many octets.
fn part(element: ElementId, octets: u16) -> Option<(Part, bool)> {
    if element.pen != 0 {
        return None;
    }
    let (part, fits) = match element.id {
        // 40001…40004 are those of an ASA before 8.4.
        225 | 40_001 => (Part::NatSrc, octets == 4),
        226 | 40_002 => (Part::NatDst, octets == 4),
        281 => (Part::NatSrc, octets == 16),
        282 => (Part::NatDst, octets == 16),
        227 | 40_003 => (Part::NatSrcPort, octets == 2),
        228 | 40_004 => (Part::NatDstPort, octets == 2),
        56 | 81 => (Part::SrcMac, octets == 6),
        80 | 57 => (Part::DstMac, octets == 6),
        70 => (Part::MplsLabel, octets == 3),
        352 => (Part::Layer2Octets, (1..=8).contains(&octets)),
        62 | 63 => (Part::NextHop6, octets == 16),
        _ => return None,
    };
    Some((part, fits))
}

/// The order in which the elements of one part are preferred.
fn preference(element: ElementId) -> u8 {
    match element.id {
        57 | 63 | 81 | 281 | 282 => 1,
        _ => 0,
    }
}

impl DetailPlan {
    /// Octets the lists occupy.
    pub(super) fn heap(&self) -> usize {
        size_of_val(&*self.parts) + size_of_val(&*self.wanted) + size_of_val(&*self.all)
    }

    /// Finds the fields; `events` asks for all elements.
    pub(super) fn of(fields: &[Field], wanted: &[ElementId], events: bool) -> Self {
        let mut plan = Self::default();
        let mut parts = Vec::new();
        for field in fields {
            let Some(span) = field.span() else { continue };
            match part(field.element, span.width) {
                Some((part, true)) => parts.push((preference(field.element), part, span)),
                Some((_, false)) => plan.opaque += 1,
                None => {}
            }
        }
        parts.sort_by_key(|&(preference, _, _)| preference);
        plan.parts = parts
            .into_iter()
            .map(|(_, part, span)| (part, span))
            .collect();
        let repeated = repeated(fields);
        let is_wanted = |field: &&Field| {
            wanted.contains(&field.element) || repeated.binary_search(&field.element).is_ok()
        };
        plan.wanted = plan.keep(fields.iter().filter(is_wanted));
        if events {
            plan.all = plan.keep(fields.iter().filter(|field| !is_padding(field.element)));
        }
        plan
    }

    fn keep<'f>(&mut self, fields: impl Iterator<Item = &'f Field>) -> Box<[(ElementId, Place)]> {
        let mut kept: Vec<_> = fields.map(|field| (field.element, field.place)).collect();
        self.unkept = self.unkept.max(kept.len().saturating_sub(EXTRA_MAX));
        kept.truncate(EXTRA_MAX);
        kept.into()
    }

    /// Whether flows of this Template have a [`Detail`].
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.wanted.is_empty()
    }

    /// What a record that is a flow carries.
    pub(super) fn of_flow(&self, frame: &Frame<'_>) -> Detail {
        self.read(frame, &self.wanted)
    }

    /// What a record that is an event carries.
    pub(super) fn of_event(&self, frame: &Frame<'_>) -> Detail {
        Detail {
            scopes: self.scopes,
            ..self.read(frame, &self.all)
        }
    }

    fn read(&self, frame: &Frame<'_>, extra: &[(ElementId, Place)]) -> Detail {
        let mut detail = Detail::default();
        for (part, span) in &self.parts {
            if let Some(octets) = span.octets(frame.record, frame.bases) {
                part.read(octets, &mut detail);
            }
        }
        detail.extra.reserve_exact(extra.len());
        for &(element, place) in extra {
            if let Some(octets) = frame.octets(place) {
                detail.extra.push((element, octets.into()));
            }
        }
        detail
    }
}

impl Part {
    /// Reads a field into its part, unless a preferred one that is not zero
    /// has been there before.
    fn read(self, octets: &[u8], detail: &mut Detail) {
        if octets.iter().all(|&octet| octet == 0) {
            return;
        }
        match self {
            Self::NatSrc => keep(&mut detail.nat_src, || address(octets)),
            Self::NatDst => keep(&mut detail.nat_dst, || address(octets)),
            Self::NatSrcPort => keep(&mut detail.nat_src_port, || port(octets)),
            Self::NatDstPort => keep(&mut detail.nat_dst_port, || port(octets)),
            Self::SrcMac => keep(&mut detail.src_mac, || octets.first_chunk().copied()),
            Self::DstMac => keep(&mut detail.dst_mac, || octets.first_chunk().copied()),
            Self::MplsLabel => keep(&mut detail.mpls_label, || label(octets)),
            Self::Layer2Octets => keep(&mut detail.layer2_octets, || Some(number(octets))),
            Self::NextHop6 => keep(&mut detail.next_hop_v6, || octets.first_chunk().copied()),
        }
    }
}

fn keep<T>(place: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if place.is_none() {
        *place = value();
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => octets
            .first_chunk()
            .map(|four: &[u8; 4]| Ipv4Addr::from(*four).into()),
        _ => octets
            .first_chunk()
            .map(|all: &[u8; 16]| Ipv6Addr::from(*all).into()),
    }
}

fn port(octets: &[u8]) -> Option<u16> {
    octets.first_chunk().copied().map(u16::from_be_bytes)
}

/// The label of a stack entry: 20 bits before 3 of experimental use and the
/// bottom bit (P-208).
fn label(octets: &[u8]) -> Option<u32> {
    let &[a, b, c] = octets.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]) >> 4)
}

fn number(octets: &[u8]) -> u64 {
    let push = |number: u64, &octet: &u8| (number << 8) | u64::from(octet);
    octets.iter().fold(0, push)
}

/// Elements that occur more than once, ascending: all their values are kept
/// (P-038, P-115).
fn repeated(fields: &[Field]) -> Vec<ElementId> {
    let mut elements: Vec<ElementId> = fields.iter().map(|field| field.element).collect();
    elements.retain(|element| !is_padding(*element));
    elements.sort_unstable();
    let twice = elements.windows(2).filter_map(|pair| match pair {
        [one, two] if one == two => Some(*one),
        _ => None,
    });
    twice.collect()
}

/// paddingOctets, which may occur any number of times (P-118).
pub(super) fn is_padding(element: ElementId) -> bool {
    element == ElementId::iana(210)
}

/// One record and where its runs of fixed-length fields begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) record: &'a [u8],
    /// Begin of each run.
    pub(super) bases: &'a [u16],
    /// Begin and length of the variable-length field that ends each run.
    pub(super) variable: &'a [(u16, u16)],
}

impl<'a> Frame<'a> {
    /// A record without variable-length fields.
    pub(super) fn fixed(record: &'a [u8]) -> Self {
        Self {
            record,
            bases: &[0],
            variable: &[],
        }
    }

    fn octets(&self, place: Place) -> Option<&'a [u8]> {
        match place {
            Place::Fixed(span) => span.octets(self.record, self.bases),
            Place::Variable(run) => {
                let &(start, length) = self.variable.get(usize::from(run))?;
                let tail = self.record.get(usize::from(start)..)?;
                tail.get(..usize::from(length))
            }
        }
    }
}
