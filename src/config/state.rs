//! `[state]`: where the daemon keeps what must outlast it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::table::Table;

/// Where state is kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct State {
    /// The configured directory; see [`State::directory`].
    pub dir: Option<PathBuf>,
}

impl State {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            dir: table.path("dir"),
        }
    }

    /// The directory to use: the configured one, else what systemd made
    /// (`STATE_DIRECTORY`), else for users other than root their own
    /// (`XDG_STATE_HOME`, `~/.local/state`), else `/var/lib/flowlogd`.
    ///
    /// `variable` looks up the environment.
    pub fn directory(&self, is_root: bool, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
        // The XDG specification and systemd both make absolute paths only.
        let absolute = |name: &str| {
            let path = variable(name).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        let own = || {
            let xdg = absolute("XDG_STATE_HOME");
            let state = xdg.or_else(|| Some(absolute("HOME")?.join(".local/state")));
            state
                .filter(|_| !is_root)
                .map(|state| state.join("flowlogd"))
        };
        let configured = self.dir.clone();
        configured
            .or_else(|| absolute("STATE_DIRECTORY"))
            .or_else(own)
            .unwrap_or_else(|| PathBuf::from(SYSTEM_DIRECTORY))
    }
}

/// FHS's place for the state of a daemon.
const SYSTEM_DIRECTORY: &str = "/var/lib/flowlogd";

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(dir: Option<&str>, is_root: bool, variables: &[(&str, &str)]) -> String {
        let state = State {
            dir: dir.map(PathBuf::from),
        };
        let lookup = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        state.directory(is_root, lookup).display().to_string()
    }

    #[test]
    fn the_nearest_directory_that_is_set_is_used() {
        let systemd = ("STATE_DIRECTORY", "/var/lib/private/flowlogd");
        let (xdg, home) = (("XDG_STATE_HOME", "/x"), ("HOME", "/home/ann"));
        let all = [systemd, xdg, home];
        assert_eq!(directory(Some("/mine"), false, &all), "/mine");
        assert_eq!(directory(None, false, &all), "/var/lib/private/flowlogd");
        assert_eq!(directory(None, false, &[xdg, home]), "/x/flowlogd");
        let own = "/home/ann/.local/state/flowlogd";
        assert_eq!(directory(None, false, &[home]), own);
        assert_eq!(directory(None, true, &[xdg, home]), "/var/lib/flowlogd");
        assert_eq!(directory(None, false, &[]), "/var/lib/flowlogd");
    }

    #[test]
    fn relative_variables_are_not_believed() {
        let relative = [("STATE_DIRECTORY", "state"), ("XDG_STATE_HOME", "")];
        assert_eq!(directory(None, false, &relative), "/var/lib/flowlogd");
    }
}
