//! `[log]`: what the daemon says about itself.

use super::table::Table;

/// How much is logged, and how.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// The least that is worth a line.
    pub level: Level,
    /// What lines look like.
    pub format: Format,
}

/// The least that is worth a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Level {
    /// Data is being lost, or an operator is needed.
    Error,
    /// Unexpected, but survived.
    Warn,
    /// Start, reload, drain.
    #[default]
    Info,
    /// Rare events of single exporters.
    Debug,
    /// Every datagram.
    Trace,
}

/// What log lines look like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl Log {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let levels = [
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("info", Level::Info),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
        ];
        let formats = [
            ("auto", Format::Auto),
            ("text", Format::Text),
            ("json", Format::Json),
        ];
        Self {
            level: table.choice("level", &levels).unwrap_or_default(),
            format: table.choice("format", &formats).unwrap_or_default(),
        }
    }
}
