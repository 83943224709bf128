//! What texts of the vendors' APIs may look like, where families agree.

/// The name of a region; any word may be one, since the vendor's own examples
/// misspell theirs.
pub(super) fn is_region(text: &str) -> bool {
    let is_letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_letter)
}

/// A text for people: at most so many characters, none of which controls a
/// terminal.
pub(super) fn is_text(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// The id of a resource group; the vendor's have 18 letters.
pub fn is_resource_group(text: &str) -> bool {
    let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    text.len() <= RESOURCE_GROUP_MAX && text.bytes().all(is_letter)
}

const RESOURCE_GROUP_MAX: usize = 64;
