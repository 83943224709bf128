//! What an exporter's options say. P-210…P-223.
//!
//! Options are read by the elements a Template has, whatever their order and
//! whichever of them are scopes: exporters agree on nothing else.

use std::net::IpAddr;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::element::ElementId;
use crate::session::ElementType;
use crate::session::ElementTypes;
use crate::session::Names;
use crate::session::Samplers;
use crate::session::names::data_type;
use crate::session::names::name;
use crate::session::names::semantics;
use crate::session::said::STATISTICS;
use crate::session::said::Said;
use crate::wire::Template;

/// What the options of one domain say, but for the rates of sampling.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of interfaces (82).
    pub interfaces: Names<u32>,
    /// Descriptions of interfaces (83).
    pub descriptions: Names<u32>,
    /// Names of VRFs (236).
    pub vrfs: Names<u32>,
    /// Names of applications (96) by applicationId (95), P-206.
    pub applications: Names<Box<[u8]>>,
    /// Names of samplers (84) and selectors (335).
    pub samplers: Names<u64>,
    /// Elements the exporter defined.
    pub types: ElementTypes,
    /// 36: the exporter's active timeout, seconds.
    pub active_secs: Option<u32>,
    /// 37: its inactive timeout, seconds.
    pub inactive_secs: Option<u32>,
    /// 160: its boot, ms since 1970, as sent (P-237).
    pub boot_ms: Option<u64>,
    /// 130 or 131: the address it says it has; not to be believed of everyone (P-223).
    pub address: Option<IpAddr>,
    statistics: [Option<u64>; STATISTICS.len()],
    /// 173 by Template id: bit i says that field i is a key.
    flow_keys: HashMap<u16, u64, RandomState>,
}

/// What did not go into the tables, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rejected {
    /// Rates that are none or not believed (P-212).
    pub(crate) rates: u64,
    /// Entries without room.
    pub(crate) entries: u64,
    /// Type records that are ignored.
    pub(crate) types: u64,
    /// Flow keys of fields or Templates that are not there.
    pub(crate) keys: u64,
}

/// What an options record is taken with.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'t> {
    /// Whether new entries may be made.
    pub(crate) room: bool,
    /// Longest name kept, octets.
    pub(crate) name_max: usize,
    /// Finds how many fields a Template of the domain has.
    pub(crate) fields_of: &'t dyn Fn(u16) -> Option<usize>,
}

impl Options {
    /// Last value of a process statistic: 40…42, 163…168 (P-220).
    pub fn statistic(&self, id: u16) -> Option<u64> {
        let at = STATISTICS.iter().position(|&known| known == id)?;
        self.statistics.get(at).copied().flatten()
    }

    /// Last values of the process statistics that were said.
    pub fn statistics(&self) -> impl Iterator<Item = (ElementId, u64)> {
        let values = STATISTICS.iter().zip(self.statistics);
        values.filter_map(|(&id, value)| Some((ElementId::iana(id), value?)))
    }

    /// Which fields of a Template are flow keys, bit i for field i (P-221).
    pub fn flow_keys(&self, template: u16) -> Option<u64> {
        self.flow_keys.get(&template).copied()
    }

    /// Whether nothing was said.
    pub(crate) fn is_silent(&self) -> bool {
        self.len() == 0
            && self.active_secs.or(self.inactive_secs).is_none()
            && self.boot_ms.is_none()
            && self.address.is_none()
            && self.statistics.iter().all(Option::is_none)
    }

    /// Table entries held, against the cap of P-820.
    pub(crate) fn len(&self) -> usize {
        self.interfaces.len()
            + self.descriptions.len()
            + self.vrfs.len()
            + self.applications.len()
            + self.samplers.len()
            + self.types.len()
            + self.flow_keys.len()
    }

    /// Octets charged for them.
    pub(crate) fn bytes(&self) -> usize {
        self.len() * ENTRY_BYTES
            + self.interfaces.bytes()
            + self.descriptions.bytes()
            + self.vrfs.bytes()
            + self.applications.bytes()
            + self.samplers.bytes()
    }

