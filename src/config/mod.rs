//! The configuration: a TOML file, read to the end, checked as a whole.
//!
//! [`Config::load`] answers with a [`Config`] whose every value is in range and
//! contradicts no other, or with all [`Problems`] of the file. Without a file
//! [`Config::default`] stands. Nothing here is secret: keys stand in files of
//! their own.

mod access;
mod cache;
mod cloud;
mod control;
mod export;
mod exporters;
mod flow_log;
mod http;
mod journal;
mod listen;
mod log;
mod logstore;
mod netflow;
mod problem;
mod relay;
mod report;
mod signed;
mod sls;
mod state;
mod table;
mod value;

use std::fs;
use std::path::Path;

use toml::de::DeTable;

pub use access::{AccessKey, Permission};
pub use cache::Cache;
pub use control::{Control, Credential, Product};
pub use export::exported;
pub use exporters::{Exporters, Sampling, SamplingUse, TemplateScope};
pub use http::{Certificate, Http};
pub use journal::{Journal, WhenFull};
pub use listen::{Listen, Steering};
pub use log::{Format, Level, Log};
pub use logstore::{Keep, LogStore, PartCompression, Query};
pub use netflow::Netflow;
pub use problem::Problems;
pub use signed::Signed;
pub use sls::{Compression, DrainOrder, Service, ShardHash, Sls};
pub use state::State;

use crate::flowlog::Definition;
use crate::flowlog::RoutingTable;
use crate::listen::RelayRule;

use report::Report;
use table::Table;

/// All that an operator decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Where datagrams come in.
    pub listen: Listen,
    /// What is believed of exporters.
    pub exporters: Exporters,
    /// How many flows are merged at once.
    pub cache: Cache,
    /// Flow logs, devices, and who is heard; it compiles without problems.
    pub definition: Definition,
    /// Which datagrams are copied to other collectors.
    pub relays: Vec<RelayRule>,
    /// Bounds of re-export to other collectors.
    pub netflow: Netflow,
    /// The log service.
    pub sls: Sls,
    /// What keeps rows until they are delivered.
    pub journal: Journal,
    /// The embedded log store.
    pub logstore: LogStore,
    /// Who may use the embedded log store's SLS API; everybody if empty.
    pub access_keys: Vec<AccessKey>,
    /// The clouds' flow-log APIs.
    pub control: Control,
    /// Metrics, health and the admin API.
    pub http: Http,
    /// What the daemon says about itself.
    pub log: Log,
    /// Where state is kept.
    pub state: State,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The file cannot be read, or all that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let unreadable = |why: String, advice| {
            let what = format!("cannot read {name}: {why}");
            Problems::of_file(&name, what, advice)
        };
        let octets = fs::read(path).map_err(|error| unreadable(error.to_string(), ""))?;
        let text = String::from_utf8(octets)
            .map_err(|error| unreadable(error.utf8_error().to_string(), "TOML is UTF-8"))?;
        Self::parse(&text, &name)
    }

    /// Checks a text; `name` is what its problems call it.
    ///
    /// # Errors
    /// All that is wrong with it; of a text that is no TOML, only why not.
    pub fn parse(text: &str, name: &str) -> Result<Self, Problems> {
        let report = Report::default();
        let (document, errors) = DeTable::parse_recoverable(text);
        // What is left of a broken line would be reported as missing.
        if !errors.is_empty() {
            return Err(Problems::of_syntax(name, text, &errors));
        }
        let config = Table::document(&report, document.into_inner(), Self::read);
        if let Err(problems) = RoutingTable::compile(&config.definition, None) {
            problems.into_iter().for_each(|problem| report.add(problem));
        }
        if report.is_clean() {
            Ok(config)
        } else {
            Err(Problems::locate(name, text, report.into_found()))
        }
    }

    fn read(table: &mut Table<'_, '_>) -> Self {
        let (mut allow, mut mediators) = (Vec::new(), Vec::new());
        let exporters = table.section("exporters", |table| {
            allow = table
                .list("allow", |value| value.parsed(""))
                .unwrap_or_default();
            mediators = table
                .list("mediators", |value| value.parsed(""))
                .unwrap_or_default();
            Exporters::read(table)
        });
        let control = Control {
            credentials: control::credentials(table),
            ..table.section("control", Control::read)
        };
        let definition = Definition {
            allow,
            mediators,
            cls_project: control.cls_project.clone(),
            ..flow_log::read(table)
        };
        let logstore = table.section("logstore", LogStore::read);
        let query_timeout = logstore.query.timeout;
        let listen = table.section("listen", Listen::read);
        let access_keys = access::read(table);
        let has_credentials = !control.is_open && !control.credentials.is_empty();
        let can_sign = has_credentials || !access_keys.is_empty();
        Self {
            exporters,
            cache: table.section("cache", Cache::read),
            definition,
            relays: relay::read(table, &listen.addresses),
            listen,
            netflow: table.section("netflow", Netflow::read),
            sls: table.section("sls", Sls::read),
            journal: table.section("journal", Journal::read),
            logstore,
            access_keys,
            control,
            http: table.section("http", |table| Http::read(table, query_timeout, can_sign)),
            log: table.section("log", Log::read),
            state: table.section("state", State::read),
        }
    }
}

/// What an empty file means.
impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen::default(),
            exporters: Exporters::default(),
            cache: Cache::default(),
            definition: flow_log::default(),
            relays: Vec::new(),
            netflow: Netflow::default(),
            sls: Sls::default(),
            journal: Journal::default(),
            logstore: LogStore::default(),
            access_keys: Vec::new(),
            control: Control::default(),
            http: Http::default(),
            log: Log::default(),
            state: State::default(),
        }
    }
}

#[cfg(test)]
mod tests;
