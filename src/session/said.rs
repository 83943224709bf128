//! What one options record says, by the elements it has.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::element::ElementId;
use crate::element::V9_SCOPE_PEN;
use crate::session::Samplers;
use crate::session::SamplingRate;
use crate::session::options::Rejected;
use crate::session::options::Terms;
use crate::session::sampling::SamplerScope;

/// What one options record says; octets where the value is a name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Said<'a> {
    pub(crate) selector: Option<u64>,
    pub(crate) selector_name: Option<&'a [u8]>,
    pub(crate) interval: Option<u64>,
    pub(crate) packet_interval: Option<u64>,
    pub(crate) packet_space: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) population: Option<u64>,
    pub(crate) probability: Option<f64>,
    pub(crate) template: Option<u64>,
    pub(crate) interface: Option<u64>,
    pub(crate) interface_name: Option<&'a [u8]>,
    pub(crate) interface_description: Option<&'a [u8]>,
    pub(crate) vrf: Option<u64>,
    pub(crate) vrf_name: Option<&'a [u8]>,
    pub(crate) application: Option<&'a [u8]>,
    pub(crate) application_name: Option<&'a [u8]>,
    pub(crate) active: Option<u64>,
    pub(crate) inactive: Option<u64>,
    pub(crate) boot: Option<u64>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) statistics: [Option<u64>; STATISTICS.len()],
    pub(crate) flow_keys: Option<u64>,
    pub(crate) element: Option<u64>,
    pub(crate) enterprise: Option<u64>,
    pub(crate) element_name: Option<&'a [u8]>,
    pub(crate) data_type: Option<u64>,
    pub(crate) semantics: Option<u64>,
}

impl<'a> Said<'a> {
    pub(crate) fn hear(&mut self, element: ElementId, octets: &'a [u8]) {
        match (element.pen, element.id) {
            (V9_SCOPE_PEN, id) => self.hear_scope(id, octets),
            (0, id) => self.hear_element(id, octets),
            _ => {}
        }
    }

    /// v9 scope types: 2 is Interface, 5 is Template. RFC 3954 §6.1.
    fn hear_scope(&mut self, id: u16, octets: &[u8]) {
        match id {
            2 => self.interface = unsigned(octets),
            5 => self.template = unsigned(octets),
            _ => {}
        }
    }

    fn hear_element(&mut self, id: u16, octets: &'a [u8]) {
        match id {
            48 | 302 => self.selector = unsigned(octets),
            84 | 335 => self.selector_name = Some(octets),
            // Of several the first that is not 0 counts, as in flow data.
            34 | 50 => {
                let set = self.interval.filter(|&interval| interval > 0);
                self.interval = set.or_else(|| unsigned(octets));
            }
            305 => self.packet_interval = unsigned(octets),
            306 => self.packet_space = unsigned(octets),
            309 => self.size = unsigned(octets),
            310 => self.population = unsigned(octets),
            311 => self.probability = float(octets),
            145 => self.template = unsigned(octets),
            10 | 14 => self.interface = self.interface.or_else(|| unsigned(octets)),
            82 => self.interface_name = Some(octets),
            83 => self.interface_description = Some(octets),
            234 | 235 => self.vrf = self.vrf.or_else(|| unsigned(octets)),
            236 => self.vrf_name = Some(octets),
            95 => self.application = Some(octets),
            96 => self.application_name = Some(octets),
            94 => self.application_name = self.application_name.or(Some(octets)),
            36 => self.active = unsigned(octets),
            37 => self.inactive = unsigned(octets),
            160 => self.boot = unsigned(octets),
            130 | 131 => self.address = address(octets).or(self.address),
            173 => self.flow_keys = unsigned(octets),
            303 => self.element = unsigned(octets),
            346 => self.enterprise = unsigned(octets),
            341 => self.element_name = Some(octets),
            339 => self.data_type = unsigned(octets),
            344 => self.semantics = unsigned(octets),
            _ => self.hear_statistic(id, octets),
        }
    }

