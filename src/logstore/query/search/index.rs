//! Which fields of a logstore can be asked for, and as what.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use super::ast::TAG;
use super::tokens::Words;
use crate::flow::COLUMNS;
use crate::flow::Kind;
use crate::logstore::numbering::FLOW_ID;
use crate::logstore::schema::SOURCE;
use crate::logstore::schema::TOPIC;

/// The index of a logstore, as SLS's CreateIndex brings it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IndexConfig {
    /// How whole logs fall into words; none if only fields can be asked for.
    pub line: Option<Words>,
    /// Fields by name.
    pub keys: BTreeMap<String, FieldIndex>,
}

/// How one field can be asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldIndex {
    /// What its values are.
    pub kind: FieldKind,
    /// Whether SQL sees it.
    pub is_for_sql: bool,
    /// Another name of it in SQL.
    pub alias: Option<String>,
}

/// What values of a field are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FieldKind {
    /// Text that falls into words.
    Text(Words),
    /// Whole numbers of 64 bits.
    Long,
    /// Other numbers.
    Double,
}

/// An index that is none.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum IndexError {
    /// Not JSON, or not an object.
    #[error("an index is a JSON object")]
    NotAnObject,
    /// A value is not what it must be.
    #[error("{path}: {wanted} is missing here")]
    Unfit {
        /// Where, with points between names.
        path: String,
        /// What should be there.
        wanted: &'static str,
    },
    /// More fields than there may be.
    #[error("{0} fields, at most {KEYS_MAX}")]
    TooMany(usize),
}

impl IndexConfig {
    /// What a logstore of flows is asked for when nobody said otherwise: each
    /// column and `flow-id` as what it is, texts as wholes, and whole logs by
    /// usual words.
    pub fn of_flows() -> Self {
        let kind = |kind: Kind| match kind {
            Kind::Text => Some(FieldKind::Text(Words::whole())),
            Kind::Time | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Some(FieldKind::Long),
            Kind::Factor => Some(FieldKind::Double),
            Kind::Map => None,
        };
        let field = |(name, kind): (&str, FieldKind)| (name.to_owned(), FieldIndex::new(kind));
        let columns = COLUMNS.iter();
        let columns = columns.filter_map(|column| Some((column.name, kind(column.kind)?)));
        let id = (FLOW_ID, FieldKind::Text(Words::whole()));
        Self {
            line: Some(Words::usual()),
            keys: columns.chain([id]).map(field).collect(),
        }
    }

    /// Reads the body of CreateIndex or UpdateIndex; keys it does not know are
    /// left alone.
    ///
    /// # Errors
    /// Names what is not as SLS has it.
    pub fn from_json(text: &[u8]) -> Result<Self, IndexError> {
        let index: Value = serde_json::from_slice(text).map_err(|_| IndexError::NotAnObject)?;
        let index = index.as_object().ok_or(IndexError::NotAnObject)?;
        let line = index.get("line").filter(|line| !line.is_null());
        let line = line.map(|line| words("line", line)).transpose()?;
        let none = Map::new();
        let keys = match index.get("keys") {
            None | Some(Value::Null) => &none,
            Some(keys) => keys.as_object().ok_or_else(|| unfit("keys", "an object"))?,
        };
        if keys.len() > KEYS_MAX {
            return Err(IndexError::TooMany(keys.len()));
        }
        let field = |(name, value): (&String, &Value)| {
            let field = FieldIndex::from_json(&format!("keys.{name}"), value)?;
            Ok((name.clone(), field))
        };
        let keys = keys.iter().map(field).collect::<Result<_, _>>()?;
        Ok(Self { line, keys })
    }

    /// The index as the body of CreateIndex.
    pub fn to_json(&self) -> Value {
        let keys = self.keys.iter();
        let keys: Map<_, _> = keys
            .map(|(name, field)| (name.clone(), field.to_json()))
            .collect();
        let mut index = Map::new();
        if let Some(line) = &self.line {
            index.insert("line".to_owned(), words_to_json(line));
        }
        index.insert("keys".to_owned(), Value::Object(keys));
        Value::Object(index)
    }

    /// How a field is searched; topic, source and tags always can be.
    pub(super) fn kind(&self, field: &str) -> Option<FieldKind> {
        if let Some(index) = self.keys.get(field) {
            return Some(index.kind.clone());
        }
        let is_reserved = [TOPIC, SOURCE].contains(&field) || field.starts_with(TAG);
        is_reserved.then(|| FieldKind::Text(Words::usual()))
    }
}

impl FieldIndex {
    /// A field that SQL sees too.
    pub fn new(kind: FieldKind) -> Self {
        Self {
            kind,
            is_for_sql: true,
            alias: None,
        }
    }

