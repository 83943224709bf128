//! What the process was started with, as a value.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::path::PathBuf;

/// Variables, home directory and the addresses of services.
///
/// Variables may hold secrets, so that only their names are shown.
#[derive(Clone)]
pub struct Environment {
    /// Environment variables.
    pub variables: BTreeMap<String, String>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Base URL of the instance metadata service.
    pub metadata: String,
    /// Base URL of the security token service; by region if none.
    pub sts: Option<String>,
}

impl Environment {
    /// What this process has, and the real services.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: env::vars_os().filter_map(text).collect(),
            home: env::home_dir(),
            metadata: METADATA.to_owned(),
            sts: None,
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The first of some variables that is set.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// Whether a variable says yes.
    pub(super) fn says(&self, name: &str) -> bool {
        let value = self.variable(name).unwrap_or_default();
        value.eq_ignore_ascii_case("true") || value == "1"
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

/// The same address in every region.
const METADATA: &str = "http://100.100.100.200";
