//! One line in the log for every write that an API was asked for.

use std::net::SocketAddr;

use super::RequestId;

/// Who asked for which change, and what came of it.
#[derive(Debug)]
pub(super) struct Audit<'a> {
    /// Id of the caller's key; none where nobody is asked for one.
    pub(super) who: Option<&'a str>,
    pub(super) from: Option<SocketAddr>,
    pub(super) request: RequestId,
    /// Product and action: `smartag:CreateFlowLog`.
    pub(super) action: &'a str,
    pub(super) flow_log: &'a str,
    /// What the flow log was bound to or freed from, if it was that.
    pub(super) instance: &'a str,
    /// `OK`, `unchanged` if there was nothing to do, or the code of the error.
    pub(super) result: &'a str,
}

impl Audit<'_> {
    /// Writes the line.
    pub(super) fn tell(&self) {
        let from = self.from.map(|from| from.to_string()).unwrap_or_default();
        tracing::info!(
            who = shown(self.who.unwrap_or("anybody")),
            from,
            action = self.action,
            flow_log = shown(self.flow_log),
            instance = shown(self.instance),
            result = self.result,
            request = %self.request,
            "a control API was asked for a change"
        );
    }
}

/// A foreign text, made harmless: cut, and on one line.
fn shown(text: &str) -> String {
    let shown = text.chars().take(SHOWN_CHARACTERS);
    shown.flat_map(char::escape_debug).collect()
}

/// Ids have 30 at most.
const SHOWN_CHARACTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_cannot_forge_a_line_or_fill_the_disk() {
        assert_eq!(
            shown("fl-1\nresult=OK\u{1b}[2J"),
            "fl-1\\nresult=OK\\u{1b}[2J"
        );
        assert_eq!(shown(&"x".repeat(10_000)), "x".repeat(64));
    }
}
