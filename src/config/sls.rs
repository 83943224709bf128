//! `[sls]`: where rows of flow logs go whose output is SLS.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::table::Table;
use super::value::Value;

/// How rows reach the log service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sls {
    /// The service of regions that are not in `regions`.
    pub service: Service,
    /// Region of flow logs that name none.
    pub region: Option<String>,
    /// Services of single regions.
    pub regions: BTreeMap<String, Service>,
    /// File of the access key; `None` looks in all the places the vendor's
    /// tools look in.
    pub key_file: Option<PathBuf>,
    /// Files of access keys by account, the `ali-uid` of devices.
    pub accounts: BTreeMap<String, PathBuf>,
    /// Whether projects, logstores and indexes that are missing are created.
    pub create: bool,
    /// What tells which shard of a logstore a row goes to.
    pub shard_hash: ShardHash,
    /// How requests are compressed.
    pub compression: Compression,
    /// Octets of a request before compression at which it is sent.
    pub batch_bytes: usize,
    /// Rows of a request at which it is sent.
    pub batch_rows: usize,
    /// How long the first row of a request waits for others.
    pub linger: Duration,
    /// Requests in flight to one logstore.
    pub concurrent_max: u32,
    /// Memory of all requests together, octets.
    pub memory_bytes: usize,
    /// In which order a backlog is sent.
    pub order: DrainOrder,
    /// How old rows may be that count as fresh.
    pub fresh: Duration,
    /// Octets a second, before compression, at which a backlog is sent beside
    /// fresh rows.
    pub drain_bytes_per_s: u64,
    /// Time a request may take.
    pub timeout: Duration,
    /// Octets of the file of what the service never took.
    pub dead_letter_bytes: u64,
    /// HTTP proxy; those of the environment are not used.
    pub proxy: Option<String>,
    /// Certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Who takes the rows of a region.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Service {
    /// The embedded log store.
    #[default]
    Embedded,
    /// The log service at an endpoint; `{region}` stands for the region.
    Cloud(String),
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4, the cheapest.
    #[default]
    Lz4,
    /// Zstandard, half as large.
    Zstd,
}

/// What tells which shard of a logstore a row goes to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ShardHash {
    /// Nothing: the service spreads requests.
    #[default]
    None,
    /// Its exporter's address.
    Exporter,
}

/// In which order a backlog is sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DrainOrder {
    /// Fresh rows as they come, the backlog beside them.
    #[default]
    NewestFirst,
    /// All rows as they came.
    OldestFirst,
}

impl Default for Sls {
    fn default() -> Self {
        Self {
            service: Service::default(),
            region: None,
            regions: BTreeMap::new(),
            key_file: None,
            accounts: BTreeMap::new(),
            create: false,
            shard_hash: ShardHash::default(),
            compression: Compression::default(),
            batch_bytes: BATCH_BYTES,
            batch_rows: BATCH_ROWS,
            linger: LINGER,
            concurrent_max: CONCURRENT_MAX,
            memory_bytes: MEMORY_BYTES,
            order: DrainOrder::default(),
            fresh: FRESH,
            drain_bytes_per_s: DRAIN_BYTES_PER_S,
            timeout: TIMEOUT,
            dead_letter_bytes: DEAD_LETTER_BYTES,
            proxy: None,
            ca_file: None,
        }
    }
}

