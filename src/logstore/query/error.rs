//! Why a question has no answer.

use std::time::Duration;

use arrow_schema::ArrowError;
use datafusion::common::DataFusionError;
use thiserror::Error;

/// A question that was not answered: whose fault it is, and what to do.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{message}")]
pub struct QueryError {
    /// What kind of fault.
    pub kind: QueryErrorKind,
    /// What is wrong and what would be right, for a person.
    pub message: String,
}

/// Who must act on a [`QueryError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum QueryErrorKind {
    /// The text is not SQL, names what is not there, or calculates what
    /// cannot be.
    Syntax,
    /// SQL, but not a question: only SELECT and EXPLAIN are answered.
    Unsupported,
    /// Nested too deep or too long.
    TooComplex,
    /// Took longer than it may.
    Timeout,
    /// Needs more memory than queries have.
    Memory,
    /// Too many others are waiting already.
    Busy,
    /// Our fault, or the disk's.
    Internal,
}

impl QueryErrorKind {
    /// Stable name, for API answers and metric labels.
    pub fn label(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Unsupported => "unsupported",
            Self::TooComplex => "too_complex",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Busy => "busy",
            Self::Internal => "internal",
        }
    }
}

impl QueryError {
    pub(super) fn new(kind: QueryErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(super) fn timeout(limit: Duration) -> Self {
        let message = format!(
            "no answer within {} s: ask for a shorter time or fewer columns",
            limit.as_secs_f64()
        );
        Self::new(QueryErrorKind::Timeout, message)
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let root = error.find_root();
        let text = root.strip_backtrace();
        let text = text.trim_end_matches('.');
        let kind = kind_of(root);
        let advice = if kind == QueryErrorKind::Memory {
            "; group by fewer columns or ask for a shorter time"
        } else if text.contains("No field named") {
            "; names with capitals or hyphens need double quotes, as in \"tcp-flags\""
        } else {
            ""
        };
        Self::new(kind, format!("{text}{advice}"))
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine's enum grows with every release; the rest is internal"
)]
fn kind_of(error: &DataFusionError) -> QueryErrorKind {
    match error {
        DataFusionError::SQL(_, _)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(_, _) => QueryErrorKind::Syntax,
        // Casts and arithmetic on values of the question's own making.
        DataFusionError::ArrowError(error, _)
            if matches!(
                error.as_ref(),
                ArrowError::CastError(_)
                    | ArrowError::ParseError(_)
                    | ArrowError::DivideByZero
                    | ArrowError::ArithmeticOverflow(_)
            ) =>
        {
            QueryErrorKind::Syntax
        }
        DataFusionError::NotImplemented(_) => QueryErrorKind::Unsupported,
        DataFusionError::ResourcesExhausted(_) => QueryErrorKind::Memory,
        _ => QueryErrorKind::Internal,
    }
}