    fn hear_statistic(&mut self, id: u16, octets: &[u8]) {
        let at = STATISTICS.iter().position(|&known| known == id);
        if let Some(value) = at.and_then(|at| self.statistics.get_mut(at)) {
            *value = unsigned(octets);
        }
    }

    /// Takes the rate the record says, if any. P-211, P-212.
    pub(crate) fn rates(&self, samplers: &mut Samplers, terms: Terms<'_>, rejected: &mut Rejected) {
        let counts = [
            self.interval,
            self.packet_interval,
            self.packet_space,
            self.size,
            self.population,
        ];
        if counts.iter().all(Option::is_none) && self.probability.is_none() {
            return;
        }
        let rate = self
            .interval
            .and_then(|interval| SamplingRate::new(interval, 1))
            .or_else(|| SamplingRate::of_interval(self.packet_interval, self.packet_space))
            .or_else(|| SamplingRate::new(self.population?, self.size?))
            .or_else(|| SamplingRate::of_probability(self.probability?));
        let narrow = |value: u64| u32::try_from(value).ok();
        let template = self.template.and_then(|id| u16::try_from(id).ok());
        let scope = if let Some(selector) = self.selector {
            SamplerScope::Selector(selector)
        } else if let Some(template) = template {
            SamplerScope::Template(template)
        } else if let Some(interface) = self.interface.and_then(narrow) {
            SamplerScope::Interface(interface)
        } else {
            SamplerScope::System
        };
        let was_learnt = rate.is_some_and(|rate| samplers.learn(scope, rate, terms.room));
        rejected.rates += u64::from(!was_learnt);
    }
}

/// Whether options are listened to for an element (P-210).
///
/// The sessions keep what such elements say, and use it: it is no event.
pub fn is_heard(element: ElementId) -> bool {
    // A number, a name, a float and an address all may have four octets.
    let mut said = Said::default();
    said.hear(element, &[1; 4]);
    said != Said::default()
}

/// An unsigned number of any width up to 8 octets. P-040.
fn unsigned(octets: &[u8]) -> Option<u64> {
    let fits = (1..=8).contains(&octets.len());
    let shift = |value: u64, &octet: &u8| value << 8 | u64::from(octet);
    fits.then(|| octets.iter().fold(0, shift))
}

/// A float64, or its reduced size. RFC 7011 §6.2.
fn float(octets: &[u8]) -> Option<f64> {
    if let Ok(octets) = <[u8; 8]>::try_from(octets) {
        return Some(f64::from_be_bytes(octets));
    }
    let octets = <[u8; 4]>::try_from(octets).ok()?;
    Some(f32::from_be_bytes(octets).into())
}

/// An address; all zeros is none (P-223).
fn address(octets: &[u8]) -> Option<IpAddr> {
    let address = match octets.len() {
        4 => IpAddr::V4(Ipv4Addr::from(*octets.first_chunk::<4>()?)),
        16 => IpAddr::V6(Ipv6Addr::from(*octets.first_chunk::<16>()?)),
        _ => return None,
    };
    (!address.is_unspecified()).then_some(address)
}

/// Elements of RFC 7011 §4.1 and §4.2: totals of the metering and exporting process.
pub(crate) const STATISTICS: [u16; 9] = [40, 41, 42, 163, 164, 165, 166, 167, 168];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_options_is_heard() {
        for id in [34, 82, 96, 130, 131, 160, 173, 305, 311, 339, 346] {
            assert!(is_heard(ElementId::iana(id)), "{id}");
        }
        for id in STATISTICS {
            assert!(is_heard(ElementId::iana(id)), "{id}");
        }
        let cisco = ElementId { pen: 9, id: 12_232 };
        for element in [ElementId::iana(8), ElementId::iana(1), cisco] {
            assert!(!is_heard(element), "{element:?}");
        }
    }
}