impl Sls {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        let region = table.text("default-region");
        let of_region = region.as_deref().unwrap_or(SOME_REGION);
        let endpoint = table.take("endpoint");
        Self {
            service: endpoint
                .and_then(|value| service(value, of_region))
                .unwrap_or_default(),
            regions: table.named("region", |region, value| {
                let read = |value: Value<'_, '_>| service(value, region);
                value.read(|table| table.required("endpoint", WHERE, read))?
            }),
            region,
            key_file: table.path("access-key-file"),
            accounts: table.named("account", |_, value| {
                value.read(|table| table.required("access-key-file", WHERE, Value::path))?
            }),
            create: table.boolean("create").unwrap_or(default.create),
            ..Self::requests(table, default)
        }
    }

    /// What concerns single requests.
    fn requests(table: &mut Table<'_, '_>, default: Self) -> Self {
        let compressions = [
            ("lz4", Compression::Lz4),
            ("zstd", Compression::Zstd),
            ("none", Compression::None),
        ];
        let hashes = [("none", ShardHash::None), ("exporter", ShardHash::Exporter)];
        let orders = [
            ("newest-first", DrainOrder::NewestFirst),
            ("oldest-first", DrainOrder::OldestFirst),
        ];
        Self {
            shard_hash: table
                .choice("shard-hash", &hashes)
                .unwrap_or(default.shard_hash),
            compression: table
                .choice("compression", &compressions)
                .unwrap_or(default.compression),
            batch_bytes: table
                .integer("batch-bytes", 1 << 10..=8 << 20)
                .unwrap_or(default.batch_bytes),
            batch_rows: table
                .integer("batch-rows", 1..=40_960)
                .unwrap_or(default.batch_rows),
            linger: table
                .integer("linger-ms", 10..=60_000)
                .map_or(default.linger, Duration::from_millis),
            concurrent_max: table
                .integer("max-concurrent", 1..=1024)
                .unwrap_or(default.concurrent_max),
            memory_bytes: table
                .integer("memory-bytes", 32 << 20..=64 << 30)
                .unwrap_or(default.memory_bytes),
            order: table.choice("backlog", &orders).unwrap_or(default.order),
            fresh: table.seconds("fresh-s", 5..=3600).unwrap_or(default.fresh),
            drain_bytes_per_s: table
                .integer("backlog-bytes-per-s", 64 << 10..=10 << 30)
                .unwrap_or(default.drain_bytes_per_s),
            timeout: table
                .seconds("timeout-s", 5..=600)
                .unwrap_or(default.timeout),
            dead_letter_bytes: table
                .integer("dead-letter-bytes", 32 << 20..=64 << 30)
                .unwrap_or(default.dead_letter_bytes),
            proxy: table.text("proxy"),
            ca_file: table.path("ca-file"),
            ..default
        }
    }

    /// Who takes the rows of a flow log of this region.
    pub fn service(&self, region: Option<&str>) -> &Service {
        let region = region.or(self.region.as_deref());
        region
            .and_then(|region| self.regions.get(region))
            .unwrap_or(&self.service)
    }
}

fn service(value: Value<'_, '_>, region: &str) -> Option<Service> {
    match value.as_text() {
        Some("embedded") => Some(Service::Embedded),
        Some(template) => {
            let template = template.to_owned();
            match unreachable(&template, region) {
                None => Some(Service::Cloud(template)),
                Some(why) => {
                    value.refuse(why, "write \"embedded\", or [http[s]://]host[:port]");
                    None
                }
            }
        }
        None => value.text().map(Service::Cloud),
    }
}

/// Why there can be no service at such an endpoint.
#[cfg(feature = "journal")]
fn unreachable(template: &str, region: &str) -> Option<String> {
    let region = template.contains('{').then_some(region);
    let endpoint = crate::sink::Endpoint::new(template, region);
    endpoint.err().map(|error| error.to_string())
}

#[cfg(not(feature = "journal"))]
fn unreachable(_template: &str, _region: &str) -> Option<String> {
    Some("delivery to the log service is not built into this flowlogd".to_owned())
}

const WHERE: &str = "an empty table says nothing";
/// Any region, to see whether a template can be filled in.
const SOME_REGION: &str = "cn-hangzhou";
/// As the official producers: sls.md §3.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_ROWS: usize = 4096;
const LINGER: Duration = Duration::from_secs(2);
/// More than any logstore of few shards takes.
const CONCURRENT_MAX: u32 = 64;
/// Some forty requests with what they were made of.
const MEMORY_BYTES: usize = 128 << 20;
/// A few batches and their retries.
const FRESH: Duration = Duration::from_secs(30);
/// An hour of 10 000 flows a second is drained within twelve minutes.
const DRAIN_BYTES_PER_S: u64 = 20 << 20;
/// 8 MiB pass a line of 2 Mbit/s.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Some ten thousand refused requests.
const DEAD_LETTER_BYTES: u64 = 256 << 20;
