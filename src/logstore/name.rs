//! Names of projects and logstores, checked once so that they are safe as
//! directory names ever after.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Where rows go: a logstore in a project.
///
/// Ordered by project, then logstore. SLS naming rules: a project is 3–63 of
/// `a-z 0-9 -`, a logstore 2–63 of `a-z 0-9 _ -`; both start and end with a
/// letter or digit.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LogstoreName {
    project: Arc<str>,
    logstore: Arc<str>,
}

impl LogstoreName {
    /// The checked pair.
    ///
    /// # Errors
    /// The first of the two that breaks a rule.
    pub fn new(project: &str, logstore: &str) -> Result<Self, NameError> {
        Self::check_project(project)?;
        check("logstore", logstore, 2, true)?;
        Ok(Self {
            project: Arc::from(project),
            logstore: Arc::from(logstore),
        })
    }

    /// Whether a project may have this name.
    pub(super) fn check_project(name: &str) -> Result<(), NameError> {
        check("project", name, 3, false)
    }

    /// The project's name.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The logstore's name.
    pub fn logstore(&self) -> &str {
        &self.logstore
    }
}

impl fmt::Display for LogstoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.logstore)
    }
}

/// A name that SLS would not take either.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{kind} name {name:?} {problem}")]
pub struct NameError {
    kind: &'static str,
    name: String,
    problem: &'static str,
}

fn check(kind: &'static str, name: &str, min: usize, underscore: bool) -> Result<(), NameError> {
    let problem = if name.len() < min || name.len() > LENGTH_MAX {
        match min {
            2 => "must be 2 to 63 characters long",
            _ => "must be 3 to 63 characters long",
        }
    } else if !name.bytes().all(|byte| allowed(byte, underscore)) {
        match underscore {
            true => "may hold only a-z, 0-9, _ and -",
            false => "may hold only a-z, 0-9 and -",
        }
    } else if !ends_well(name) {
        "must start and end with a letter or digit"
    } else {
        return Ok(());
    };
    Err(NameError {
        kind,
        name: name.chars().take(LENGTH_MAX).collect(),
        problem,
    })
}

fn allowed(byte: u8, underscore: bool) -> bool {
    byte.is_ascii_lowercase()
        || byte.is_ascii_digit()
        || byte == b'-'
        || (underscore && byte == b'_')
}

fn ends_well(name: &str) -> bool {
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    plain(name.as_bytes().first()) && plain(name.as_bytes().last())
}

const LENGTH_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_sls_takes_are_taken() {
        for (project, logstore) in [("abc", "ab"), ("sag-logs-1", "flow_log-2"), ("0a0", "00")] {
            let name = LogstoreName::new(project, logstore).unwrap();
            assert_eq!(name.to_string(), format!("{project}/{logstore}"));
        }
    }

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        for name in [
            "..",
            "../x",
            "a/b",
            "/etc",
            "a\0b",
            ".hidden",
            "abc.parquet",
        ] {
            assert!(LogstoreName::new(name, "flows").is_err(), "{name:?}");
            assert!(LogstoreName::new("abc", name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_refusal_says_which_rule() {
        let refusal = |project, logstore| {
            LogstoreName::new(project, logstore)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refusal("ab", "flows"),
            "project name \"ab\" must be 3 to 63 characters long"
        );
        assert_eq!(
            refusal("abc", "a"),
            "logstore name \"a\" must be 2 to 63 characters long"
        );
        assert_eq!(
            refusal("a_c", "flows"),
            "project name \"a_c\" may hold only a-z, 0-9 and -"
        );
        assert_eq!(
            refusal("abc", "Flows"),
            "logstore name \"Flows\" may hold only a-z, 0-9, _ and -"
        );
        assert_eq!(
            refusal("abc-", "flows"),
            "project name \"abc-\" must start and end with a letter or digit"
        );
        assert!(LogstoreName::new(&"a".repeat(63), &"b".repeat(63)).is_ok());
        assert!(LogstoreName::new(&"a".repeat(64), "flows").is_err());
    }
}
