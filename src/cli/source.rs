//! Where stored flows are read: from a running daemon, or from its files.

use serde_json::{Map, Value};

use crate::api::QueryAnswer;
use crate::api::QueryRequest;
use crate::cli::Failure;
use crate::cli::client::DaemonArgs;

/// A running daemon or a store's files.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SourceArgs {
    #[command(flatten)]
    daemon: DaemonArgs,
    /// Read the files of a log store (its directory, or the daemon's state directory) and ask no
    /// daemon
    #[cfg(feature = "logstore")]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<std::path::PathBuf>,
}

impl SourceArgs {
    /// Asks a question about stored flows.
    pub(super) fn query(&self, request: &QueryRequest) -> Result<QueryAnswer, Failure> {
        #[cfg(feature = "logstore")]
        if let Some(dir) = &self.data_dir {
            return crate::cli::files::Files::open(dir)?.query(request);
        }
        self.daemon.query(request)
    }

    /// The files that hold the rows.
    pub(super) fn parts(&self) -> Result<Vec<Map<String, Value>>, Failure> {
        #[cfg(feature = "logstore")]
        if let Some(dir) = &self.data_dir {
            return Ok(crate::cli::files::Files::open(dir)?.parts());
        }
        self.daemon.view("/api/v1/parts")
    }
}
