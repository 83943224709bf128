//! What is wrong with a question, and where.

use thiserror::Error;

/// A question that means nothing here: the fault of who asked.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{message} (at octet {at})")]
pub struct SearchError {
    /// Where, in octets from the start of the text.
    pub at: usize,
    /// What is wrong and what would be right, for a person.
    pub message: String,
}

impl SearchError {
    /// A fault at `at`.
    pub fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}
