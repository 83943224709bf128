//! How a command ends.

use std::io::{self, Write};
use std::process::ExitCode;

/// Exit codes beside 0, after sysexits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exit {
    /// It did not work.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 64,
    /// It may work later, once what the message names is done.
    TryLater = 75,
    /// The configuration is wrong.
    #[cfg(feature = "logstore")]
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, and how it tells its caller.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// A command line that makes no sense.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something that may work later.
    pub(super) fn try_later(message: impl Into<String>) -> Self {
        Self::new(Exit::TryLater, message)
    }

    /// Something that went wrong.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failure, message)
    }

    /// A configuration that is wrong.
    #[cfg(feature = "logstore")]
    pub(super) fn config(message: impl Into<String>) -> Self {
        Self::new(Exit::Config, message)
    }

    /// The message alone.
    #[cfg(feature = "logstore")]
    pub(super) fn into_error(self) -> anyhow::Error {
        self.error
    }

    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            error: anyhow::Error::msg(message.into()),
        }
    }

    /// Prints one line (a reader that went away is no failure) and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        if self.is_closed_pipe() {
            return ExitCode::SUCCESS;
        }
        // Nothing is left to do when standard error is gone too.
        let _ = writeln!(io::stderr(), "flowlogd: {:#}", self.error);
        self.exit.into()
    }

    /// `flowlogd query … | head` ends this way.
    fn is_closed_pipe(&self) -> bool {
        let mut causes = self.error.chain();
        causes.any(|cause| {
            let error = cause.downcast_ref::<io::Error>();
            error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        })
    }

    /// The message with its causes.
    #[cfg(test)]
    pub(super) fn message(&self) -> String {
        format!("{:#}", self.error)
    }

    /// What the caller is told.
    #[cfg(test)]
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            exit: Exit::Failure,
            error,
        }
    }
}

/// Writing to standard output is the one I/O that needs no further context.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}
