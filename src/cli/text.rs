//! Text of exporters and users on its way to a terminal or a spreadsheet.

use std::fmt::Write;

/// Escapes what could steer a terminal: control characters and the invisible
/// ones that reorder or hide text.
pub(super) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// One cell of CSV, RFC 4180. A text that a spreadsheet would run as a formula
/// gets an apostrophe before it.
pub(super) fn csv_text(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let prefix = if formula { "'" } else { "" };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{prefix}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{prefix}{text}")
    }
}

/// Octets in hexadecimal, as `decode` writes what has no other form.
pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(4 + octets.len() * 2);
    text.push_str("hex:");
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        assert_eq!(
            printable("if\u{1b}[31mname\u{202e}ä"),
            "if\\u{1b}[31mname\\u{202e}ä"
        );
    }

    #[test]
    fn formulas_become_text_and_quotes_are_doubled() {
        assert_eq!(csv_text("=1+1"), "'=1+1");
        assert_eq!(csv_text("@x,\"y\""), "\"'@x,\"\"y\"\"\"");
        assert_eq!(csv_text("::1"), "::1");
    }

    #[test]
    fn octets_are_printed_in_pairs() {
        assert_eq!(hex(&[0x00, 0xff]), "hex:00ff");
        assert_eq!(hex(&[]), "hex:");
    }
}
