//! Columns of flows: names, types, units and where they come from.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::LazyLock;

use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::FieldRef;
use arrow_schema::Fields;
use arrow_schema::Schema;
use arrow_schema::SchemaRef;
use arrow_schema::TimeUnit;

/// Version of [`schema`]. A newer one adds columns; none ever changes its type.
pub const SCHEMA_VERSION: u32 = 1;

/// Key of [`SCHEMA_VERSION`] in the schema's metadata.
pub const VERSION_KEY: &str = "flowlogd.schema-version";

/// One column of flows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Column {
    /// Name in queries, files and SLS logs.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// How a value is written in an SLS log, where all values are text.
    pub rendering: &'static str,
    /// Unit; empty where it has none.
    pub unit: &'static str,
    /// Elements it comes from, the preferred first, or what flowlogd puts there.
    pub source: &'static str,
}

/// Types of columns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Milliseconds since 1970, UTC.
    Time,
    /// Text of few different values, as a dictionary.
    Text,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// A factor.
    Factor,
    /// Octets by name.
    Map,
}

/// The columns, in order. A value that a row lacks is null.
pub const COLUMNS: &[Column] = &[
    time(
        "start",
        "seconds since 1970, rounded down",
        "flow start: 156, 154, 152, 150, 158, 22; 323",
    ),
    time(
        "end",
        "seconds since 1970, rounded up",
        "flow end: 157, 155, 153, 151, 159, 21; 323",
    ),
    text("srcaddr", ADDRESS, "8 or 27; 44 or 170"),
    text("dstaddr", ADDRESS, "12 or 28; 45 or 169"),
    number("srcport", Kind::U16, "", "7; 180, 182"),
    number(
        "dstport",
        Kind::U16,
        "",
        "11; 181, 183; ICMP type * 256 + code: 32, 139, 176…179",
    ),
    number("protocol", Kind::U8, "", "4"),
    number(
        "bytes",
        Kind::U64,
        "octets",
        "1; 23; differences of 85; 231, 232",
    ),
    number(
        "packets",
        Kind::U64,
        "packets",
        "2; 24; differences of 86; 298, 299",
    ),
    number("flows", Kind::U32, "flows", "3, else 1"),
    number(
        "tcp-flags",
        Kind::U16,
        "",
        "6, OR of all packets; null where no record told them",
    ),
    number("tos", Kind::U8, "", "5; 195 * 4"),
    number("inport", Kind::U32, "", "10; 252"),
    number("outport", Kind::U32, "", "14; 253"),
    number("srcas", Kind::U32, "", "16; null where 0"),
    number("dstas", Kind::U32, "", "17; null where 0"),
    number("srcmask", Kind::U8, "bits", "9, 29; null where 0"),
    number("dstmask", Kind::U8, "bits", "13, 30; null where 0"),
    text("nexthop", ADDRESS, "15, 62; 18, 63"),
    number("vlan", Kind::U16, "", "58; 243; 59"),
    number("direction", Kind::U8, "", "61: 0 ingress, 1 egress"),
    number(
        "vrf",
        Kind::U32,
        "",
        "234 or 235; where both are there and differ, 234 with (234 XOR 235) * 65536 mixed in",
    ),
    Column {
        name: "sampling",
        kind: Kind::Factor,
        rendering: "decimal, no fraction where it is whole",
        unit: "packets per metered packet",
        source: "34, 50, 305 and 306, options; null where unknown",
    },
    number("forwarding-status", Kind::U8, "", "89"),
    number(
        "flow-end-reason",
        Kind::U8,
        "",
        "136, or the cache's own; null where 0",
    ),
    text("exporter", ADDRESS, "sender of the datagram"),
    number(
        "domain",
        Kind::U32,
        "",
        "Observation Domain, v9 source id, v5 engine",
    ),
    text("flow-log", AS_IS, "flow log the row belongs to"),
    text("Instance_id", AS_IS, "inventory"),
    text("snid", AS_IS, "inventory"),
    text("ali-uid", AS_IS, "inventory"),
    number(
        "records",
        Kind::U32,
        "records",
        "input records the row stands for",
    ),
    text(
        "event",
        AS_IS,
        "233, 40005, 230: what happened, if the row is no flow",
    ),
    number(
        "time-quality",
        Kind::U8,
        "",
        "bits: 1 the record's own, 2 doubtful, 4 arrival instead, 8 exchanged, 16 without boot, 32 export time instead, 64 boot estimated",
    ),
    text("xlate-srcaddr", ADDRESS, "225, 281"),
    text("xlate-dstaddr", ADDRESS, "226, 282"),
    number("xlate-srcport", Kind::U16, "", "227"),
    number("xlate-dstport", Kind::U16, "", "228"),
    text("srcmac", MAC, "56; 81"),
    text("dstmac", MAC, "80; 57"),
    number("mpls-label", Kind::U32, "", "70, its upper 20 bits"),
    number("layer2-bytes", Kind::U64, "octets", "352"),
    Column {
        name: "rest",
        kind: Kind::Map,
        rendering: "a field for each key: strings as they are, else hexadecimal",
        unit: "",
        source: "elements the flow log asks for; all elements of an event",
    },
];

