//! `flowlogd journal`

mod inspect;
mod letters;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::cli::Failure;
use crate::cli::run::load;
use crate::daemon::journal_directory;
use crate::daemon::state_directory;
use crate::journal;
use crate::journal::Disk;
use crate::journal::FrameReport;
use crate::journal::Inspection;

/// Look into the journal, also while a flowlogd runs; nothing is changed
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Args),
    Verify(verify::Args),
    DeadLetters(letters::Args),
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Inspect(args) => inspect::run(args),
        Command::Verify(args) => verify::run(args),
        Command::DeadLetters(args) => letters::run(args),
    }
}

/// How a journal's content is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Layout {
    /// Aligned columns for reading
    Table,
    /// JSON
    Json,
}

/// Which journal.
#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The journal's directory, or the daemon's state directory
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    dir: Option<PathBuf>,
    /// Configuration file of the daemon; built-in defaults without one
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl PlaceArgs {
    /// The journal's directory, which exists.
    fn find(&self) -> Result<PathBuf, Failure> {
        let place = match &self.dir {
            Some(dir) => journal_in(dir),
            None => journal_directory(&state_directory(&load(self.config.as_ref())?)),
        };
        match place.read_dir() {
            Ok(_) => Ok(place),
            Err(error) => Err(unreadable(&place, &error)),
        }
    }
}

/// The journal that `dir` is or holds.
fn journal_in(dir: &Path) -> PathBuf {
    let below = journal_directory(dir);
    match below.is_dir() {
        true => below,
        false => dir.to_owned(),
    }
}

fn unreadable(place: &Path, error: &io::Error) -> Failure {
    let (name, kind) = (place.display(), error.kind());
    if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&kind) {
        return Failure::usage(format!(
            "{name}: no such directory: --dir names the daemon's `state.dir`"
        ));
    }
    let advice = match kind == io::ErrorKind::PermissionDenied {
        true => ": run this as the user flowlogd runs as",
        false => "",
    };
    Failure::failed(format!("{name}: {error}{advice}"))
}

/// Looks at the journal in a directory.
fn look(place: &Path, each: impl FnMut(&FrameReport<'_>)) -> Result<Inspection, Failure> {
    let seen = journal::inspect(&Disk::new(place), each);
    let seen = seen.map_err(|error| unreadable(place, &error))?;
    if seen.is_empty() {
        let name = place.display();
        return Err(Failure::usage(format!(
            "{name}: not a journal: --dir names the daemon's `state.dir`"
        )));
    }
    Ok(seen)
}

/// RFC 3339, or nothing for a time that no clock shows.
fn time(ms: u64) -> Option<String> {
    let at = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(format!("{at:.3}"))
}

#[cfg(test)]
mod testing {
    //! A journal of three frames.

    use std::path::Path;

    use bytes::Bytes;

    use crate::flow::Amount;
    use crate::journal::DestinationId;
    use crate::journal::Disk;
    use crate::journal::Journal;
    use crate::journal::Kind;
    use crate::journal::Settings;
    use crate::journal::Share;

    pub(super) fn share(destination: DestinationId, records: u32) -> Share {
        let all = u64::from(records);
        Share {
            destination,
            rows: 0..records,
            amount: Amount {
                records: all,
                octets: all * 100,
                packets: all,
            },
        }
    }

    /// Two destinations, the first of which has its first frame.
    pub(super) fn write(dir: &Path) {
        let (journal, _) = Journal::open(Settings::default(), Disk::new(dir)).unwrap();
        let here = journal.destination("embedded/proj/flows").unwrap();
        let cloud = journal.destination("sls/-/-/proj/flows").unwrap();
        for (rows, at_ms) in [(2, 1_795_262_400_000), (3, 1_795_262_400_250), (4, 0)] {
            let shares = [share(here, rows), share(cloud, rows)];
            let kind = if at_ms > 0 {
                Kind::Flows
            } else {
                Kind::LogGroup
            };
            let body = Bytes::from_static(b"body");
            journal.append(kind, &shares, body, at_ms).unwrap();
        }
        journal.commit().unwrap();
        assert!(journal.next(here, 0).unwrap().is_some());
        journal.ack(here, 1..3);
        let mut snapshot = journal.begin_snapshot().unwrap();
        snapshot.write(b"flows").unwrap();
        journal.save_snapshot(&snapshot).unwrap();
        journal.persist_progress().unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn at(dir: &Path) -> PlaceArgs {
        PlaceArgs {
            dir: Some(dir.to_owned()),
            config: None,
        }
    }

    #[test]
    fn a_journal_is_found_by_its_own_directory_and_by_the_daemons() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path().join("journal");
        testing::write(&dir);
        for place in [state.path(), &dir] {
            assert_eq!(at(place).find().unwrap(), dir);
        }
        let config = state.path().join("flowlogd.toml");
        std::fs::write(&config, format!("[state]\ndir = {:?}\n", state.path())).unwrap();
        let by_config = PlaceArgs {
            dir: None,
            config: Some(config),
        };
        assert_eq!(by_config.find().unwrap(), dir);
    }

    #[test]
    fn what_is_no_journal_is_refused_with_what_to_name_instead() {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().display();
        let refused = at(&dir.path().join("none")).find().unwrap_err();
        let message =
            format!("{name}/none: no such directory: --dir names the daemon's `state.dir`");
        assert_eq!((refused.exit(), refused.message()), (Exit::Usage, message));
        let refused = look(dir.path(), |_| ()).unwrap_err();
        let message = format!("{name}: not a journal: --dir names the daemon's `state.dir`");
        assert_eq!((refused.exit(), refused.message()), (Exit::Usage, message));
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_time_no_clock_shows_is_none() {
        let shown = time(1_795_262_400_250);
        assert_eq!(shown.as_deref(), Some("2026-11-21T12:00:00.250Z"));
        assert_eq!(time(u64::MAX), None);
    }
}
