//! What an operator chooses for all destinations.

use std::path::PathBuf;
use std::time::Duration;

use crate::sink::sls::Compression;
use crate::sink::sls::Limits;
use crate::sink::sls::Patience;
use crate::sink::sls::Transport;

/// How rows are sent.
#[derive(Clone, Debug)]
pub struct SenderSettings {
    /// How endpoints are reached.
    pub transport: Transport,
    /// How bodies are compressed.
    pub compression: Compression,
    /// When a request is full.
    pub limits: Limits,
    /// How long is waited before something is sent again.
    pub patience: Patience,
    /// Most requests in flight per project, and per logstore.
    pub concurrency_max: u32,
    /// Octets of rows in memory over all destinations: those collected and
    /// those in flight, with their compressed copies. Exceeded by what two
    /// frames of the journal become, at most.
    pub memory_bytes: usize,
    /// What tells which shard a row goes to.
    pub shard_hash: ShardHash,
    /// What goes first after an outage.
    pub order: Order,
    /// With [`Order::NewestFirst`], rows that are older when they are read are
    /// a backlog.
    pub fresh_within: Duration,
    /// Octets of a backlog sent per second and destination, before compression.
    pub drain_octets_per_s: u64,
    /// Whether projects, logstores and indexes that do not exist are created.
    pub create: bool,
    /// `__source__` of all logs: who sends them.
    pub source: String,
    /// `__tag__:…` of all logs, by name.
    pub tags: Vec<(String, String)>,
    /// Directory of the dead-letter file.
    pub dead_letter_directory: PathBuf,
    /// Octets of all dead letters.
    pub dead_letter_octets_max: u64,
}

impl SenderSettings {
    /// The usual ones: 64 MiB of memory, 16 requests at a time, a backlog at
    /// 4 MiB/s, nothing created.
    pub fn new(dead_letter_directory: impl Into<PathBuf>) -> Self {
        Self {
            transport: Transport::default(),
            compression: Compression::default(),
            limits: Limits::default(),
            patience: Patience::default(),
            concurrency_max: 16,
            memory_bytes: 64 << 20,
            shard_hash: ShardHash::default(),
            order: Order::default(),
            fresh_within: Duration::from_secs(30),
            drain_octets_per_s: 4 << 20,
            create: false,
            source: String::new(),
            tags: Vec::new(),
            dead_letter_directory: dead_letter_directory.into(),
            dead_letter_octets_max: 64 << 20,
        }
    }
}

/// What tells which shard of a logstore a row goes to.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum ShardHash {
    /// Nothing: the service spreads requests over its shards.
    #[default]
    None,
    /// Its exporter: the [`shard_hash`](crate::sink::sls::shard_hash) of the
    /// address. Requests of one hash are sent one after the other, so that a
    /// shard has the rows of an exporter in the order of the journal; with
    /// [`Order::NewestFirst`] except for what was left behind.
    Exporter,
}

/// What goes first when more waits than can be sent at once.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Order {
    /// Rows as they come; what was left behind is drained beside them at its
    /// own rate.
    #[default]
    NewestFirst,
    /// All in the order of the journal, as fast as the service takes it: fresh
    /// rows wait for the backlog, which is not held back for them.
    OldestFirst,
}
