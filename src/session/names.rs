//! Names that exporters give to numbers, and types they give to elements.

use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::element;
use crate::element::DataType;
use crate::element::ElementId;
use crate::element::Semantics;

/// Names by interface, VRF, sampler or application; each bounded in length.
#[derive(Clone, Debug)]
pub struct Names<K> {
    table: HashMap<K, Box<str>, RandomState>,
    /// Octets of all names.
    bytes: usize,
}

impl<K: Eq + Hash> Names<K> {
    /// The name of `key`, without control over what is in it: escape it (P-831).
    pub fn get(&self, key: &K) -> Option<&str> {
        self.table.get(key).map(AsRef::as_ref)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Octets of all names.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a name; `false` when it is a new one and there is no `room`.
    pub(crate) fn put(&mut self, key: K, name: Box<str>, room: bool) -> bool {
        if let Some(known) = self.table.get_mut(&key) {
            self.bytes = self.bytes - known.len() + name.len();
            *known = name;
            return true;
        }
        if room {
            self.bytes += name.len();
            self.table.insert(key, name);
        }
        room
    }
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self {
            table: HashMap::default(),
            bytes: 0,
        }
    }
}

/// Reads a name: UTF-8 with replacements, no trailing NULs, at most `max` octets.
///
/// P-201, P-811.
pub(crate) fn name(octets: &[u8], max: usize) -> Box<str> {
    let octets = octets.get(..max).unwrap_or(octets);
    let end = octets.iter().rposition(|&octet| octet != 0);
    let octets = octets.get(..end.map_or(0, |end| end + 1)).unwrap_or(octets);
    let mut name = String::from_utf8_lossy(octets).into_owned();
    while name.len() > max {
        name.pop();
    }
    name.into()
}

/// What an exporter says of an element of its own. RFC 5610 §3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ElementType {
    /// 341.
    pub name: Option<Box<str>>,
    /// 339.
    pub data_type: Option<DataType>,
    /// 344.
    pub semantics: Option<Semantics>,
}

/// Elements an exporter defined, for its own session only. P-222.
#[derive(Clone, Debug, Default)]
pub struct ElementTypes {
    /// `None` marks elements the exporter contradicted itself about.
    table: HashMap<ElementId, Option<ElementType>, RandomState>,
}

impl ElementTypes {
    /// What the exporter says of an element that no table knows.
    pub fn get(&self, id: ElementId) -> Option<&ElementType> {
        self.table.get(&id)?.as_ref()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Takes a type record; `false` when it is ignored.
    ///
    /// Built-in definitions are never replaced, and of records that conflict
    /// none is believed. RFC 5610 §3.9.
    pub(crate) fn put(&mut self, id: ElementId, said: ElementType, room: bool) -> bool {
        if id.pen == 0 || element::lookup(id).is_some() {
            return false;
        }
        if let Some(known) = self.table.get_mut(&id) {
            let agrees = known.as_ref() == Some(&said);
            if !agrees {
                *known = None;
            }
            return agrees;
        }
        if room {
            self.table.insert(id, Some(said));
        }
        room
    }
}

/// The abstract data type a number stands for (339). RFC 5610 §3.1.
pub(crate) fn data_type(code: u64) -> Option<DataType> {
    DATA_TYPES.get(usize::try_from(code).ok()?).copied()
}

/// The semantics a number stands for (344). RFC 5610 §3.2.
pub(crate) fn semantics(code: u64) -> Option<Semantics> {
    SEMANTICS.get(usize::try_from(code).ok()?).copied()
}

/// IANA "IPFIX Information Element Data Types".
const DATA_TYPES: [DataType; 24] = [
    DataType::OctetArray,
    DataType::Unsigned8,
    DataType::Unsigned16,
    DataType::Unsigned32,
    DataType::Unsigned64,
    DataType::Signed8,
    DataType::Signed16,
    DataType::Signed32,
    DataType::Signed64,
    DataType::Float32,
    DataType::Float64,
    DataType::Boolean,
    DataType::MacAddress,
    DataType::String,
    DataType::DateTimeSeconds,
    DataType::DateTimeMilliseconds,
    DataType::DateTimeMicroseconds,
    DataType::DateTimeNanoseconds,
    DataType::Ipv4Address,
    DataType::Ipv6Address,
    DataType::BasicList,
    DataType::SubTemplateList,
    DataType::SubTemplateMultiList,
    DataType::Unsigned256,
];

/// IANA "IPFIX Information Element Semantics".
const SEMANTICS: [Semantics; 9] = [
    Semantics::Default,
    Semantics::Quantity,
    Semantics::TotalCounter,
    Semantics::DeltaCounter,
    Semantics::Identifier,
    Semantics::Flags,
    Semantics::List,
    Semantics::SnmpCounter,
    Semantics::SnmpGauge,
];

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: ElementId = ElementId {
        pen: 4_000_000,
        id: 7,
    };

    fn said(data_type: DataType) -> ElementType {
        ElementType {
            data_type: Some(data_type),
            ..ElementType::default()
        }
    }

    #[test]
    fn names_end_before_their_padding_and_at_the_limit() {
        assert_eq!(&*name(b"Gi0/1\0\0\0", 64), "Gi0/1");
        assert_eq!(&*name(b"\0\0", 64), "");
        assert_eq!(&*name(b"abcdef", 4), "abcd");
        assert_eq!(&*name(&[0x61, 0xff, 0x62], 64), "a\u{fffd}b");
        assert!(name(&[0xff; 64], 64).len() <= 64);
    }

    /// RFC 5610 §3.9.
    #[test]
    fn a_type_record_may_not_replace_what_is_built_in() {
        let mut types = ElementTypes::default();
        assert!(!types.put(ElementId::iana(1), said(DataType::String), true));
        assert!(types.is_empty());
        assert!(types.put(OWN, said(DataType::Unsigned32), true));
        assert_eq!(types.get(OWN), Some(&said(DataType::Unsigned32)));
    }

    /// RFC 5610 §3.9.
    #[test]
    fn of_conflicting_type_records_none_is_believed() {
        let mut types = ElementTypes::default();
        assert!(types.put(OWN, said(DataType::Unsigned32), true));
        assert!(types.put(OWN, said(DataType::Unsigned32), true));
        assert!(!types.put(OWN, said(DataType::String), true));
        assert_eq!(types.get(OWN), None);
        assert!(!types.put(OWN, said(DataType::Unsigned32), true));
    }

    #[test]
    fn a_full_table_keeps_and_renews_what_it_has() {
        let mut names = Names::default();
        assert!(names.put(1, "one".into(), true));
        assert!(!names.put(2, "two".into(), false));
        assert!(names.put(1, "uno".into(), false));
        assert!(names.put(1, "eins".into(), false));
        assert_eq!((names.get(&1), names.len()), (Some("eins"), 1));
        assert_eq!(names.bytes(), 4);
    }

    #[test]
    fn data_types_and_semantics_have_ianas_numbers() {
        assert_eq!(data_type(13), Some(DataType::String));
        assert_eq!(data_type(18), Some(DataType::Ipv4Address));
        assert_eq!(data_type(24), None);
        assert_eq!(semantics(3), Some(Semantics::DeltaCounter));
        assert_eq!(semantics(9), None);
    }
}
