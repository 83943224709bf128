//! Tags of a flow log: what the vendor's tag service takes.

use super::BadTags;
use super::Refused;

/// A key and its value.
pub type Tag = (String, String);

/// Tags as they came, if each is one and no key comes twice.
///
/// # Errors
/// The first that is wrong.
pub(super) fn tags(given: &[(&str, &str)]) -> Result<Vec<Tag>, Refused> {
    if given.len() > TAGS_MAX {
        return Err(Refused::Tags(BadTags::KeyPerResourceExceeded));
    }
    let mut tags: Vec<Tag> = Vec::with_capacity(given.len());
    for (key, value) in given {
        check(key, value).map_err(Refused::Tags)?;
        if tags.iter().any(|(taken, _)| taken == key) {
            return Err(Refused::Tags(BadTags::DuplicateKey));
        }
        tags.push(((*key).to_owned(), (*value).to_owned()));
    }
    Ok(tags)
}

fn check(key: &str, value: &str) -> Result<(), BadTags> {
    if !(1..=KEY_MAX).contains(&key.chars().count()) {
        return Err(BadTags::InvalidKeyLen);
    }
    if !key.chars().all(is_tag_character) {
        return Err(BadTags::InvalidKey);
    }
    if RESERVED.iter().any(|reserved| key.starts_with(reserved)) {
        return Err(BadTags::SystemReservedKey);
    }
    let is_value = value.chars().count() <= VALUE_MAX && value.chars().all(is_tag_character);
    is_value.then_some(()).ok_or(BadTags::InvalidVal)
}

fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || " +-=._:/@".contains(c)
}

/// Keys that begin so are the vendor's own.
const RESERVED: [&str; 4] = ["project", "qcloud", "qcs:", "tencent"];

const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 127;
const VALUE_MAX: usize = 255;
