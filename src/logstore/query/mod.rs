//! The narrow door to the query engine: SQL in, rows out. Nothing outside this
//! module knows which engine it is.
//!
//! Table `flows` holds the rows of all logstores; each logstore is also there
//! as `"project"."logstore"`. What SLS's own language asks of one logstore
//! comes through [`search`].

mod answer;
mod check;
mod count;
mod deadline;
mod dialect;
mod element;
mod engine;
mod error;
mod expand;
mod flow_id;
mod network;
pub mod search;
mod table;
mod weigh;

use std::time::Duration;

pub use answer::Answer;
pub use answer::Column;
pub(super) use answer::octets_as_text;
pub(super) use engine::Engine;
pub(super) use engine::Question;
pub(super) use engine::Table;
pub use error::QueryError;
pub use error::QueryErrorKind;

/// A question.
#[derive(Clone, Debug)]
pub struct Query {
    /// One SELECT or EXPLAIN.
    pub sql: String,
    /// How much it may cost.
    pub limits: Limits,
}

impl Query {
    /// A question with default limits.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            limits: Limits::default(),
        }
    }
}

/// How much one query may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Rows of the answer; of more, the first are given and the answer says so.
    pub rows_max: usize,
    /// Time from asking to answer, waiting for a turn included.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_max: ROWS_MAX,
            time_max: TIME_MAX,
        }
    }
}

/// What all queries share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Threads of the engine.
    pub threads: usize,
    /// Queries at once; others wait.
    pub running_max: usize,
    /// Queries that may wait; others are refused.
    pub waiting_max: usize,
    /// Memory of all running queries, octets.
    pub memory_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            // Half of the machine is for taking flows in.
            threads: (cores / 2).max(1),
            running_max: RUNNING_MAX,
            waiting_max: WAITING_MAX,
            memory_max: MEMORY_MAX,
        }
    }
}

/// A screenful a thousand times over; larger answers belong in a file.
const ROWS_MAX: usize = 10_000;
/// What a person waits, and most proxies.
const TIME_MAX: Duration = Duration::from_secs(30);
/// One long question must not keep a short one waiting.
const RUNNING_MAX: usize = 2;
/// More than a dashboard asks at once.
const WAITING_MAX: usize = 32;
/// A GROUP BY over some million keys.
const MEMORY_MAX: usize = 512 << 20;