    /// Learns from one options record.
    pub(crate) fn learn(
        &mut self,
        samplers: &mut Samplers,
        template: &Template,
        record: &[u8],
        terms: Terms<'_>,
    ) -> Rejected {
        let mut said = Said::default();
        for (field, octets) in template.fields(record) {
            said.hear(field.element, octets);
        }
        let mut rejected = Rejected::default();
        said.rates(samplers, terms, &mut rejected);
        self.take_names(&said, terms, &mut rejected);
        self.take_types(&said, terms, &mut rejected);
        self.take_keys(&said, terms, &mut rejected);
        let seconds = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        self.active_secs = seconds(said.active).or(self.active_secs);
        self.inactive_secs = seconds(said.inactive).or(self.inactive_secs);
        self.boot_ms = said.boot.filter(|&ms| ms != 0).or(self.boot_ms);
        self.address = said.address.or(self.address);
        for (known, said) in self.statistics.iter_mut().zip(said.statistics) {
            *known = said.or(*known);
        }
        rejected
    }

    fn take_names(&mut self, said: &Said<'_>, terms: Terms<'_>, rejected: &mut Rejected) {
        let mut put = |was_put: bool| rejected.entries += u64::from(!was_put);
        let read = |octets| name(octets, terms.name_max);
        let number = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        if let Some((id, octets)) = number(said.interface).zip(said.interface_name) {
            put(self.interfaces.put(id, read(octets), terms.room));
        }
        if let Some((id, octets)) = number(said.interface).zip(said.interface_description) {
            put(self.descriptions.put(id, read(octets), terms.room));
        }
        if let Some((id, octets)) = number(said.vrf).zip(said.vrf_name) {
            put(self.vrfs.put(id, read(octets), terms.room));
        }
        if let Some((id, octets)) = said.selector.zip(said.selector_name) {
            put(self.samplers.put(id, read(octets), terms.room));
        }
        if let Some((id, octets)) = said.application.zip(said.application_name)
            && id.len() <= terms.name_max
        {
            put(self.applications.put(id.into(), read(octets), terms.room));
        }
    }

    /// RFC 5610 §3.9.
    fn take_types(&mut self, said: &Said<'_>, terms: Terms<'_>, rejected: &mut Rejected) {
        let (Some(id), Some(pen)) = (said.element, said.enterprise) else {
            return;
        };
        let (Ok(id), Ok(pen)) = (u16::try_from(id), u32::try_from(pen)) else {
            rejected.types += 1;
            return;
        };
        let id = ElementId {
            pen,
            id: id & !ENTERPRISE_BIT,
        };
        let element = ElementType {
            name: said.element_name.map(|octets| name(octets, terms.name_max)),
            data_type: said.data_type.and_then(data_type),
            semantics: said.semantics.and_then(semantics),
        };
        let was_put = self.types.put(id, element, terms.room);
        rejected.types += u64::from(!was_put);
    }

    fn take_keys(&mut self, said: &Said<'_>, terms: Terms<'_>, rejected: &mut Rejected) {
        let Some((template, keys)) = said.template.zip(said.flow_keys) else {
            return;
        };
        let template = u16::try_from(template).unwrap_or(0);
        let highest = u64::BITS - keys.leading_zeros();
        let fields = (terms.fields_of)(template).and_then(|fields| u32::try_from(fields).ok());
        if fields.is_none_or(|fields| highest > fields) {
            rejected.keys += 1;
        } else if terms.room || self.flow_keys.contains_key(&template) {
            self.flow_keys.insert(template, keys);
        } else {
            rejected.entries += 1;
        }
    }
}

/// Bit of 303 that some exporters leave set. RFC 7011 §3.2.
const ENTERPRISE_BIT: u16 = 0x8000;
/// What an entry is charged beside its name: key, table slot, allocation, and
/// the name of an element type.
const ENTRY_BYTES: usize = 128;
