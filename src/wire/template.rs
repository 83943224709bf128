//! Templates: what a Data Record of a Set looks like.

use crate::element::ElementId;
use crate::wire::Extent;
use crate::wire::Fields;
use crate::wire::Records;
use crate::wire::Version;

/// Field length that announces a variable-length field. RFC 7011 §7.
pub const VARIABLE: u16 = 0xffff;

/// One field of a Template. RFC 7011 §3.2.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FieldSpecifier {
    /// Which element; v9 scope types live under `V9_SCOPE_PEN`.
    pub element: ElementId,
    /// Octets, or [`VARIABLE`].
    pub length: u16,
}

impl FieldSpecifier {
    /// Octets of the field in every record; `None` where each record says it.
    pub fn fixed(self) -> Option<usize> {
        (self.length != VARIABLE).then(|| self.length.into())
    }
}

/// Data or options. RFC 7011 §3.4.1, §3.4.2.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(missing_docs, reason = "the names are RFC 7011's")]
pub enum TemplateKind {
    Data,
    Options,
}

/// How long a record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// Every record has this many octets, at least 1.
    Fixed(usize),
    /// Records differ; none is shorter than this, at least 1.
    Variable(usize),
    /// Records of zero octets: never decoded (P-452, P-453, P-454).
    Empty,
}

impl Layout {
    /// Octets of the shortest record there can be; 0 where there is none.
    pub fn minimum(self) -> usize {
        match self {
            Self::Fixed(octets) | Self::Variable(octets) => octets,
            Self::Empty => 0,
        }
    }
}

/// A checked Template, data or options. RFC 7011 §3.4, RFC 3954 §5.2, §6.1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// Protocol it came in; decides how unknown ids are named.
    pub version: Version,
    /// 256 and above.
    pub id: u16,
    /// Data or options.
    pub kind: TemplateKind,
    /// How many leading fields are scopes.
    pub scopes: usize,
    /// All fields in wire order, zero-length ones too; a field may occur twice (P-038, P-115).
    pub fields: Box<[FieldSpecifier]>,
    /// How long a record is.
    pub layout: Layout,
    /// `fields` without those of length 0; `None` where there are none of these.
    present: Option<Box<[FieldSpecifier]>>,
    /// Octets of the fixed fields before each variable-length one, and after
    /// the last; empty where the layout is not variable.
    gaps: Box<[usize]>,
}

impl Template {
    /// Works out the layout of the fields' records.
    pub fn new(
        version: Version,
        id: u16,
        kind: TemplateKind,
        scopes: usize,
        fields: Box<[FieldSpecifier]>,
    ) -> Self {
        let (layout, gaps) = measure(&fields);
        let is_present = |field: &&FieldSpecifier| field.length != 0;
        let present = (!fields.iter().all(|field| is_present(&field)))
            .then(|| fields.iter().filter(is_present).copied().collect());
        Self {
            version,
            id,
            kind,
            scopes,
            fields,
            layout,
            present,
            gaps,
        }
    }

    /// Splits a Data Set's body into records; ends at padding (P-036, P-037, P-110).
    pub fn records<'t, 'a>(&'t self, body: &'a [u8]) -> Records<'t, 'a> {
        Records::new(self, body)
    }

    /// Splits octets that are records without padding, as [`Self::validate`]
    /// measured them: in those of v9, zeros at the end are records too (P-037).
    pub fn split<'t, 'a>(&'t self, octets: &'a [u8]) -> Records<'t, 'a> {
        Records::of_records(self, octets)
    }

    /// How much of a Data Set's body is well-formed records.
    ///
    /// Constant time for a fixed layout; a walk over the variable-length
    /// fields' prefixes otherwise. Serves P-005 and P-111.
    pub fn validate(&self, body: &[u8]) -> Extent {
        Extent::of(self, body)
    }

    /// The fields whose length is not 0 in wire order, as [`Self::fields`] gives them.
    ///
    /// The others say nothing and are not visited per record (P-030, P-461).
    pub fn present(&self) -> &[FieldSpecifier] {
        self.present.as_deref().unwrap_or(&self.fields)
    }

    /// The fields of one record in wire order with their octets, without length prefixes.
    ///
    /// They match [`Self::present`] one to one; a record of another Template
    /// ends the iterator early.
    pub fn fields<'t, 'a>(&'t self, record: &'a [u8]) -> Fields<'t, 'a> {
        Fields::new(self.present(), record)
    }

    /// As [`Self::fields`], with the fields of length 0 too: for display, not for load.
    pub fn all_fields<'t, 'a>(&'t self, record: &'a [u8]) -> Fields<'t, 'a> {
        Fields::new(&self.fields, record)
    }

    /// Octets this definition is charged with against the quotas of P-820.
    ///
    /// What it occupies here, which is more than what it took on the wire.
    pub fn definition_bytes(&self) -> usize {
        let present = self.present.as_ref().map_or(0, |fields| fields.len());
        size_of::<Self>()
            + (self.fields.len() + present) * size_of::<FieldSpecifier>()
            + self.gaps.len() * size_of::<usize>()
    }

    /// Runs of fixed octets around the variable-length fields.
    pub(super) fn gaps(&self) -> &[usize] {
        &self.gaps
    }
}

/// The layout of the fields' records, and a variable layout's gaps.
fn measure(fields: &[FieldSpecifier]) -> (Layout, Box<[usize]>) {
    let mut gaps = Vec::new();
    let mut gap = 0;
    for field in fields {
        match field.fixed() {
            Some(octets) => gap += octets,
            None => gaps.push(std::mem::take(&mut gap)),
        }
    }
    if gaps.is_empty() {
        let layout = match gap {
            0 => Layout::Empty,
            octets => Layout::Fixed(octets),
        };
        return (layout, Box::default());
    }
    // Each variable-length field has a prefix of one octet at least.
    let minimum = gaps.len() + gaps.iter().sum::<usize>() + gap;
    gaps.push(gap);
    (Layout::Variable(minimum), gaps.into())
}
