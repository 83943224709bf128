//! Where log lines go and what they look like.

use std::env;
use std::fmt;
use std::fmt::Write as _;
use std::io;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;
use tracing::Event;
use tracing::Level;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::FormatEvent;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// What to log, and how.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogSettings {
    /// Form of a line.
    pub format: Format,
    /// Levels as in `RUST_LOG`, which they override; default `info`.
    pub levels: Option<String>,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The levels cannot be read.
    #[error("log level {levels:?}: {source}")]
    Levels {
        /// As they were given.
        levels: String,
        /// What is wrong with them.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else has set it up.
    #[error("logging is set up already")]
    Twice,
}

/// Sends the log of this process to standard error.
///
/// Where standard error is the journal, lines begin with their priority:
/// `sd-daemon(3)`.
///
/// # Errors
///
/// If the levels cannot be read, or it is done a second time.
pub fn install(settings: &LogSettings) -> Result<(), LogError> {
    let levels = settings.levels.clone();
    let levels = levels.or_else(|| env::var(EnvFilter::DEFAULT_ENV).ok());
    let stderr = io::stderr();
    let surroundings = Surroundings {
        is_terminal: stderr.is_terminal(),
        is_journal: is_journal(&stderr, env::var("JOURNAL_STREAM").ok().as_deref()),
    };
    let filter = filter(levels.as_deref().unwrap_or(DEFAULT_LEVELS))?;
    let subscriber = subscriber(settings.format, surroundings, filter, io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)
}

/// Makes text of a sender's harmless for a log line.
///
/// Control characters, quotes and what does not print are escaped as in Rust
/// source; after 128 characters comes an ellipsis.
pub fn escape(text: &str) -> impl fmt::Display {
    fmt::from_fn(move |out| {
        let mut characters = text.chars();
        for character in characters.by_ref().take(ESCAPED_CHARACTERS_MAX) {
            write!(out, "{}", character.escape_debug())?;
        }
        if characters.next().is_some() {
            out.write_char('…')?;
        }
        Ok(())
    })
}

/// Longest text of a sender's in a log line.
const ESCAPED_CHARACTERS_MAX: usize = 128;

const DEFAULT_LEVELS: &str = "info";

/// Where standard error leads.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    is_terminal: bool,
    is_journal: bool,
}

fn filter(levels: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(levels)
        .map_err(|source| LogError::Levels {
            levels: levels.to_owned(),
            source,
        })
}

/// Whether a file is the journal that systemd connected: `systemd.exec(5)`.
fn is_journal(file: impl AsFd, journal_stream: Option<&str>) -> bool {
    let identity = journal_stream.and_then(|it| it.split_once(':'));
    let identity = identity.map(|(device, inode)| (device.parse(), inode.parse()));
    let (Some((Ok(device), Ok(inode))), Ok(status)) = (identity, fstat(file)) else {
        return false;
    };
    (status.st_dev, status.st_ino) == (device, inode)
}

fn subscriber<W>(
    format: Format,
    surroundings: Surroundings,
    filter: EnvFilter,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let Surroundings {
        is_terminal,
        is_journal,
    } = surroundings;
    let is_json = match format {
        Format::Auto => !is_terminal,
        Format::Json => true,
        Format::Text => false,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = if is_json {
        let line = format::json().flatten_event(true).with_current_span(false);
        let line = line.with_span_list(false);
        layer
            .fmt_fields(JsonFields::new())
            .event_format(Line { line, is_journal })
            .boxed()
    } else if is_journal {
        // The journal notes the time itself.
        let line = format::format().with_ansi(false).without_time();
        layer.event_format(Line { line, is_journal }).boxed()
    } else {
        let line = format::format().with_ansi(is_terminal);
        layer.event_format(Line { line, is_journal }).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(filter))
}

/// One event, one line: with its priority in front where a journal reads it.
struct Line<F> {
    line: F,
    is_journal: bool,
}

impl<S, N, F> FormatEvent<S, N> for Line<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.is_journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        let mut one_line = OneLine {
            writer: writer.by_ref(),
            ends: false,
        };
        self.line
            .format_event(context, Writer::new(&mut one_line), event)?;
        writer.write_char('\n')
    }
}

/// Severity of a level as syslog counts: `sd-daemon(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Escapes what would end a line early, so that no field can forge another.
///
/// Escape sequences are left alone: colours are ours, and those in fields are
/// escaped by tracing-subscriber.
struct OneLine<'a> {
    writer: Writer<'a>,
    /// A line end came; the last of all is left to the owner.
    ends: bool,
}

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_line_control) {
            if self.ends {
                self.writer.write_str("\\n")?;
            }
            let whole = part.strip_suffix('\n');
            self.ends = whole.is_some();
            let part = whole.unwrap_or(part);
            match part.char_indices().next_back() {
                Some((at, last)) if is_line_control(last) => {
                    let (before, _) = part.split_at(at);
                    write!(self.writer, "{before}{}", last.escape_debug())?;
                }
                _ => self.writer.write_str(part)?,
            }
        }
        Ok(())
    }
}

