//! The house rules that a compiler cannot check, run as one ordinary test.
//!
//! It reads text, not syntax: a fence, not a wall. Comments do not count, and
//! test modules are held to the last two rules only.

use std::fs;
use std::io;
use std::path::Path;

/// Rooms from the ground up: a room may use itself and those before it.
const ROOMS: [&str; 16] = [
    "element",
    "wire",
    "session",
    "flow",
    "cache",
    "flowlog",
    "listen",
    "lane",
    "journal",
    "logstore",
    "sink",
    "api",
    "telemetry",
    "config",
    "daemon",
    "cli",
];

/// How many of them, from the ground, know no socket, clock, file or runtime.
const PURE_ROOMS: usize = 6;

/// What a pure room does not name.
const IMPURE: [&str; 14] = [
    "Instant::now",
    "SystemTime::now",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "libc::",
    "log::",
    "metrics::",
    "nix::",
    "std::env",
    "std::fs",
    "std::thread",
    "tokio::",
    "tracing::",
];

/// Rooms within a room, each with a door of its own.
const INNER_ROOMS: [&str; 8] = [
    "api::auth",
    "api::control",
    "api::sls",
    "flowlog::control",
    "flowlog::control::ecr",
    "flowlog::control::sag",
    "flowlog::control::vpc",
    "sink::sls",
];

/// How output is printed; only the last room speaks to a person.
const PRINTING: [&str; 4] = ["eprint!", "eprintln!", "print!", "println!"];

const CODE_LINES_MAX: usize = 600;

/// The files that may be unsafe: one calls the system, one the processor.
const UNSAFE_FILES: [&str; 2] = ["flow/plan/shuffle.rs", "listen/batch.rs"];

#[test]
fn the_house_is_tidy() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &root, &mut files)?;
    assert!(
        files.len() > 20,
        "only {} files in {}",
        files.len(),
        root.display()
    );
    let complaints: Vec<_> = files.iter().flat_map(SourceFile::complaints).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    Ok(())
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).unwrap_or(&path);
            files.push(SourceFile::new(
                &below.to_string_lossy(),
                &fs::read_to_string(&path)?,
            ));
        }
    }
    Ok(())
}

/// A file of `src`, without comments.
struct SourceFile {
    /// Below `src`.
    path: String,
    /// Everything, test modules included.
    all: String,
    /// Without test modules.
    code: String,
}

impl SourceFile {
    fn new(path: &str, text: &str) -> Self {
        let all = without_comments(text);
        let stem = path.trim_end_matches(".rs");
        let is_test = stem
            .split('/')
            .any(|part| part == "tests" || part == "testing");
        Self {
            path: path.to_owned(),
            code: if is_test {
                String::new()
            } else {
                without_tests(&all)
            },
            all,
        }
    }

    /// What is wrong with it, one line each.
    fn complaints(&self) -> Vec<String> {
        let rules = [
            Self::unknown_room,
            Self::size,
            Self::grouped_imports,
            Self::impurity,
            Self::printing,
            Self::arrows,
            Self::reach_ins,
            Self::escapes,
            Self::unsafety,
            Self::allowances,
        ];
        let found = rules.iter().flat_map(|rule| rule(self));
        found
            .map(|what| format!("src/{}: {what}", self.path))
            .collect()
    }

    /// The room it is in; none for `lib.rs` and `main.rs`.
    fn room(&self) -> Option<&str> {
        let (first, _) = self.path.split_once('/').unwrap_or((&self.path, ""));
        let room = first.trim_end_matches(".rs");
        (!["lib", "main"].contains(&room)).then_some(room)
    }

    /// Place of its room in [`ROOMS`]; `lib.rs` and `main.rs` are above them all.
    fn layer(&self) -> usize {
        self.room().map_or(ROOMS.len(), layer_of)
    }

    fn unknown_room(&self) -> Vec<String> {
        let unknown = self.room().filter(|room| !ROOMS.contains(room));
        unknown
            .map(|room| format!("`{room}` is not on the map"))
            .into_iter()
            .collect()
    }

