//! What is wrong with a configuration file, shown where it stands.

use std::fmt;
use std::ops::Range;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Group;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;

use crate::flowlog::Problem;

/// All that is wrong with one file, in the order of its lines; never empty.
///
/// Displays each with file, line and column, and the line itself; only the
/// first 50, and how many more there are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems {
    file: String,
    found: Vec<Located>,
}

/// A problem with the line it is about.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Located {
    problem: Problem,
    excerpt: Option<Excerpt>,
}

/// One line of a file, and what in it is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Excerpt {
    line: String,
    /// From 1.
    number: usize,
    /// Octets of the line.
    span: Range<usize>,
}

impl Problems {
    /// Places problems, which are about spans of a text, in its lines.
    pub(super) fn locate(
        file: &str,
        text: &str,
        mut found: Vec<(Option<Range<usize>>, Problem)>,
    ) -> Self {
        found.sort_by_key(|(span, _)| span.as_ref().map_or(usize::MAX, |span| span.start));
        let lines = Lines::of(text);
        let found = found
            .into_iter()
            .map(|(span, problem)| Located {
                problem,
                excerpt: span.and_then(|span| lines.excerpt(span)),
            })
            .collect();
        let file = file.to_owned();
        Self { file, found }
    }

    /// Why a text is no TOML.
    pub(super) fn of_syntax(file: &str, text: &str, errors: &[toml::de::Error]) -> Self {
        let found = errors.iter().map(|error| {
            let problem = Problem::new("", error.message(), "");
            (error.span(), problem)
        });
        Self::locate(file, text, found.collect())
    }

    /// A problem with a file as a whole.
    pub(super) fn of_file(file: &str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        let problem = Problem::new("", what, advice);
        Self::locate(file, "", vec![(None, problem)])
    }

    /// The problems, in the order of the lines they are about.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter().map(|located| &located.problem)
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for located in self.found.iter().take(SHOWN_MAX) {
            writeln!(f, "{}\n", located.render(&self.file))?;
        }
        if let Some(more) = self.found.len().checked_sub(SHOWN_MAX + 1) {
            writeln!(f, "... and {} more\n", more + 1)?;
        }
        match self.found.len() {
            1 => write!(f, "{}: 1 problem", self.file),
            count => write!(f, "{}: {count} problems", self.file),
        }
    }
}

impl Located {
    fn render(&self, file: &str) -> String {
        let Problem {
            place,
            what,
            advice,
        } = &self.problem;
        let title = if place.is_empty() {
            what.clone()
        } else {
            format!("{place}: {what}")
        };
        let group = match &self.excerpt {
            Some(excerpt) => {
                let span = AnnotationKind::Primary.span(excerpt.span.clone());
                let snippet = Snippet::source(&excerpt.line)
                    .line_start(excerpt.number)
                    .path(file)
                    .annotation(span);
                Level::ERROR.primary_title(&title).element(snippet)
            }
            None => Group::with_title(Level::ERROR.primary_title(&title)),
        };
        let group = if advice.is_empty() {
            group
        } else {
            group.element(Level::HELP.message(advice))
        };
        Renderer::plain().render(&[group])
    }
}

/// Where the lines of a text start.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(breaks).collect();
        Self { text, starts }
    }

    /// The first line of a span; what goes beyond the line is left out.
    fn excerpt(&self, span: Range<usize>) -> Option<Excerpt> {
        let number = self.starts.partition_point(|start| *start <= span.start);
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let line = self.text.get(start..)?.lines().next().unwrap_or_default();
        let line = without_secrets(line);
        let within = |at: usize| at.saturating_sub(start).min(line.len());
        Some(Excerpt {
            number,
            span: within(span.start)..within(span.end),
            line,
        })
    }
}

/// A line as it may be shown: a value whose key sounds like a secret's is left
/// out, unless it is the path of a file, and so is the user of a URL.
fn without_secrets(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut from = 0;
    while let Some((key, value)) = next_secret(&lower, from) {
        let is_file = lower
            .get(key..value)
            .is_some_and(|key| key.contains("file"));
        let (before, text) = line.split_at_checked(value).unwrap_or((line, ""));
        let text = text.trim_start();
        let is_path = text.starts_with("\"/") || text.starts_with("'/");
        if !is_file || !is_path {
            return format!("{before} ...");
        }
        from = value;
    }
    match line.split_once("://") {
        Some((scheme, rest)) => match rest.split_once('@') {
            Some((_, host)) => format!("{scheme}://...@{host}"),
            None => line.to_owned(),
        },
        None => line.to_owned(),
    }
}

/// Where in a line the next key stands that sounds like a secret's, and what
/// follows its equals sign.
fn next_secret(lower: &str, from: usize) -> Option<(usize, usize)> {
    let rest = lower.get(from..)?;
    let found = SECRETS.iter().filter_map(|word| rest.find(word));
    let key = from + found.min()?;
    Some((key, key + lower.get(key..)?.find('=')? + 1))
}

/// What keys are called that hold secrets, or lead to them.
const SECRETS: [&str; 5] = ["secret", "key-file", "password", "token", "credential"];

/// Problems shown in full: a file with more has one cause, seen long before.
const SHOWN_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_the_wrong_place_are_not_shown() {
        for (line, shown) in [
            ("secret = \"abc\"", "secret = ..."),
            (
                "  Access-Key-Secret='abc' # mine",
                "  Access-Key-Secret= ...",
            ),
            ("secret-file = \"abc/def=\"", "secret-file = ..."),
            ("access-key-file = abc", "access-key-file = ..."),
            ("secret = \"/abc\"", "secret = ..."),
            (
                "[{ id = 'a', secret-file = '/a', secret = 'abc' }]",
                "[{ id = 'a', secret-file = '/a', secret = ...",
            ),
            (
                "proxy = \"http://me:abc@host:1\"",
                "proxy = \"http://...@host:1\"",
            ),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
    }

    #[test]
    fn other_lines_are_shown_as_they_are() {
        for line in [
            "secret-file = \"/etc/key\" # 5 = 5",
            "[[access-key]]",
            "endpoint = \"https://host\"",
            "# a secret",
            "",
        ] {
            assert_eq!(without_secrets(line), line);
        }
    }

    #[test]
    fn a_secret_in_the_place_of_a_path_is_in_no_problem() {
        let text = "[[access-key]]\nid = \"k\"\nsecret-file = \"cAnArY\"\nsecret = \"cAnArY\"\n\
                    [sls]\naccess-key-file = \"cAnArY\"\nproxy = [\"http://u:cAnArY@h\"]\n";
        let problems = crate::config::Config::parse(text, "test").unwrap_err();
        assert_eq!(problems.iter().count(), 4);
        let shown = format!("{problems}{problems:?}");
        assert!(!shown.contains("cAnArY"), "{shown}");
        let broken = "secret = \"cAnArY\nid = 3\n";
        let problems = crate::config::Config::parse(broken, "test").unwrap_err();
        assert!(!problems.to_string().contains("cAnArY"), "{problems}");
    }
}
