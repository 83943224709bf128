//! From octets to flows.

use std::net::IpAddr;

use thiserror::Error;

use super::END;
use super::FLOW;
use super::OpenFlow;
use super::PIECE;
use super::RouteName;
use super::VERSION;
use super::octets::Octets;
use super::octets::put;
use crate::element::ElementId;
use crate::flow::Detail;
use crate::flow::EXTRA_MAX;
use crate::flow::EndReason;
use crate::flow::FlowKey;
use crate::flow::FlowRecord;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::session::SamplingRate;
use crate::session::TimeFlags;

/// A sound snapshot: every flow of it can be read.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    octets: &'a [u8],
    flows: u64,
    serials_end: u64,
}

/// Why octets are no snapshot.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Damage {
    /// Another flowlogd wrote it.
    #[error("the snapshot has version {0}, and not {VERSION}")]
    Version(u16),
    /// It is cut off, goes on behind its end, or was never one.
    #[error("the snapshot is damaged {0} octets before its end")]
    Octets(usize),
}

impl<'a> Snapshot<'a> {
    /// Reads a snapshot to its end, and keeps nothing but what it says of it.
    ///
    /// # Errors
    /// It is not whole, or of another version.
    pub fn read(octets: &'a [u8]) -> Result<Self, Damage> {
        let (version, rest) = octets.split_first_chunk().ok_or(Damage::Octets(0))?;
        let version = u16::from_le_bytes(*version);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let mut flows = Flows::new(rest);
        let (mut count, mut serials_end) = (0, 1);
        for flow in flows.by_ref() {
            count += 1;
            serials_end = flow.serial.saturating_add(1).max(serials_end);
        }
        let damage = Damage::Octets(flows.rest.0.len());
        let is_whole = flows.rest.octet() == Some(END)
            && flows.rest.number() == Some(count)
            && flows.rest.0.is_empty();
        let snapshot = Self {
            octets: rest,
            flows: count,
            serials_end,
        };
        if is_whole { Ok(snapshot) } else { Err(damage) }
    }

    /// What every snapshot begins with; pieces of walks follow.
    pub fn head() -> [u8; 2] {
        VERSION.to_le_bytes()
    }

    /// What stands behind pieces that have so many flows.
    pub fn tail(flows: u64) -> Vec<u8> {
        let mut out = vec![END];
        put(&mut out, flows);
        out
    }

    /// How many flows it has.
    pub fn len(&self) -> u64 {
        self.flows
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.flows == 0
    }

    /// The first serial above those of its flows.
    pub fn serials_end(&self) -> u64 {
        self.serials_end
    }

    /// Its flows, in the order of caches and slots.
    pub fn flows(&self) -> impl Iterator<Item = OpenFlow<'a>> {
        Flows::new(self.octets)
    }
}

/// Reads flows until something else comes.
struct Flows<'a> {
    /// Behind the last sound flow.
    rest: Octets<'a>,
    lane: u32,
    routes: Vec<RouteName<'a>>,
    sources: Vec<(IpAddr, u32)>,
}

impl<'a> Iterator for Flows<'a> {
    type Item = OpenFlow<'a>;

    fn next(&mut self) -> Option<OpenFlow<'a>> {
        let mut octets = self.rest;
        loop {
            match octets.octet()? {
                PIECE => {
                    self.lane = octets.number()?;
                    self.routes.clear();
                    self.sources.clear();
                    self.rest = octets;
                }
                FLOW => {
                    let flow = self.flow(&mut octets)?;
                    self.rest = octets;
                    return Some(flow);
                }
                _ => return None,
            }
        }
    }
}

impl<'a> Flows<'a> {
    fn new(octets: &'a [u8]) -> Self {
        Self {
            rest: Octets(octets),
            lane: 0,
            routes: Vec::new(),
            sources: Vec::new(),
        }
    }