fn is_line_control(character: char) -> bool {
    character.is_control() && character != '\u{1b}'
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;
    use std::sync::Mutex;

    use serde_json::Value;

    use super::*;

    /// What is logged by `act`.
    fn logged(format: Format, levels: &str, at: Surroundings, act: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = {
            let lines = Arc::clone(&lines);
            move || Shared(Arc::clone(&lines))
        };
        let subscriber = subscriber(format, at, filter(levels).unwrap(), writer);
        tracing::subscriber::with_default(subscriber, act);
        let lines = lines.lock().unwrap();
        String::from_utf8(lines.clone()).unwrap()
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const PIPE: Surroundings = Surroundings {
        is_terminal: false,
        is_journal: false,
    };
    const TERMINAL: Surroundings = Surroundings {
        is_terminal: true,
        is_journal: false,
    };
    const JOURNAL: Surroundings = Surroundings {
        is_terminal: false,
        is_journal: true,
    };

    #[test]
    fn a_pipe_gets_one_json_object_a_line() {
        let line = logged(Format::Auto, "info", PIPE, || {
            tracing::warn!(exporter = "192.0.2.1", records = 3, "records were lost");
        });
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["message"], "records were lost");
        assert_eq!(object["exporter"], "192.0.2.1");
        assert_eq!(object["records"], 3);
    }

    #[test]
    fn a_terminal_gets_coloured_text() {
        let line = logged(Format::Auto, "info", TERMINAL, || {
            tracing::info!("listening")
        });
        assert!(line.contains("\u{1b}[32m INFO\u{1b}[0m"), "{line:?}");
        assert!(line.ends_with("listening\n"), "{line:?}");
    }

    #[test]
    fn the_journal_gets_priorities() {
        let all = || {
            tracing::error!("e");
            tracing::warn!("w");
            tracing::info!("i");
            tracing::debug!("d");
            tracing::trace!("t");
        };
        let text = logged(Format::Text, "trace", JOURNAL, all);
        let marks: Vec<_> = text.lines().map(|line| line.get(..9).unwrap()).collect();
        assert_eq!(
            marks,
            [
                "<3>ERROR ",
                "<4> WARN ",
                "<6> INFO ",
                "<7>DEBUG ",
                "<7>TRACE "
            ]
        );
        let json = logged(Format::Auto, "trace", JOURNAL, all);
        assert!(
            json.lines()
                .all(|line| line.starts_with('<') && line.get(2..4) == Some(">{"))
        );
    }

    #[test]
    fn levels_are_those_of_rust_log() {
        let target = module_path!();
        let lines = logged(Format::Json, &format!("error,{target}=debug"), PIPE, || {
            tracing::debug!("shown");
            tracing::trace!("hidden");
            tracing::warn!(target: "elsewhere", "hidden");
        });
        assert_eq!(lines.lines().count(), 1, "{lines}");
    }

    #[test]
    fn levels_that_cannot_be_read_are_quoted() {
        let error = filter("flowlogd=loud").unwrap_err().to_string();
        assert!(
            error.starts_with("log level \"flowlogd=loud\": "),
            "{error}"
        );
    }

    #[test]
    fn no_field_can_forge_a_line() {
        let forged = "eth0\nERROR all is lost\r\n\u{7}\u{85}<0>";
        for format in [Format::Text, Format::Json] {
            for surroundings in [PIPE, TERMINAL, JOURNAL] {
                let text = logged(format, "info", surroundings, || {
                    tracing::info!(interface = %forged, "{forged}");
                });
                assert!(text.ends_with('\n'), "{text:?}");
                let inner = text.trim_end_matches('\n');
                assert!(!inner.contains(is_line_control), "{inner:?}");
            }
        }
        let text = logged(Format::Text, "info", JOURNAL, || tracing::info!("a\n\nb\r"));
        assert!(text.ends_with(" a\\n\\nb\\r\n"), "{text:?}");
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let file = File::open("/dev/null").unwrap();
        let metadata = file.metadata().unwrap();
        let (device, inode) = (metadata.dev(), metadata.ino());
        assert!(is_journal(&file, Some(&format!("{device}:{inode}"))));
        let other = format!("{device}:{}", inode + 1);
        for wrong in [other.as_str(), "", ":", "1", "a:b"] {
            assert!(!is_journal(&file, Some(wrong)), "{wrong}");
        }
        assert!(!is_journal(&file, None));
    }

    #[test]
    fn escaped_text_is_short_and_prints() {
        assert_eq!(escape("Gi0/0/1 ünïcode").to_string(), "Gi0/0/1 ünïcode");
        let hostile = "a\nb\u{1b}[31m\"\u{202e}\0";
        assert_eq!(escape(hostile).to_string(), r#"a\nb\u{1b}[31m\"\u{202e}\0"#);
        assert_eq!(escape(&"x".repeat(128)).to_string(), "x".repeat(128));
        assert_eq!(
            escape(&"x".repeat(129)).to_string(),
            format!("{}…", "x".repeat(128))
        );
    }
}
