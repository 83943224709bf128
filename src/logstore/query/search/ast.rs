//! What a search asks of a log, and how that is written.

use std::fmt;

/// A search, as a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// `*`, or nothing at all: every log.
    Everything,
    /// One test.
    Term(Term),
    /// What does not fulfil it, logs without the field included.
    Not(Box<Self>),
    /// All of them; two or more.
    And(Vec<Self>),
    /// Any of them; two or more.
    Or(Vec<Self>),
}

/// One test of one field, or of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Where it begins in the text, octets.
    pub at: usize,
    /// Name of the field; none asks all fields. Tags are `__tag__:NAME`.
    pub field: Option<String>,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// There is one: `k:*`.
    Exists,
    /// It is there and empty: `k:""`.
    Empty,
    /// It has all words of a text, in any order: `k:v`, `k:"v w"`.
    Words(String),
    /// It has words like these; `*` is any characters, `?` is one: `k:v*`.
    Pattern(String),
    /// It has these words one after the other: `#"v w"`.
    Phrase(String),
    /// It is such a number: `k > 5`.
    Compare(Operator, Number),
    /// It is a number between two: `k in [1 5)`.
    Between(Bound, Bound),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operator {
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The number.
    pub number: Number,
    /// Whether the range holds it too.
    pub is_included: bool,
}

/// A number as a search writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Without a point.
    Long(i64),
    /// With one; finite.
    Double(f64),
}

/// Words that mean something in a search, or did once, and are quoted to be
/// looked for.
pub(super) const RESERVED: [&str; 10] = [
    "sort", "asc", "desc", "group", "by", "avg", "sum", "min", "max", "limit",
];
/// Words that join conditions.
pub(super) const KEYWORDS: [&str; 4] = ["and", "or", "not", "in"];

/// Whether `text` is any of `words`, in whatever case.
pub(super) fn is_any_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether a character may stand in a name or value without quotes.
pub(super) fn is_plain(character: char) -> bool {
    !character.is_whitespace() && !"()[]\":<>=|,".contains(character)
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                part.write_within(f)?;
            }
            Ok(())
        };
        match self {
            Self::Everything => f.write_str("*"),
            Self::Term(term) => fmt::Display::fmt(term, f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.write_within(f)
            }
            Self::And(parts) => joined(f, parts, "and"),
            Self::Or(parts) => joined(f, parts, "or"),
        }
    }
}

impl Condition {
    /// In parentheses if it has parts.
    fn write_within(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(_) | Self::Or(_) => write!(f, "({self})"),
            Self::Everything | Self::Term(_) | Self::Not(_) => fmt::Display::fmt(self, f),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_numeric = matches!(self.test, Test::Compare(_, _) | Test::Between(_, _));
        match &self.field {
            Some(field) => match field.strip_prefix(TAG) {
                Some(tag) => {
                    f.write_str(TAG)?;
                    write_word(f, tag)?;
                }
                None => write_word(f, field)?,
            },
            None => return fmt::Display::fmt(&self.test, f),
        }
        match is_numeric {
            true => write!(f, " {}", self.test),
            false => write!(f, ":{}", self.test),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("*"),
            Self::Empty => f.write_str("\"\""),
            Self::Words(text) => write_word(f, text),
            Self::Pattern(text) => f.write_str(text),
            Self::Phrase(text) => {
                f.write_str("#")?;
                write_quoted(f, text)
            }
            Self::Compare(operator, number) => write!(f, "{operator} {number}"),
            Self::Between(low, high) => {
                let open = if low.is_included { '[' } else { '(' };
                let close = if high.is_included { ']' } else { ')' };
                write!(f, "in {open}{} {}{close}", low.number, high.number)
            }
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(number) => write!(f, "{number}"),
            // With a point, so that it stays what it is.
            Self::Double(number) if number.fract() == 0.0 => write!(f, "{number:.1}"),
            Self::Double(number) => write!(f, "{number}"),
        }
    }
}

fn write_word(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let is_bare = !text.is_empty()
        && text
            .chars()
            .all(|character| is_plain(character) && !"*?#".contains(character))
        && !is_any_of(text, &RESERVED)
        && !is_any_of(text, &KEYWORDS);
    match is_bare {
        true => f.write_str(text),
        false => write_quoted(f, text),
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    write!(f, "\"{escaped}\"")
}

/// What the name of a tag begins with.
pub(super) const TAG: &str = "__tag__:";
