//! What can be wrong with octets, and where.

use nom::Offset;
use nom::error::ErrorKind;
use nom::error::ParseError;

/// A refusal: what is wrong, and the first octet of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("byte {offset}: {reason}")]
pub struct WireError {
    /// Offset in the datagram of the first octet of the bad field.
    pub offset: usize,
    /// What is wrong.
    pub reason: Reason,
}

impl WireError {
    /// Turns a borrowed fault into an owned error; the cold path, once per refusal.
    ///
    /// `start` is where `input` begins in the datagram.
    #[cold]
    pub(super) fn locate(start: usize, input: &[u8], fault: nom::Err<Fault<'_>>) -> Self {
        let (within, reason) = match fault {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => {
                (input.offset(fault.at), fault.reason)
            }
            nom::Err::Incomplete(_) => (input.len(), Reason::Truncated),
        };
        Self {
            offset: start + within,
            reason,
        }
    }
}

/// Declares the reasons, their labels and their order in one table.
macro_rules! reasons {
    ($($(#[$meta:meta])* $name:ident $(($($kind:ty),+))? = $label:literal,)+) => {
        /// Why octets were refused. Values are what the sender claimed.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$meta])* $name $(($($kind),+))?,)+
        }

        /// The rows of the table without what the sender claimed.
        #[derive(Clone, Copy)]
        enum Row {
            $($name,)+
        }

        impl Reason {
            /// Every label, in a fixed order, so that counters can be an array.
            pub const LABELS: &'static [&'static str] = &[$($label,)+];

            /// Position of this reason in [`Self::LABELS`].
            pub const fn index(self) -> usize {
                match self {
                    $(Self::$name { .. } => Row::$name as usize,)+
                }
            }

            /// The word used in metrics, logs and docs.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $label,)+
                }
            }
        }
    };
}

reasons! {
    /// Fewer octets than the structure needs.
    #[error("truncated")]
    Truncated = "truncated",
    /// A version of NetFlow that is known and not decoded (P-001).
    #[error("netflow version {0} is not supported (must be 5, 9 or 10)")]
    UnsupportedVersion(u16) = "unsupported-version",
    /// The first two octets are no version of NetFlow (P-001).
    #[error("version {0} is not netflow (must be 5, 9 or 10)")]
    NotNetflow(u16) = "not-netflow",
    /// v5 Count above 30 (P-012).
    #[error("record count {0} is impossible (must be 30 or less)")]
    RecordCount(u16) = "record-count",
    /// v5 Count, and how many records fit the datagram (P-012).
    #[error("record count {0} exceeds the datagram (room for {1})")]
    CountTooLong(u16, usize) = "count-too-long",
    /// IPFIX Length below the header's own (P-100).
    #[error("message length {0} is shorter than its header (must be 16 or more)")]
    MessageTooShort(u16) = "message-too-short",
    /// IPFIX Length, and the octets there are (P-100).
    #[error("message length {0} exceeds the datagram of {1} octets")]
    MessageTooLong(u16, usize) = "message-too-long",
    /// Set Length below the header's own (P-024, P-102).
    #[error("set length {0} is shorter than its header (must be 4 or more)")]
    SetTooShort(u16) = "set-too-short",
    /// Set Length, and the octets left in the Message (P-025, P-102).
    #[error("set length {0} exceeds the message ({1} octets left)")]
    SetTooLong(u16, usize) = "set-too-long",
    /// A Template id that would be a Set id (P-104).
    #[error("template id {0} is reserved (must be 256 or more)")]
    ReservedTemplateId(u16) = "reserved-template-id",
    /// Field count whose specifiers do not fit the Set, and the octets left.
    #[error("field count {0} exceeds the set ({1} octets left)")]
    FieldCountTooLong(u16, usize) = "field-count-too-long",
    /// More fields than we keep, and the limit (P-820).
    #[error("field count {0} is more than kept (limit {1})")]
    TooManyFields(usize, usize) = "too-many-fields",
    /// IPFIX scope field count and field count (P-106).
    #[error("scope field count {0} is impossible (must be 1 to {1})")]
    ScopeCount(u16, u16) = "scope-count",
    /// v9 option scope length and option length (P-031).
    #[error("option scope length {0} and option length {1} are no multiples of 4")]
    OptionLength(u16, u16) = "option-length",
    /// v9 lengths of both definitions, and the octets left in the Set (P-031).
    #[error("option definitions of {0} octets exceed the set ({1} octets left)")]
    OptionTooLong(usize, usize) = "option-too-long",
    /// Octets from the start of a record to the end of a field, and the octets
    /// left in the Set (P-111).
    #[error("record of {0} octets or more exceeds the set ({1} octets left)")]
    RecordTooLong(usize, usize) = "record-too-long",
    /// A list's elements would be of no octets (P-300, P-455).
    #[error("list element length is 0 (must be 1 or more)")]
    ElementEmpty = "list-element-empty",
    /// A list's last element: octets it needs, and the octets left.
    #[error("list element of {0} octets exceeds the list ({1} octets left)")]
    ElementTooLong(usize, usize) = "list-element-too-long",
    /// A list of records of no octets (P-456).
    #[error("template {0} has records of no octets")]
    RecordEmpty(u16) = "list-record-empty",
    /// subTemplateMultiList part whose length is below its header's (P-302).
    #[error("sub-template part length {0} is shorter than its header (must be 0, 4 or more)")]
    PartTooShort(u16) = "list-part-too-short",
    /// subTemplateMultiList part length, and the octets left in the list.
    #[error("sub-template part length {0} exceeds the list ({1} octets left)")]
    PartTooLong(u16, usize) = "list-part-too-long",
    /// Lists within lists beyond the limit (P-303).
    #[error("lists are nested deeper than {0}")]
    ListTooDeep(usize) = "list-too-deep",
    /// More list values in one datagram than we look at (P-822).
    #[error("lists hold more values than are decoded of one datagram")]
    TooManyValues = "too-many-values",
}

