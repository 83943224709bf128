//! Template Sets and Options Template Sets: what a sender says its records look like.

use nom::Parser;
use nom::number::complete::be_u16;
use nom::number::complete::be_u32;

use crate::element::ElementId;
use crate::element::V9_SCOPE_PEN;
use crate::wire::DATA_SET_ID_MIN;
use crate::wire::FieldSpecifier;
use crate::wire::Reason;
use crate::wire::Set;
use crate::wire::SetKind;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::WireError;
use crate::wire::error::Fault;
use crate::wire::error::Parsed;
use crate::wire::error::refuse;

/// Bit of an element id that announces an enterprise number. RFC 7011 §3.2.
pub(super) const ENTERPRISE_BIT: u16 = 0x8000;
/// Octets of a Field Specifier without enterprise number. RFC 7011 §3.2.
pub(super) const SPECIFIER_LEN: usize = 4;
/// Octets of the shortest record of a Template Set: a withdrawal. RFC 7011 §8.1.
pub(super) const DEFINITION_LEN_MIN: usize = 4;

/// What one record of a Template Set or Options Template Set says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Definition {
    /// A Template to remember.
    Define(Template),
    /// A known id with a definition that cannot be used: forget the old one (P-408).
    Invalid {
        /// Template id, 256 and above.
        id: u16,
        /// What is wrong with it.
        error: WireError,
    },
    /// IPFIX field count 0: stop using this Template (P-122).
    Withdraw(u16),
    /// IPFIX Template id 2 or 3: stop using all of this kind (P-404).
    WithdrawAll(TemplateKind),
}

/// Iterator over the definitions of one Set; ends at padding or at the first
/// definition whose end cannot be told.
#[derive(Clone, Debug)]
pub struct Definitions<'a> {
    body: &'a [u8],
    body_offset: usize,
    rest: &'a [u8],
    shape: Shape,
}

/// What the definitions of a Set have in common.
#[derive(Clone, Copy, Debug)]
struct Shape {
    version: Version,
    kind: TemplateKind,
    set_id: u16,
    fields_max: usize,
}

/// A definition as parsed, before its faults have a place.
enum Found<'a> {
    Sound(Definition),
    /// Its end is known, so the next one can be read.
    Bad(u16, Fault<'a>),
    /// Its end is unknown.
    Lost(u16, Fault<'a>),
}

impl<'a> Definitions<'a> {
    /// Starts at the first octet of a Set's body.
    pub(super) fn new(set: &Set<'a>, fields_max: usize) -> Self {
        let (kind, rest) = match set.kind {
            SetKind::Templates => (TemplateKind::Data, set.body),
            SetKind::OptionsTemplates => (TemplateKind::Options, set.body),
            SetKind::Data | SetKind::Reserved => (TemplateKind::Data, &[][..]),
        };
        Self {
            body: set.body,
            body_offset: set.body_offset,
            rest,
            shape: Shape {
                version: set.version,
                kind,
                set_id: set.id,
                fields_max,
            },
        }
    }

    /// Whether only padding is left: less than any definition, or zeros (P-035, P-109).
    fn at_padding(&self) -> bool {
        self.rest.len() < DEFINITION_LEN_MIN
            || self.rest.starts_with(&[0; DEFINITION_LEN_MIN])
                && self.rest.iter().all(|&octet| octet == 0)
    }

    #[cold]
    fn locate(&self, fault: Fault<'a>) -> WireError {
        WireError::locate(self.body_offset, self.body, nom::Err::Failure(fault))
    }
}

impl Iterator for Definitions<'_> {
    /// A definition; or why the rest of the Set is not looked at.
    type Item = Result<Definition, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at_padding() {
            return None;
        }
        let (rest, found) = match self.shape.definition(self.rest) {
            Ok(parsed) => parsed,
            Err(fault) => {
                self.rest = &[];
                return Some(Err(WireError::locate(self.body_offset, self.body, fault)));
            }
        };
        self.rest = rest;
        Some(Ok(match found {
            Found::Sound(definition) => definition,
            Found::Bad(id, fault) => Definition::Invalid {
                id,
                error: self.locate(fault),
            },
            Found::Lost(id, fault) => {
                self.rest = &[];
                Definition::Invalid {
                    id,
                    error: self.locate(fault),
                }
            }
        }))
    }
}

