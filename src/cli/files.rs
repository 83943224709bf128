//! A log store's files, read without a daemon.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::api;
use crate::api::QueryAnswer;
use crate::api::QueryRequest;
use crate::cli::Failure;
use crate::cli::client;
use crate::daemon::log_store_directory;
use crate::logstore::Limits;
use crate::logstore::LogStore;
use crate::logstore::OpenError;
use crate::logstore::Query;
use crate::logstore::Settings;

/// Whoever waits can end it; nobody else is held up.
const TIME_MAX: Duration = Duration::from_hours(1);

/// The files of a log store. None of them is changed, whatever state they are in.
#[derive(Debug)]
pub(super) struct Files {
    store: LogStore,
}

impl Files {
    /// Opens the store at `dir`, or the one of the daemon whose state directory
    /// `dir` is, and says on standard error what it cannot show.
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let files = Self::find(dir)?;
        // Nothing is left to do when standard error is gone.
        let _unheard = files
            .reservations()
            .iter()
            .try_for_each(|line| writeln!(io::stderr(), "flowlogd: {line}"));
        Ok(files)
    }

    fn find(dir: &Path) -> Result<Self, Failure> {
        let settings = Settings::new(store_in(dir));
        let store = LogStore::open_read_only(settings).map_err(|error| failure(dir, &error))?;
        Ok(Self { store })
    }

    /// What is in the store and not in its answers.
    fn reservations(&self) -> Vec<String> {
        let stats = self.store.stats();
        let mut lines = Vec::new();
        if self.store.has_writer() {
            lines.push(
                "a flowlogd is writing to this store: rows it has in memory are not included; \
                 without --data-dir it answers itself"
                    .to_owned(),
            );
        }
        let (parts, logstores) = (stats.damaged_parts, stats.damaged_manifests);
        if parts + logstores > 0 {
            lines.push(format!(
                "{parts} parts and {logstores} logstores are damaged and not included: start \
                 `flowlogd run` on this store, which sets in order what can be saved"
            ));
        }
        lines
    }

    /// Answers as the daemon would.
    pub(super) fn query(&self, request: &QueryRequest) -> Result<QueryAnswer, Failure> {
        let default = Limits::default();
        let query = Query {
            sql: request.sql.clone(),
            limits: Limits {
                rows_max: request.max_rows.unwrap_or(default.rows_max),
                time_max: TIME_MAX,
            },
        };
        let answer = client::runtime()?.block_on(self.store.query(query));
        let answer = answer.map_err(|error| client::failure(error.into()))?;
        Ok(answer.into())
    }

    /// The files that hold the rows.
    pub(super) fn parts(&self) -> Vec<Map<String, Value>> {
        self.store.parts().into_iter().map(api::part).collect()
    }
}

/// The store that `dir` is or holds. A project has no files of its own, so
/// that a project of the same name is not taken for a store.
fn store_in(dir: &Path) -> PathBuf {
    let below = log_store_directory(dir);
    match LogStore::is_at(&below) {
        true => below,
        false => dir.to_owned(),
    }
}

/// Who must act, and how.
fn failure(dir: &Path, error: &OpenError) -> Failure {
    let found = match error {
        OpenError::NotAStore { .. } => "not a log store",
        OpenError::Io { source, .. } if is_missing(source) => "no such directory",
        OpenError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            return Failure::failed(format!("{error}: run this as the user flowlogd runs as"));
        }
        OpenError::Io { .. } | OpenError::Newer { .. } | OpenError::Locked { .. } => {
            return Failure::failed(error.to_string());
        }
    };
    let dir = dir.display();
    Failure::usage(format!(
        "--data-dir {dir}: {found}: name the daemon's `state.dir` or `logstore.dir`"
    ))
}

fn is_missing(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn refused(dir: &Path) -> (Exit, String) {
        let failure = Files::find(dir).unwrap_err();
        (failure.exit(), failure.message())
    }

    #[test]
    fn what_is_no_store_is_refused_with_what_to_name_instead() {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().display();
        let message = format!(
            "--data-dir {name}: not a log store: name the daemon's `state.dir` or `logstore.dir`"
        );
        assert_eq!(refused(dir.path()), (Exit::Usage, message));
        let message = format!(
            "--data-dir {name}/none: no such directory: name the daemon's `state.dir` or \
             `logstore.dir`"
        );
        assert_eq!(refused(&dir.path().join("none")), (Exit::Usage, message));
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert!(left.is_empty(), "nothing was made: {left:?}");
    }

    #[test]
    fn a_store_is_found_by_its_own_directory_and_by_the_daemons() {
        let state = tempfile::tempdir().unwrap();
        let store = log_store_directory(state.path());
        let writer = LogStore::open(Settings::new(&store)).unwrap();
        let reservation = "a flowlogd is writing to this store: rows it has in memory are not \
                           included; without --data-dir it answers itself";
        for dir in [state.path(), &store] {
            let files = Files::find(dir).unwrap();
            assert_eq!(files.reservations(), [reservation]);
        }
        drop(writer);
        for dir in [state.path(), &store] {
            let files = Files::find(dir).unwrap();
            assert_eq!(files.reservations(), [""; 0]);
            assert_eq!(files.parts(), []);
            let request = QueryRequest {
                sql: "SELECT count(*) AS rows FROM flows".to_owned(),
                max_rows: None,
            };
            let answer = files.query(&request).unwrap();
            assert_eq!(answer.rows, [[Value::from(0)]]);
            assert_eq!((answer.complete_to, answer.open_flows), (None, 0));
        }
    }

    #[test]
    fn a_wrong_question_fails_as_it_does_at_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        drop(LogStore::open(Settings::new(dir.path())).unwrap());
        let request = QueryRequest {
            sql: "DROP TABLE flows".to_owned(),
            max_rows: None,
        };
        let failure = Files::find(dir.path())
            .unwrap()
            .query(&request)
            .unwrap_err();
        let message = "only SELECT and EXPLAIN of a SELECT are answered".to_owned();
        assert_eq!(
            (failure.exit(), failure.message()),
            (Exit::Failure, message)
        );
    }
}
