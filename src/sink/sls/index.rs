//! The index that makes the fields of logs queryable.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::FieldChoice;
use crate::flow::Kind;

/// The index of a Logstore of these fields: the body of `POST …/index`.
///
/// Text has an empty list of tokens, so that a value is one word: addresses,
/// MACs and ids stay whole (the service's default splits IPv6 at `:`). All
/// fields can be used in SQL; fields made of `rest` are found as full text.
pub fn index(fields: &FieldChoice) -> Value {
    let keys: Map<String, Value> = fields
        .names()
        .map(|(name, kind)| (name.to_owned(), key(kind)))
        .collect();
    json!({
        "line": { "token": TOKENS, "caseSensitive": false, "chn": false },
        "keys": keys,
        "max_text_len": TEXT_BYTES_MAX,
        "log_reduce": false,
    })
}

fn key(kind: Kind) -> Value {
    match kind {
        Kind::Time | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => {
            json!({ "type": "long", "doc_value": true, "alias": "" })
        }
        Kind::Factor => json!({ "type": "double", "doc_value": true, "alias": "" }),
        Kind::Text | Kind::Map => json!({
            "type": "text",
            "token": [],
            "caseSensitive": false,
            "chn": false,
            "doc_value": true,
            "alias": "",
        }),
    }
}

/// Where full text is split: the service's default.
const TOKENS: [&str; 22] = [
    ",", " ", "'", "\"", ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/", ":",
    "\n", "\t", "\r",
];
/// How much of a text SQL sees: the service's default.
const TEXT_BYTES_MAX: u32 = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowlog::Naming;

    #[test]
    fn fields_are_indexed_by_what_they_are() {
        let choice = FieldChoice::new(Naming::Vpc, ["sampling", "srcmac"]).unwrap();
        let index = index(&choice);
        let kind = |name: &str| index["keys"][name]["type"].as_str().unwrap_or("none");
        for (name, expected) in [
            ("srcaddr", "text"),
            ("bytes", "long"),
            ("start", "long"),
            ("sampling", "double"),
            ("srcmac", "text"),
            ("direction", "text"),
            ("action", "text"),
            ("flow-id", "text"),
            ("rest", "none"),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
        let keys = index["keys"].as_object().unwrap();
        assert!(keys.values().all(|key| key["doc_value"] == true));
    }

    #[test]
    fn an_address_is_one_word() {
        let index = index(&FieldChoice::default());
        assert_eq!(index["keys"]["srcaddr"]["token"], json!([]));
        assert_eq!(index["line"]["token"].as_array().map(Vec::len), Some(22));
    }
}