impl Shape {
    /// One Template Record, Options Template Record or Withdrawal.
    fn definition<'a>(&self, input: &'a [u8]) -> Parsed<'a, Found<'a>> {
        let (rest, id) = be_u16(input)?;
        if id < DATA_SET_ID_MIN {
            return self.withdraw_all(input, rest, id);
        }
        match (self.version, self.kind) {
            (Version::V5 | Version::V9, TemplateKind::Data) => self.v9(id, rest),
            (Version::V5 | Version::V9, TemplateKind::Options) => self.v9_options(id, rest),
            (Version::Ipfix, _) => self.ipfix(id, rest),
        }
    }

    /// All Templates Withdrawal, the only use of ids below 256. RFC 7011 §8.1.
    fn withdraw_all<'a>(&self, input: &'a [u8], rest: &'a [u8], id: u16) -> Parsed<'a, Found<'a>> {
        let (rest, count) = be_u16(rest)?;
        if self.version != Version::Ipfix || id != self.set_id || count != 0 {
            return refuse(input, Reason::ReservedTemplateId(id));
        }
        Ok((rest, Found::Sound(Definition::WithdrawAll(self.kind))))
    }

    /// Template Record after its id. RFC 3954 §5.2.
    fn v9<'a>(&self, id: u16, input: &'a [u8]) -> Parsed<'a, Found<'a>> {
        let (rest, count) = be_u16(input)?;
        let Some((octets, rest)) = rest.split_at_checked(usize::from(count) * SPECIFIER_LEN) else {
            return lost(id, input, Reason::FieldCountTooLong(count, rest.len()));
        };
        let (_, found) = self.fields(id, input, 0, count.into(), octets)?;
        Ok((rest, found))
    }

    /// Options Template Record after its id. RFC 3954 §6.1.
    fn v9_options<'a>(&self, id: u16, input: &'a [u8]) -> Parsed<'a, Found<'a>> {
        let (rest, (scope_len, option_len)) = (be_u16, be_u16).parse(input)?;
        let is_whole = |length: u16| usize::from(length).is_multiple_of(SPECIFIER_LEN);
        if !is_whole(scope_len) || !is_whole(option_len) {
            return lost(id, input, Reason::OptionLength(scope_len, option_len));
        }
        let octets = usize::from(scope_len) + usize::from(option_len);
        let Some((octets, rest)) = rest.split_at_checked(octets) else {
            return lost(id, input, Reason::OptionTooLong(octets, rest.len()));
        };
        let scopes = usize::from(scope_len) / SPECIFIER_LEN;
        let (_, found) = self.fields(id, input, scopes, octets.len() / SPECIFIER_LEN, octets)?;
        Ok((rest, found))
    }

    /// Template Record, Options Template Record or Withdrawal after its id.
    /// RFC 7011 §3.4.1, §3.4.2.2, §8.1.
    fn ipfix<'a>(&self, id: u16, input: &'a [u8]) -> Parsed<'a, Found<'a>> {
        let (after, count) = be_u16(input)?;
        if count == 0 {
            // Four octets, for options too: no scope field count (P-108).
            return Ok((after, Found::Sound(Definition::Withdraw(id))));
        }
        let (rest, scopes) = match self.kind {
            TemplateKind::Data => (after, None),
            TemplateKind::Options => be_u16.map(Some).parse(after)?,
        };
        if usize::from(count) * SPECIFIER_LEN > rest.len() {
            return lost(id, input, Reason::FieldCountTooLong(count, rest.len()));
        }
        let parsed = self.fields(
            id,
            input,
            scopes.unwrap_or_default().into(),
            count.into(),
            rest,
        );
        let Ok((rest, found)) = parsed else {
            return lost(id, input, Reason::FieldCountTooLong(count, rest.len()));
        };
        let found = match scopes {
            Some(scopes) if scopes == 0 || scopes > count => {
                bad(id, after, Reason::ScopeCount(scopes, count))
            }
            _ => found,
        };
        Ok((rest, found))
    }

    /// `count` Field Specifiers, the first `scopes` of them scopes.
    ///
    /// `at` is where a refusal of their number points.
    fn fields<'a>(
        &self,
        id: u16,
        at: &'a [u8],
        scopes: usize,
        count: usize,
        input: &'a [u8],
    ) -> Parsed<'a, Found<'a>> {
        let is_kept = count <= self.fields_max;
        // The caller has seen that `count` specifiers of 4 octets fit.
        let mut fields = Vec::with_capacity(if is_kept { count } else { 0 });
        let mut rest = input;
        for position in 0..count {
            let (next, field) = specifier(rest, self.version, position < scopes)?;
            if is_kept {
                fields.push(field);
            }
            rest = next;
        }
        if !is_kept {
            let reason = Reason::TooManyFields(count, self.fields_max);
            return Ok((rest, bad(id, at, reason)));
        }
        let template = Template::new(self.version, id, self.kind, scopes, fields.into());
        Ok((rest, Found::Sound(Definition::Define(template))))
    }
}

/// Field Specifier. RFC 7011 §3.2, RFC 3954 §5.2, §6.1.
pub(super) fn specifier(
    input: &[u8],
    version: Version,
    is_scope: bool,
) -> Parsed<'_, FieldSpecifier> {
    let (rest, (id, length)) = (be_u16, be_u16).parse(input)?;
    let (rest, element) = match version {
        // v9 has plain 16-bit types and no enterprise bit (P-027).
        Version::V5 | Version::V9 => {
            let pen = if is_scope { V9_SCOPE_PEN } else { 0 };
            (rest, ElementId { pen, id })
        }
        Version::Ipfix if id & ENTERPRISE_BIT == 0 => (rest, ElementId::iana(id)),
        Version::Ipfix => be_u32
            .map(|pen| ElementId::in_ipfix(pen, id & !ENTERPRISE_BIT))
            .parse(rest)?,
    };
    Ok((rest, FieldSpecifier { element, length }))
}

/// A definition that cannot be used, and whose end is known.
fn bad(id: u16, at: &[u8], reason: Reason) -> Found<'_> {
    Found::Bad(id, Fault { at, reason })
}

/// A definition that cannot be used, and with it the rest of its Set.
fn lost<'a>(id: u16, at: &'a [u8], reason: Reason) -> Parsed<'a, Found<'a>> {
    Ok((&[], Found::Lost(id, Fault { at, reason })))
}
