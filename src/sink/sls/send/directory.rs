//! What a destination needs to be reached, looked up when rows are sent.

use std::sync::Arc;

use thiserror::Error;

use super::Destination;
use crate::sink::sls::Endpoint;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::Skew;
use crate::sink::sls::credentials::Keeper;
use crate::sink::sls::sign::Scheme;

/// Knows the way to each destination, and the fields of each flow log.
///
/// Asked often: it answers from memory.
pub trait Directory: Send + Sync {
    /// The way to a destination.
    ///
    /// # Errors
    /// When there is none, or not any more: the rows wait.
    fn route(&self, destination: &Destination) -> Result<Way, Unroutable>;

    /// The fields of a flow log's rows; of one that is gone, the last known or
    /// the usual ones.
    fn fields(&self, flow_log: &str) -> Arc<FieldChoice>;
}

/// How a destination is reached.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where the service listens.
    pub endpoint: Endpoint,
    /// Version 4 with the region if it is known, else version 1.
    pub scheme: Scheme,
    /// The keys of the destination's account.
    pub keeper: Arc<Keeper>,
    /// The endpoint's clock, shared by all who send there.
    pub skew: Arc<Skew>,
}

/// Why there is no way to a destination.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0}")]
pub struct Unroutable(pub String);
