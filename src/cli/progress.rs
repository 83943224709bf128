//! A progress bar for commands that take their time.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A command quicker than this shows no bar.
const SHOW_AFTER: Duration = Duration::from_secs(2);
const TEMPLATE: &str = "{wide_bar} {percent}% {per_sec} {eta} left";

/// How far a command has come; shown on a terminal only.
pub(super) struct Progress {
    total: u64,
    done: u64,
    started: Instant,
    terminal: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing of `total` done yet.
    pub(super) fn new(total: u64) -> Self {
        Self {
            total,
            done: 0,
            started: Instant::now(),
            terminal: io::stderr().is_terminal(),
            bar: None,
        }
    }

    /// Counts what was done; shows the bar when it has become worth it.
    pub(super) fn advance(&mut self, amount: u64) {
        self.done += amount;
        if self.bar.is_none() && self.terminal && self.started.elapsed() > SHOW_AFTER {
            let style = ProgressStyle::with_template(TEMPLATE);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = Some(ProgressBar::new(self.total).with_style(style));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