/// What went wrong while parsing, and the input that starts with it.
///
/// The place is a slice until [`WireError::locate`]; raising one allocates nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fault<'a> {
    /// The input from the first octet of the bad field on.
    pub(super) at: &'a [u8],
    /// What is wrong.
    pub(super) reason: Reason,
}

impl<'a> ParseError<&'a [u8]> for Fault<'a> {
    /// nom's own parsers fail only for want of octets here.
    fn from_error_kind(at: &'a [u8], _kind: ErrorKind) -> Self {
        Self {
            at,
            reason: Reason::Truncated,
        }
    }

    fn append(_at: &'a [u8], _kind: ErrorKind, first: Self) -> Self {
        first
    }
}

/// What a parser of this room returns.
pub(super) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Fault<'a>>;

/// A fault that no other parser could do better with.
pub(super) fn failure(at: &[u8], reason: Reason) -> nom::Err<Fault<'_>> {
    nom::Err::Failure(Fault { at, reason })
}

/// As [`failure`], for a parser to return.
pub(super) fn refuse<T>(at: &[u8], reason: Reason) -> Parsed<'_, T> {
    Err(failure(at, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_label_at_its_index() {
        for (index, label) in Reason::LABELS.iter().enumerate() {
            let is_word = |octet: u8| octet.is_ascii_lowercase() || octet == b'-';
            assert!(label.bytes().all(is_word), "{label}");
            let first = Reason::LABELS.iter().position(|other| other == label);
            assert_eq!(first, Some(index), "{label} is there twice");
        }
        let reasons = [
            (Reason::Truncated, "truncated"),
            (Reason::SetTooLong(8, 4), "set-too-long"),
            (Reason::ReservedTemplateId(255), "reserved-template-id"),
            (Reason::TooManyValues, "too-many-values"),
        ];
        for (reason, label) in reasons {
            assert_eq!(reason.label(), label);
            assert_eq!(Reason::LABELS.get(reason.index()), Some(&label));
        }
        assert_eq!(Reason::TooManyValues.index() + 1, Reason::LABELS.len());
    }

    #[test]
    fn a_refusal_reads_well() {
        let refusal = WireError {
            offset: 20,
            reason: Reason::ReservedTemplateId(255),
        };
        let text = "byte 20: template id 255 is reserved (must be 256 or more)";
        assert_eq!(refusal.to_string(), text);
    }
}
