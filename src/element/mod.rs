//! Information Elements: IANA's registry, enterprises' and NetFlow v9 vendors'
//! types, from checked-in tables.
//!
//! The tables are data (`*.tsv`), read once into a dense array and two maps.
//! To update one, replace its file and run the tests.

mod data_type;
mod table;

use std::fmt;

pub use data_type::{DataType, Semantics};
pub use table::{by_name, iana, lookup};

/// The name of one field: enterprise number and element id. RFC 7012 §2.1.
///
/// PEN 0 is IANA's registry and, for NetFlow v9, its plain 16-bit field types.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ElementId {
    /// Private Enterprise Number; 0 is IANA.
    pub pen: u32,
    /// Element id; 15 bits in IPFIX, 16 bits in NetFlow v9.
    pub id: u16,
}

impl ElementId {
    /// An element of IANA's registry.
    pub const fn iana(id: u16) -> Self {
        Self { pen: 0, id }
    }

    /// What an enterprise number and a 15-bit id stand for in IPFIX: v9's own
    /// field types come under [`V9_LOW_PEN`] and [`V9_HIGH_PEN`], and have there
    /// the names they have in v9. P-028.
    pub const fn in_ipfix(pen: u32, id: u16) -> Self {
        match pen {
            V9_LOW_PEN => Self::iana(id),
            V9_HIGH_PEN => Self::iana(id | 0x8000),
            _ => Self { pen, id },
        }
    }
}

/// Prints the element's name, or `PEN/id` when no table knows it.
impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match lookup(*self) {
            Some(element) => f.write_str(element.name),
            None => write!(f, "{}/{}", self.pen, self.id),
        }
    }
}

/// What a table says of one Information Element. RFC 7012 §3.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Element {
    /// Enterprise number and id.
    pub id: ElementId,
    /// camelCase name of the registry.
    pub name: &'static str,
    /// Abstract data type.
    pub data_type: DataType,
    /// What arithmetic makes sense.
    pub semantics: Semantics,
    /// Unit as the registry spells it, empty where it has none.
    pub unit: &'static str,
}

/// PEN of reverse elements in biflows. RFC 5103 §6.1.
pub const REVERSE_PEN: u32 = 29305;
/// Namespace of NetFlow v9 scope field types 1–5, which are not elements
/// (RFC 3954 §6.1); no enterprise has this number.
pub const V9_SCOPE_PEN: u32 = 0xffff_fffd;
/// Namespace that collectors give in IPFIX to v9's field types below 32 768 that
/// IANA does not have (P-028); no enterprise has this number.
pub const V9_LOW_PEN: u32 = 0xffff_fffe;
/// The same for those from 32 768 on, less that bit.
pub const V9_HIGH_PEN: u32 = 0xffff_ffff;
