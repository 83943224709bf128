//! XML of a tree: an element for each member, and for each entry of a list.

use serde_json::Value;

/// A whole document.
pub(super) fn document(root: &str, tree: &Value) -> String {
    let mut text = "<?xml version='1.0' encoding='UTF-8'?>".to_owned();
    push(&mut text, root, tree);
    text
}

/// Appends an element; a list is one of its name for each entry.
fn push(text: &mut String, name: &str, value: &Value) {
    if let Value::Array(entries) = value {
        for entry in entries {
            push(text, name, entry);
        }
        return;
    }
    text.push('<');
    text.push_str(name);
    text.push('>');
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                push(text, name, value);
            }
        }
        Value::String(plain) => plain.chars().for_each(|letter| escape(text, letter)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            text.push_str(&value.to_string());
        }
    }
    text.push_str("</");
    text.push_str(name);
    text.push('>');
}

/// Appends a letter. Those that XML 1.0 §2.2 has not, even escaped, are put in
/// words that a reader knows: U+FFFD.
fn escape(text: &mut String, letter: char) {
    match letter {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '\r' => text.push_str("&#13;"),
        '\u{fffe}' | '\u{ffff}' => text.push(char::REPLACEMENT_CHARACTER),
        '\0'..' ' if !"\t\n".contains(letter) => text.push(char::REPLACEMENT_CHARACTER),
        letter => text.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_repeat_their_element_and_an_empty_one_has_none() {
        let tree = json!({"Count": 2, "Sags": {"Sag": [{"Name": "a"}, {"Name": ""}]}});
        assert_eq!(
            document("R", &tree),
            "<?xml version='1.0' encoding='UTF-8'?><R><Count>2</Count>\
                <Sags><Sag><Name>a</Name></Sag><Sag><Name></Name></Sag></Sags></R>"
        );
        assert_eq!(
            document("R", &json!({"Sags": {"Sag": []}})),
            "<?xml version='1.0' encoding='UTF-8'?><R><Sags></Sags></R>"
        );
    }

    #[test]
    fn no_text_breaks_out_of_its_element() {
        let tree = json!({"T": "</T>&lt;]]>\"'\r\n\0\u{1b}\u{ffff}é"});
        assert_eq!(
            document("R", &tree),
            "<?xml version='1.0' encoding='UTF-8'?><R><T>\
                &lt;/T&gt;&amp;lt;]]&gt;\"'&#13;\n\u{fffd}\u{fffd}\u{fffd}é</T></R>"
        );
    }
}