    fn flow(&mut self, octets: &mut Octets<'a>) -> Option<OpenFlow<'a>> {
        Some(OpenFlow {
            serial: octets.number().filter(|serial| *serial > 0)?,
            lane: self.lane,
            route: known(&mut self.routes, octets, route)?,
            source: known(&mut self.sources, octets, |octets| {
                Some((octets.ip()?, octets.number()?))
            })?,
            first_age_ms: octets.number()?,
            last_age_ms: octets.number()?,
            record: record(octets)?,
            detail: match octets.octet()? {
                0 => None,
                _ => Some(detail(octets)?),
            },
        })
    }
}

/// What a number stands for, defined here if it is the next one.
fn known<'a, T: Copy>(
    known: &mut Vec<T>,
    octets: &mut Octets<'a>,
    define: impl Fn(&mut Octets<'a>) -> Option<T>,
) -> Option<T> {
    let number: usize = octets.number()?;
    if number == known.len() {
        known.push(define(octets)?);
    }
    known.get(number).copied()
}

fn route<'a>(octets: &mut Octets<'a>) -> Option<RouteName<'a>> {
    let flow_log = octets.text()?;
    let is_of_device = octets.octet()? != 0;
    let instance_id = octets.text()?;
    Some(RouteName {
        flow_log,
        instance_id: is_of_device.then_some(instance_id),
    })
}

fn key(octets: &mut Octets<'_>) -> Option<FlowKey> {
    Some(FlowKey {
        src: octets.address()?,
        dst: octets.address()?,
        in_if: octets.number()?,
        out_if: octets.number()?,
        vrf: octets.number()?,
        sampling: SamplingRate {
            out_of: octets.number()?,
            picked: octets.number().filter(|picked| *picked > 0)?,
        },
        present: Presence::from_bits(octets.number()?)?,
        src_port: octets.number()?,
        dst_port: octets.number()?,
        vlan: octets.number()?,
        protocol: octets.octet()?,
        tos: octets.octet()?,
        direction: octets.octet()?,
        forwarding_class: octets.octet()?,
        ..FlowKey::default()
    })
}

fn record(octets: &mut Octets<'_>) -> Option<FlowRecord> {
    Some(FlowRecord {
        key: key(octets)?,
        octets: octets.number()?,
        packets: octets.number()?,
        start_ms: octets.number()?,
        end_ms: octets.number()?,
        flows: octets.number()?,
        records: octets.number()?,
        src_as: octets.number()?,
        dst_as: octets.number()?,
        next_hop: octets.number()?,
        tcp_flags: octets.number()?,
        src_mask: octets.octet()?,
        dst_mask: octets.octet()?,
        forwarding_status: octets.octet()?,
        end_reason: EndReason::from(octets.octet()?),
        time_flags: TimeFlags::from_bits(octets.octet()?)?,
        flags: RecordFlags::from_bits(octets.octet()?)?,
        event: None,
    })
}

fn detail(octets: &mut Octets<'_>) -> Option<Detail> {
    Some(Detail {
        src_mac: maybe(octets, |octets| octets.bytes()?.try_into().ok())?,
        dst_mac: maybe(octets, |octets| octets.bytes()?.try_into().ok())?,
        next_hop_v6: maybe(octets, |octets| octets.bytes()?.try_into().ok())?,
        nat_src: maybe(octets, Octets::ip)?,
        nat_dst: maybe(octets, Octets::ip)?,
        nat_src_port: maybe(octets, Octets::number)?,
        nat_dst_port: maybe(octets, Octets::number)?,
        mpls_label: maybe(octets, Octets::number)?,
        layer2_octets: maybe(octets, Octets::number)?,
        connection: None,
        vrfs: vrfs(octets)?,
        extra: extra(octets)?,
        scopes: None,
    })
}

/// Both are there, or none.
fn vrfs(octets: &mut Octets<'_>) -> Option<Option<(u32, u32)>> {
    let (ingress, egress) = (
        maybe(octets, Octets::number)?,
        maybe(octets, Octets::number)?,
    );
    Some(ingress.zip(egress))
}

/// A value that may be absent.
fn maybe<'a, T>(
    octets: &mut Octets<'a>,
    value: impl Fn(&mut Octets<'a>) -> Option<T>,
) -> Option<Option<T>> {
    match octets.octet()? {
        0 => Some(None),
        _ => value(octets).map(Some),
    }
}

fn extra(octets: &mut Octets<'_>) -> Option<Vec<(ElementId, Box<[u8]>)>> {
    let count = octets.number().filter(|count| *count <= EXTRA_MAX)?;
    let mut extra = Vec::new();
    for _ in 0..count {
        let element = ElementId {
            pen: octets.number()?,
            id: octets.number()?,
        };
        extra.push((element, octets.bytes()?.into()));
    }
    Some(extra)
}
