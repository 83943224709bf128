//! Structured data of a record, decoded. RFC 6313.

use serde_json::{Map, Value as Json, json};

use crate::cli::decode::value;
use crate::cli::text::hex;
use crate::element::ElementId;
use crate::element::lookup;
use crate::wire::Item;
use crate::wire::List;
use crate::wire::ListContent;
use crate::wire::ListKind;
use crate::wire::ListReader;
use crate::wire::Part;
use crate::wire::PartRecords;
use crate::wire::Template;

/// The lists among a record's fields, by name; `None` if it has none.
///
/// A list that cannot be read gives its error; the record is sound without it (P-304).
pub(super) fn lists(
    template: &Template,
    record: &[u8],
    reader: &mut ListReader<'_>,
) -> Option<Json> {
    let mut lists = Map::new();
    for (field, octets) in template.fields(record) {
        let kind = lookup(field.element).and_then(|element| ListKind::of(element.data_type));
        let Some(kind) = kind.filter(|_| !octets.is_empty()) else {
            continue;
        };
        let decoded = match reader.read(kind, octets) {
            Ok(list) => list_json(&list),
            Err(error) => json!({"error": error.to_string()}),
        };
        value::put(&mut lists, value::name(field.element), decoded);
    }
    (!lists.is_empty()).then_some(Json::Object(lists))
}

fn list_json(list: &List<'_>) -> Json {
    let semantic = list
        .semantic
        .name()
        .map_or_else(|| json!(list.semantic.0), |name| json!(name));
    match &list.content {
        ListContent::Elements(field, items) => {
            let values: Vec<Json> = items.iter().map(item_json).collect();
            json!({"semantic": semantic, "element": value::name(field.element), "values": values})
        }
        ListContent::Parts(parts) => {
            let parts: Vec<Json> = parts.iter().map(part_json).collect();
            json!({"semantic": semantic, "parts": parts})
        }
    }
}

fn part_json(part: &Part<'_>) -> Json {
    match &part.records {
        PartRecords::Unknown(octets) => json!({"template": part.template, "octets": hex(octets)}),
        PartRecords::Known(records) => {
            let records: Vec<Json> = records.iter().map(|fields| record_json(fields)).collect();
            json!({"template": part.template, "records": records})
        }
    }
}

fn record_json(fields: &[(ElementId, Item<'_>)]) -> Json {
    let mut record = Map::new();
    for (element, item) in fields {
        value::put(&mut record, value::name(*element), item_json(item));
    }
    Json::Object(record)
}

fn item_json(item: &Item<'_>) -> Json {
    match item {
        Item::Value(plain) => value::json_or_hex(plain),
        Item::List(list) => list_json(list),
    }
}