    fn to_json(&self) -> Value {
        let (kind, mut field) = match &self.kind {
            FieldKind::Text(words) => ("text", words_to_json(words)),
            FieldKind::Long => ("long", Value::Object(Map::new())),
            FieldKind::Double => ("double", Value::Object(Map::new())),
        };
        if let Some(members) = field.as_object_mut() {
            let alias = self.alias.clone().unwrap_or_default();
            members.insert("type".to_owned(), kind.into());
            members.insert("doc_value".to_owned(), self.is_for_sql.into());
            members.insert("alias".to_owned(), alias.into());
        }
        field
    }

    fn from_json(path: &str, value: &Value) -> Result<Self, IndexError> {
        let kind = match value.get("type").and_then(Value::as_str) {
            Some("text" | "json") => FieldKind::Text(words(path, value)?),
            Some("long") => FieldKind::Long,
            Some("double") => FieldKind::Double,
            Some(_) | None => {
                let path = format!("{path}.type");
                return Err(unfit(&path, "text, long, double or json"));
            }
        };
        let alias = value.get("alias").and_then(Value::as_str);
        let alias = alias.filter(|alias| !alias.is_empty());
        Ok(Self {
            kind,
            is_for_sql: flag(value, "doc_value"),
            alias: alias.map(str::to_owned),
        })
    }
}

fn words_to_json(words: &Words) -> Value {
    let token = words.delimiters.iter().map(char::to_string);
    json!({
        "token": token.collect::<Vec<_>>(),
        "caseSensitive": words.is_case_sensitive,
        "chn": words.is_chinese,
    })
}

fn words(path: &str, value: &Value) -> Result<Words, IndexError> {
    let wanted = || unfit(&format!("{path}.token"), "a list of single characters");
    let delimiters = match value.get("token") {
        None | Some(Value::Null) => Vec::new(),
        Some(token) => {
            let signs = token.as_array().ok_or_else(wanted)?;
            let sign = |sign: &Value| {
                let mut characters = sign.as_str()?.chars();
                let only = characters.next()?;
                characters.next().is_none().then_some(only)
            };
            signs
                .iter()
                .map(sign)
                .collect::<Option<_>>()
                .ok_or_else(wanted)?
        }
    };
    Ok(Words {
        delimiters,
        is_case_sensitive: flag(value, "caseSensitive"),
        is_chinese: flag(value, "chn"),
    })
}

fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn unfit(path: &str, wanted: &'static str) -> IndexError {
    IndexError::Unfit {
        path: path.to_owned(),
        wanted,
    }
}

/// More fields than flows have elements.
const KEYS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_written_as_it_is_read() {
        let mut index = IndexConfig::of_flows();
        let field = index.keys.get_mut("srcaddr").unwrap();
        field.alias = Some("src".to_owned());
        field.is_for_sql = false;
        for line in [Some(Words::usual()), None] {
            index.line = line;
            let text = index.to_json().to_string();
            assert_eq!(IndexConfig::from_json(text.as_bytes()), Ok(index.clone()));
        }
    }

    #[test]
    fn an_index_is_read_as_sls_has_it() {
        let text = br#"{"line":{"token":[","," "],"caseSensitive":true,"chn":false},
            "keys":{"srcaddr":{"type":"text","token":[],"caseSensitive":false,"doc_value":true,"alias":"src"},
            "bytes":{"type":"long","doc_value":true},"x":{"type":"double"},
            "j":{"type":"json","token":["."],"index_all":true,"max_depth":-1,"json_keys":{}}},
            "ttl":30,"max_text_len":2048,"log_reduce":false}"#;
        let index = IndexConfig::from_json(text).unwrap();
        let line = index.line.unwrap();
        assert_eq!(
            (line.delimiters, line.is_case_sensitive),
            (vec![',', ' '], true)
        );
        let srcaddr = FieldIndex {
            kind: FieldKind::Text(Words::whole()),
            is_for_sql: true,
            alias: Some("src".to_owned()),
        };
        assert_eq!(index.keys.get("srcaddr"), Some(&srcaddr));
        assert_eq!(
            index.keys.get("bytes"),
            Some(&FieldIndex::new(FieldKind::Long))
        );
        assert!(!index.keys.get("x").unwrap().is_for_sql);
        assert_eq!(index.keys.len(), 4);
        assert_eq!(IndexConfig::from_json(b"{}"), Ok(IndexConfig::default()));
    }

    #[test]
    fn what_is_no_index_is_refused_where_it_is_not() {
        for (text, expected) in [
            ("[]", "an index is a JSON object"),
            ("{", "an index is a JSON object"),
            (r#"{"keys":[]}"#, "keys: an object is missing here"),
            (
                r#"{"keys":{"a":{"type":"int"}}}"#,
                "keys.a.type: text, long, double or json is missing here",
            ),
            (
                r#"{"line":{"token":["ab"]}}"#,
                "line.token: a list of single characters is missing here",
            ),
        ] {
            let error = IndexConfig::from_json(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