    fn size(&self) -> Vec<String> {
        let lines = self
            .code
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count();
        let is_long = lines > CODE_LINES_MAX;
        let complaint = || format!("{lines} lines of code (at most {CODE_LINES_MAX})");
        is_long.then(complaint).into_iter().collect()
    }

    fn grouped_imports(&self) -> Vec<String> {
        let grouped = self.code.contains("use crate::{");
        let complaint = || "`use crate::{`: one path a line, so that arrows can be seen".to_owned();
        grouped.then(complaint).into_iter().collect()
    }

    fn impurity(&self) -> Vec<String> {
        let is_pure = self.layer() < PURE_ROOMS;
        let named = IMPURE
            .iter()
            .filter(|word| is_pure && names(&self.code, word));
        named
            .map(|word| format!("a pure room names `{word}`"))
            .collect()
    }

    fn printing(&self) -> Vec<String> {
        let may_print = self.room() == ROOMS.last().copied();
        let named = PRINTING
            .iter()
            .filter(|word| !may_print && names(&self.code, word));
        named.map(|word| format!("prints with `{word}`")).collect()
    }

    fn arrows(&self) -> Vec<String> {
        let used = ROOMS
            .iter()
            .filter(|room| names_whole(&self.code, &format!("crate::{room}")));
        let above = used.filter(|room| layer_of(room) > self.layer());
        above
            .map(|room| format!("reaches up into `{room}`"))
            .collect()
    }

    /// Paths into another room's files, which its door does not show.
    fn reach_ins(&self) -> Vec<String> {
        let paths = self.code.split("crate::").skip(1);
        let inner = paths.filter_map(|path| {
            let (room, rest) = path.split_once("::")?;
            let (mut reached, mut rest) = (room.to_owned(), rest);
            let mut doors = 0;
            while let Some((module, inner)) = rest.split_once("::") {
                if module.is_empty() || !module.chars().all(is_module_character) {
                    break;
                }
                reached = format!("{reached}::{module}");
                doors += usize::from(!INNER_ROOMS.contains(&reached.as_str()));
                rest = inner;
            }
            let is_other = ROOMS.contains(&room) && self.room() != Some(room);
            (doors > 0 && is_other).then(|| format!("reaches into `{reached}`"))
        });
        inner.collect()
    }

    /// `super` paths that lead out of the room.
    fn escapes(&self) -> Vec<String> {
        let folders = self.path.split('/').count() - 1;
        let depth = folders + usize::from(!self.path.ends_with("mod.rs"));
        let path = "super::".repeat(depth);
        let escapes = self.room().is_some() && names(&self.code, &path);
        let complaint = || format!("`{path}` leads out of the room");
        escapes.then(complaint).into_iter().collect()
    }

    fn unsafety(&self) -> Vec<String> {
        let is_unsafe = names_whole(&self.all, "unsafe") || self.all.contains("expect(unsafe_code");
        let complaint = || format!("`unsafe` outside {}", UNSAFE_FILES.join(" and "));
        let is_fenced = is_unsafe && !UNSAFE_FILES.contains(&&*self.path);
        is_fenced.then(complaint).into_iter().collect()
    }

    fn allowances(&self) -> Vec<String> {
        let allows = |line: &&str| line.contains("#[") || line.contains("#![");
        let mut attributes = self.all.lines().filter(allows);
        let allows = attributes.any(|line| names(line, "allow("));
        let complaint = || "`allow`: `expect` instead, with a reason".to_owned();
        allows.then(complaint).into_iter().collect()
    }
}

fn layer_of(room: &str) -> usize {
    let found = ROOMS.iter().position(|other| *other == room);
    found.unwrap_or(ROOMS.len())
}

