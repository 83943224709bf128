//! Small documents of `key = value` lines in `[sections]`.

use std::collections::BTreeMap;

use super::Secret;

/// Sections by name; what stands before the first is section "".
pub(super) type Document = BTreeMap<String, Section>;

/// Values by key, `-` and `_` alike; each may be secret.
pub(super) type Section = BTreeMap<String, Secret>;

/// Reads a document; comments begin with `#` or `;`, quotes around a value go.
///
/// # Errors
/// The number of a line, from 1, that is none of these.
pub(super) fn parse(text: &str) -> Result<Document, usize> {
    let mut document = Document::new();
    let mut section = String::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let inner = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'));
        if let Some(name) = inner {
            section = name.trim().to_owned();
        } else {
            let (key, value) = line.split_once('=').ok_or(place + 1)?;
            let key = key.trim().to_ascii_lowercase().replace('-', "_");
            let values = document.entry(section.clone()).or_default();
            values.insert(key, Secret::new(unquoted(value.trim())));
        }
    }
    Ok(document)
}

fn unquoted(value: &str) -> &str {
    let without = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    without('"').or_else(|| without('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_keys_quotes_and_comments() {
        let text = "access-key-id = top\n# no\n; no\n\n[default]\n Type=access_key \n\
                    secret = \"a = b\"\nother='c'\nodd = \"\n";
        let document = parse(text).unwrap();
        let value = |section: &str, key: &str| document[section][key].expose();
        assert_eq!(value("", "access_key_id"), "top");
        assert_eq!(value("default", "type"), "access_key");
        assert_eq!(value("default", "secret"), "a = b");
        assert_eq!(value("default", "other"), "c");
        assert_eq!(value("default", "odd"), "\"");
    }

    #[test]
    fn a_line_that_is_nothing_is_named_by_number() {
        assert_eq!(parse("a = b\n\nsecret\n"), Err(3));
    }
}
