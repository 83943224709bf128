//! What the log store puts in front of each row, and the document of all columns.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::LazyLock;

use arrow_schema::DataType;
use arrow_schema::Field;
use arrow_schema::FieldRef;
use arrow_schema::Fields;

use super::schema::RECEIVE_TIME;
use super::schema::SCHEMA_VERSION;
use super::schema::SEQ;
use super::schema::SOURCE;
use super::schema::TAGS;
use super::schema::TIME;
use super::schema::TIME_NS_PART;
use super::schema::TOPIC;
use crate::flow;

/// Columns of the store, in front of the rows' own.
pub(super) fn own_fields() -> &'static [FieldRef] {
    static FIELDS: LazyLock<Vec<FieldRef>> = LazyLock::new(|| {
        let field = |own: &Own| Field::new(own.name, own.kind.data_type(), own.is_nullable);
        OWN.iter().map(|own| Arc::new(field(own))).collect()
    });
    FIELDS.as_slice()
}

/// A column of the store.
struct Own {
    name: &'static str,
    kind: Kind,
    is_nullable: bool,
    /// How SLS shows it.
    rendering: &'static str,
    source: &'static str,
}

/// Types of the store's columns.
#[derive(Clone, Copy)]
enum Kind {
    U64,
    I64,
    U32,
    Text,
    Tags,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::U64 => DataType::UInt64,
            Self::I64 => DataType::Int64,
            Self::U32 => DataType::UInt32,
            Self::Text => DataType::Utf8,
            Self::Tags => {
                let name = Field::new("keys", DataType::Utf8, false);
                let value = Field::new("values", DataType::Utf8, true);
                let entry = DataType::Struct(Fields::from(vec![name, value]));
                DataType::Map(Arc::new(Field::new("entries", entry, false)), false)
            }
        }
    }

    /// The type as `docs/schema.md` writes it.
    fn label(self) -> &'static str {
        match self {
            Self::U64 => "UInt64",
            Self::I64 => "Int64",
            Self::U32 => "UInt32",
            Self::Text => "Utf8",
            Self::Tags => "Map(Utf8, Utf8)",
        }
    }
}

const OWN: &[Own] = &[
    Own {
        name: SEQ,
        kind: Kind::U64,
        is_nullable: false,
        rendering: "the cursor",
        source: "number of the row in the journal: rising, with gaps",
    },
    Own {
        name: TIME,
        kind: Kind::I64,
        is_nullable: false,
        rendering: "seconds since 1970",
        source: "log time as sent; of flows, the end, 7 days before to 15 minutes after arrival",
    },
    Own {
        name: TIME_NS_PART,
        kind: Kind::U32,
        is_nullable: false,
        rendering: "nanoseconds after `__time__`",
        source: "as sent, else 0; of flows, the end",
    },
    Own {
        name: TOPIC,
        kind: Kind::Text,
        is_nullable: true,
        rendering: "text",
        source: "topic of the log group; null where it is empty, and for flows",
    },
    Own {
        name: SOURCE,
        kind: Kind::Text,
        is_nullable: true,
        rendering: "text",
        source: "source of the log group; null where it is empty, and for flows",
    },
    Own {
        name: RECEIVE_TIME,
        kind: Kind::I64,
        is_nullable: true,
        rendering: "seconds since 1970, as `__tag__:__receive_time__`",
        source: "arrival; since version 2",
    },
    Own {
        name: TAGS,
        kind: Kind::Tags,
        is_nullable: true,
        rendering: "a field `__tag__:KEY` for each key",
        source: "tags of the log group; null for flows; since version 2",
    },
];

/// The columns as a Markdown document: `docs/schema.md`.
pub fn markdown() -> String {
    let mut text = format!(
        "# Columns of a logstore\n\n\
         Schema version {SCHEMA_VERSION}. A newer version adds columns; none ever changes its \
         type.\nA value that a row lacks is null; a column that all rows lack is left out of a \
         file.\n\nFirst the columns that the log store puts in front of each row:\n\n\
         | Column | Arrow type | In SLS logs | Source |\n|---|---|---|---|\n"
    );
    for own in OWN {
        let Own {
            name,
            kind,
            rendering,
            source,
            ..
        } = own;
        let label = kind.label();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{name}` | {label} | {rendering} | {source} |");
    }
    text.push_str(
        "\nThen those of flows. A field of a log that is no flow goes to the column of its name if \
         that would\nwrite the value as it came, and to `rest` if not, as fields of all other names \
         do: `bytes` = `7` is a\nnumber, `bytes` = `007` is in `rest`. A name that a log has twice \
         is numbered there: `name#2`.\n\n",
    );
    text.push_str(&flow::markdown());
    text.push_str(
        "\nSLS's API shows one field more of each flow: `flow-id`, the key to dedupe by, made of the \
         journal that\nnumbered it, in 16 hexadecimal digits, `-`, and `seq`. A part names its journal \
         in its footer.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::flows::flow_fields;
    use super::*;

    #[test]
    fn the_document_is_that_of_the_schema() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written, markdown(), "run this test with UPDATE=1");
    }

    #[test]
    fn no_column_of_flows_is_called_as_one_of_the_store() {
        let names = |fields: &[FieldRef]| fields.iter().map(|field| field.name().clone()).collect();
        let mut all: Vec<String> = names(own_fields());
        all.extend(names(flow_fields()) as Vec<String>);
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((count, all.len()), (50, 50));
    }
}
