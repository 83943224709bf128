//! Octets ⇄ Message, Set, Template, Record: NetFlow v5, NetFlow v9 and IPFIX.
//!
//! Start from [`Messages`]: a datagram holds Messages, a [`Message`] holds
//! [`Sets`], a Template Set holds [`Definitions`], and a Data Set is split by its
//! [`Template`] into [`Records`] of [`Fields`]. Nothing here remembers anything;
//! which Template belongs to a Data Set is for `session` to know.
//!
//! # What never happens
//!
//! * No octet panics, loops or recurses without end: every step consumes octets
//!   or stops, every length is checked against what encloses it (P-003, P-004).
//! * Nothing is allocated by a count alone, and nothing at all per record.

mod definition;
mod encode;
mod error;
mod list;
mod message;
mod records;
mod set;
mod template;
pub mod v5;
mod value;

pub use definition::Definition;
pub use definition::Definitions;
pub use encode::EncodeError;
pub use encode::MessageWriter;
pub use encode::put_record;
pub use encode::put_variable;
pub use error::Reason;
pub use error::WireError;
pub use list::Item;
pub use list::LIST_DEPTH_MAX;
pub use list::List;
pub use list::ListContent;
pub use list::ListKind;
pub use list::ListReader;
pub use list::ListSemantic;
pub use list::Part;
pub use list::PartRecords;
pub use message::Header;
pub use message::Message;
pub use message::Messages;
pub use message::Version;
pub use records::Extent;
pub use records::Fields;
pub use records::Records;
pub use set::DATA_SET_ID_MIN;
pub use set::SET_HEADER_LEN;
pub use set::Set;
pub use set::SetKind;
pub use set::Sets;
pub use template::FieldSpecifier;
pub use template::Layout;
pub use template::Template;
pub use template::TemplateKind;
pub use template::VARIABLE;
pub use value::NtpTime;
pub use value::Value;
pub use value::signed;
pub use value::unsigned;

#[cfg(test)]
mod tests;
