//! What is wrong with a filter, and where.

use crate::flow::filter::DEPTH_MAX;
use crate::flow::filter::LENGTH_MAX;

/// Characters of the offending word that an error repeats.
const FOUND_MAX: usize = 40;

/// A refusal: what is wrong, and the first octet of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("filter, byte {offset}: {problem}")]
pub struct FilterError {
    /// Offset in the text; its length when the text ended too early.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// Why a filter was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// More octets than [`LENGTH_MAX`].
    #[error("longer than {LENGTH_MAX} bytes")]
    TooLong,
    /// Deeper nesting than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// Something else belongs here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What could stand here.
        expected: &'static str,
        /// What stands here, shortened and quoted, or `the end`.
        found: String,
    },
    /// A number that the field cannot have.
    #[error("number above {max}")]
    OutOfRange {
        /// Largest number the field can have.
        max: u64,
    },
}

impl FilterError {
    /// The text with a caret below the fault and the problem beside it.
    pub fn caret(&self, text: &str) -> String {
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let column = text
            .char_indices()
            .take_while(|(at, _)| *at < self.offset)
            .count();
        format!("{line}\n{:column$}^ {}", "", self.problem)
    }
}

/// Repeats a word of the text for an error; control characters escaped.
pub(super) fn quote(word: &str) -> String {
    let mut short = String::new();
    for c in word.chars().take(FOUND_MAX) {
        if c.is_control() {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
    }
    if word.chars().nth(FOUND_MAX).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}