fn is_module_character(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Whether a text has a word that does not begin within another.
fn names(text: &str, word: &str) -> bool {
    let mut around = text.split(word).zip(text.split(word).skip(1));
    around.any(|(before, _)| !before.ends_with(is_word_character))
}

/// Whether a text has a word that neither begins nor ends within another.
fn names_whole(text: &str, word: &str) -> bool {
    let around = text.split(word).zip(text.split(word).skip(1));
    let mut whole = around.filter(|(_, after)| !after.starts_with(is_word_character));
    whole.any(|(before, _)| !before.ends_with(is_word_character))
}

fn without_comments(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Drops `#[cfg(test)] mod name;` lines, and all from an inline test module on,
/// which by custom comes last.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let follows_module = lines.peek().is_some_and(|next| names(next, "mod "));
        if line == "#[cfg(test)]" && follows_module {
            if lines.next().is_some_and(|module| module.ends_with('{')) {
                break;
            }
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

mod planted {
    //! Each rule must bite, and only where it should.

    use super::SourceFile;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        SourceFile::new(path, text).complaints()
    }

    #[track_caller]
    fn is_refused(path: &str, text: &str, what: &str) {
        assert_eq!(complaints(path, text), [format!("src/{path}: {what}")]);
    }

    #[track_caller]
    fn is_fine(path: &str, text: &str) {
        assert_eq!(complaints(path, text), [""; 0]);
    }

    #[test]
    fn a_room_that_is_not_on_the_map() {
        is_refused("utils/mod.rs", "", "`utils` is not on the map");
        is_refused("helper.rs", "", "`helper` is not on the map");
        is_fine("main.rs", "fn main() {}");
    }

    #[test]
    fn a_long_file() {
        let code = "let a = 1;\n".repeat(600);
        is_fine(
            "wire/v5.rs",
            &format!("{code}\n// why\n\n#[cfg(test)]\nmod tests {{\n{code}}}"),
        );
        let longer = format!("{code}let b = 2;\n");
        is_refused("wire/v5.rs", &longer, "601 lines of code (at most 600)");
        // Code goes on behind a test module that has a file of its own.
        let mut hidden = "#[cfg(test)]\nmod tests;\n".to_owned();
        hidden.push_str(&longer);
        is_refused("wire/mod.rs", &hidden, "601 lines of code (at most 600)");
    }

    #[test]
    fn grouped_imports_of_rooms() {
        let what = "`use crate::{`: one path a line, so that arrows can be seen";
        is_refused("cache/mod.rs", "pub(crate) use crate::{wire, flow};", what);
        is_fine("cache/mod.rs", "use std::{fmt, io};");
    }

    #[test]
    fn impure_words_in_pure_rooms() {
        for (word, code) in [
            ("tokio::", "tokio::spawn(work);"),
            ("UdpSocket", "use std::net::UdpSocket;"),
            ("TcpStream", "fn f(stream: &TcpStream) {}"),
            ("TcpListener", "use std::net::TcpListener;"),
            ("Instant::now", "let now = Instant::now();"),
            ("SystemTime::now", "let now = SystemTime::now();"),
            ("std::fs", "use std::fs;"),
            ("std::env", "std::env::var(\"HOME\");"),
            ("std::thread", "use std::thread;"),
            ("tracing::", "tracing::info!(\"seen\");"),
            ("metrics::", "use metrics::counter;"),
            ("log::", "log::warn!(\"seen\");"),
            ("nix::", "use nix::poll::poll;"),
            ("libc::", "libc::getpid();"),
        ] {
            let what = format!("a pure room names `{word}`");
            for room in ["element", "wire", "session", "flow", "cache", "flowlog"] {
                is_refused(&format!("{room}/mod.rs"), code, &what);
            }
            is_fine("daemon/mod.rs", code);
            is_fine("wire/tests.rs", code);
            is_fine("wire/tests/hostile.rs", code);
            is_fine(
                "wire/mod.rs",
                &format!("#[cfg(test)]\nmod tests {{\n{code}\n}}"),
            );
            is_fine("wire/mod.rs", &format!("//! {code}\n    // {code}"));
        }
        is_fine(
            "flow/mod.rs",
            "use crate::flowlog_metrics::X; let catalog::Entry = x;",
        );
    }

    #[test]
    fn printing_outside_the_command_line() {
        for word in ["print!", "println!", "eprint!", "eprintln!"] {
            let code = format!("{word}(\"hello\");");
            is_refused("daemon/start.rs", &code, &format!("prints with `{word}`"));
            is_refused("main.rs", &code, &format!("prints with `{word}`"));
            is_fine("cli/run.rs", &code);
        }
    }

    #[test]
    fn arrows_upwards() {
        is_refused(
            "wire/v5.rs",
            "use crate::cache::Cache;",
            "reaches up into `cache`",
        );
        is_refused("wire/v5.rs", "use crate::cache;", "reaches up into `cache`");
        is_refused(
            "flow/mod.rs",
            "crate::flowlog::X",
            "reaches up into `flowlog`",
        );
        is_refused(
            "api/mod.rs",
            "crate::telemetry::X",
            "reaches up into `telemetry`",
        );
        is_fine(
            "flowlog/mod.rs",
            "use crate::flow::X; use crate::flowlog::Y;",
        );
        is_fine("cli/mod.rs", "use crate::daemon::X;");
        is_fine(
            "wire/mod.rs",
            "#[cfg(test)]\nmod tests {\nuse crate::cache::X;\n}",
        );
    }

    #[test]
    fn reaching_into_another_room() {
        is_refused(
            "flow/mod.rs",
            "use crate::wire::v5::X;",
            "reaches into `wire::v5`",
        );
        is_refused(
            "flow/mod.rs",
            "crate::wire::field_reader::read()",
            "reaches into `wire::field_reader`",
        );
        is_refused(
            "daemon/mod.rs",
            "use crate::sink::sls::pace::Aimd;",
            "reaches into `sink::sls::pace`",
        );
        is_fine("daemon/mod.rs", "use crate::sink::sls::{Sender, Way};");
        is_fine(
            "flow/mod.rs",
            "use crate::wire::Template; crate::wire::decode(x);",
        );
        is_fine(
            "flow/mod.rs",
            "crate::wire::Template::new(); crate::flow::record::X;",
        );
    }

    #[test]
    fn leaving_the_room_through_super() {
        is_refused(
            "wire/mod.rs",
            "use super::cache;",
            "`super::` leads out of the room",
        );
        is_refused(
            "wire/v5.rs",
            "use super::super::cache;",
            "`super::super::` leads out of the room",
        );
        is_refused(
            "api/sls/mod.rs",
            "super::super::cache",
            "`super::super::` leads out of the room",
        );
        is_fine("wire/v5.rs", "use super::field;");
        is_fine("api/sls/put.rs", "use super::super::auth;");
    }

    #[test]
    fn unsafe_code() {
        let what = "`unsafe` outside flow/plan/shuffle.rs and listen/batch.rs";
        for code in [
            "unsafe { f() }",
            "unsafe impl Send for X {}",
            "#![expect(unsafe_code, reason = \"\")]",
        ] {
            is_refused("listen/lane.rs", code, what);
            is_refused("listen/tests.rs", code, what);
            is_fine("listen/batch.rs", code);
        }
        is_fine("lib.rs", "// nothing here is unsafe\nlet unsafe_ports = 3;");
    }

    #[test]
    fn allowances() {
        let what = "`allow`: `expect` instead, with a reason";
        for code in [
            "#[allow(dead_code)]",
            "#![allow(clippy::unwrap_used)]",
            "#[cfg_attr(test, allow(unused))]",
            "#[cfg(test)]\nmod tests {\n    #[allow(unused)]\n}",
        ] {
            is_refused("wire/v5.rs", code, what);
            is_refused("wire/tests.rs", code, what);
        }
        is_fine("flowlog/mod.rs", "if self.allow(exporter) { disallow(); }");
        is_fine(
            "wire/v5.rs",
            "#[expect(dead_code, reason = \"shown in docs\")]",
        );
    }
}
