//! Percent-encoding, as signatures want it and as queries and forms come.

/// Parameters that are no text: half an escape, or not UTF-8.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the parameters are not well-formed")]
pub struct NotText;

/// Names and values of a query or a form, unescaped, in order.
///
/// `+` is a space. A name without `=` has an empty value; empty values and
/// duplicates are kept, as they are signed.
///
/// # Errors
/// Half an escape, or text that is not UTF-8.
pub fn parameters(text: &str) -> Result<Vec<(String, String)>, NotText> {
    let plain = |text: &str| {
        let octets = unescaped(text).ok_or(NotText)?;
        String::from_utf8(octets).map_err(|_| NotText)
    };
    pairs(text)
        .map(|(name, value)| Ok((plain(name)?, plain(value)?)))
        .collect()
}

/// Names and values of a query, still escaped, in order.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Undoes `%XX`, and `+` as forms write a space; none for half an escape.
pub(super) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut left = text.as_bytes();
    while let Some((first, rest)) = left.split_first() {
        left = rest;
        octets.push(match first {
            b'+' => b' ',
            b'%' => {
                let (&[high, low], rest) = left.split_first_chunk()?;
                left = rest;
                digit(high)? << 4 | digit(low)?
            }
            other => *other,
        });
    }
    Some(octets)
}

fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

/// Appends octets escaped after RFC 3986: all but letters, digits and `-_.~`.
pub(super) fn push(text: &mut String, octets: &[u8]) {
    push_after(text, "%", octets);
}

/// Appends octets escaped, and the escapes escaped once more.
pub(super) fn push_twice(text: &mut String, octets: &[u8]) {
    push_after(text, "%25", octets);
}

fn push_after(text: &mut String, mark: &str, octets: &[u8]) {
    for octet in octets {
        if octet.is_ascii_alphanumeric() || b"-_.~".contains(octet) {
            text.push(char::from(*octet));
        } else {
            text.push_str(mark);
            text.push(upper(octet >> 4));
            text.push(upper(octet & 0x0f));
        }
    }
}

/// A hex digit for what is less than 16.
fn upper(half: u8) -> char {
    char::from(if half < 10 {
        b'0' + half
    } else {
        b'A' + half - 10
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        let mut once = String::new();
        push(&mut once, "a-Z_0.9~ /?*+你".as_bytes());
        assert_eq!(once, "a-Z_0.9~%20%2F%3F%2A%2B%E4%BD%A0");
        let mut twice = String::new();
        push_twice(&mut twice, "a /你".as_bytes());
        assert_eq!(twice, "a%2520%252F%25E4%25BD%25A0");
    }

    #[test]
    fn parameters_keep_order_duplicates_and_empty_values() {
        let pairs = parameters("b=1&a=+%2b&&b=2&SignatureType=&flag&c=x=y").unwrap();
        let expected = [
            ("b", "1"),
            ("a", " +"),
            ("b", "2"),
            ("SignatureType", ""),
            ("flag", ""),
            ("c", "x=y"),
        ];
        assert_eq!(
            pairs,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn half_an_escape_is_no_text() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff", "%=1"] {
            assert_eq!(parameters(text), Err(NotText), "{text}");
        }
    }
}