const ADDRESS: &str = "address as text, IPv6 by RFC 5952";
const MAC: &str = "six octets in hexadecimal, colons between";
const AS_IS: &str = "text";

const fn time(name: &'static str, rendering: &'static str, source: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Time,
        rendering,
        unit: "ms since 1970",
        source,
    }
}

const fn text(name: &'static str, rendering: &'static str, source: &'static str) -> Column {
    Column {
        name,
        kind: Kind::Text,
        rendering,
        unit: "",
        source,
    }
}

const fn number(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    source: &'static str,
) -> Column {
    Column {
        name,
        kind,
        rendering: "decimal",
        unit,
        source,
    }
}

impl Kind {
    /// The Arrow type of such a column.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Self::Text => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
            Self::Factor => DataType::Float64,
            Self::Map => DataType::Map(map_entries(), false),
        }
    }

    /// The type as `docs/schema.md` writes it.
    fn label(self) -> &'static str {
        match self {
            Self::Time => "Timestamp(ms, UTC)",
            Self::Text => "Dictionary(Int32, Utf8)",
            Self::U8 => "UInt8",
            Self::U16 => "UInt16",
            Self::U32 => "UInt32",
            Self::U64 => "UInt64",
            Self::Factor => "Float64",
            Self::Map => "Map(Utf8, Binary)",
        }
    }
}

/// Fields of one entry of a map.
pub(crate) fn map_entry() -> Fields {
    let key = Field::new("keys", DataType::Utf8, false);
    let value = Field::new("values", DataType::Binary, true);
    Fields::from(vec![key, value])
}

/// The entries of a map.
pub(crate) fn map_entries() -> FieldRef {
    let entry = DataType::Struct(map_entry());
    Arc::new(Field::new("entries", entry, false))
}

/// All columns as an Arrow schema, each nullable, with its version.
pub fn schema() -> &'static SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let field = |column: &Column| -> FieldRef {
            Arc::new(Field::new(column.name, column.kind.data_type(), true))
        };
        let fields: Vec<FieldRef> = COLUMNS.iter().map(field).collect();
        let version = (VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string());
        Arc::new(Schema::new(fields).with_metadata([version].into()))
    });
    &SCHEMA
}

/// The columns as Markdown, for `docs/schema.md`.
pub fn markdown() -> String {
    let mut text = "Numbers under *Source* are Information Elements of IANA's registry or \
                    NetFlow v9 types;\nthose after a semicolon stand in where those before are \
                    absent or 0.\n\n\
                    | Column | Arrow type | In SLS logs | Unit | Source |\n|---|---|---|---|---|\n"
        .to_owned();
    for column in COLUMNS {
        let Column {
            name,
            kind,
            rendering,
            unit,
            source,
        } = column;
        let label = kind.label();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{name}` | {label} | {rendering} | {unit} | {source} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_columns_have_one_name() {
        let mut names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 43);
    }

    #[test]
    fn the_schema_says_its_version() {
        let version = schema().metadata().get(VERSION_KEY);
        assert_eq!(version.map(String::as_str), Some("1"));
    }
}
