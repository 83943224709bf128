//! What the log store says, in the words of SLS.

use crate::api::sls::{Failure, Place};
use crate::logstore::CatalogError;
use crate::logstore::QueryError;
use crate::logstore::QueryErrorKind;
use axum::http::StatusCode;

/// What was asked of a project or logstore was not done.
pub(super) fn of_catalog(error: CatalogError, at: Place<'_>) -> Failure {
    match error {
        CatalogError::NoProject => Failure::no_project(at.project),
        CatalogError::NoLogstore => Failure::no_logstore(at.logstore),
        CatalogError::Name(error) => Failure::parameter(error.to_string()),
        CatalogError::TooMany(_) => Failure::bad("ProjectQuotaExceed", error.to_string()),
        CatalogError::ReadOnly => Failure::bad("NotSupported", error.to_string()),
        CatalogError::Store(error) => Failure::internal(error.to_string()),
    }
}

/// A question was not answered. A time-out is the question's fault too: clients
/// repeat 5xx, the CLI for ever, and it would take as long each time.
pub(super) fn of_question(error: QueryError) -> Failure {
    match error.kind {
        QueryErrorKind::Syntax
        | QueryErrorKind::Unsupported
        | QueryErrorKind::TooComplex
        | QueryErrorKind::Timeout
        | QueryErrorKind::Memory => Failure::parameter(error.message),
        QueryErrorKind::Busy => {
            Failure::new(StatusCode::FORBIDDEN, "ReadQuotaExceed", error.message)
        }
        QueryErrorKind::Internal => Failure::internal(error.message),
    }
}
