//! The words of a filter.

use crate::flow::filter::Comparison;
use crate::flow::filter::FilterError;
use crate::flow::filter::LENGTH_MAX;
use crate::flow::filter::Problem;
use crate::flow::filter::error::quote;

/// A word and where it starts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) offset: usize,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind<'a> {
    /// A bare word: keyword, number, address or name.
    Word(&'a str),
    /// A word between quotes: always a name.
    Quoted(&'a str),
    Comparison(Comparison),
    Open,
    Close,
    ListOpen,
    ListClose,
    Comma,
    And,
    Or,
    Not,
}

impl Kind<'_> {
    /// How an error repeats this token.
    pub(super) fn found(&self) -> String {
        match self {
            Self::Word(word) | Self::Quoted(word) => quote(word),
            Self::Comparison(comparison) => quote(comparison.symbol()),
            Self::Open => quote("("),
            Self::Close => quote(")"),
            Self::ListOpen => quote("["),
            Self::ListClose => quote("]"),
            Self::Comma => quote(","),
            Self::And => quote("and"),
            Self::Or => quote("or"),
            Self::Not => quote("not"),
        }
    }
}

/// Splits a filter into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, FilterError> {
    if text.len() > LENGTH_MAX {
        return Err(FilterError {
            offset: LENGTH_MAX,
            problem: Problem::TooLong,
        });
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let offset = text.len() - rest.len();
        let (kind, after) = token(rest).ok_or_else(|| FilterError {
            offset,
            problem: Problem::Expected {
                expected: "a word, number or address",
                found: quote(first_char(rest)),
            },
        })?;
        tokens.push(Token { offset, kind });
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// Symbols, longer ones before those they begin with.
const SYMBOLS: &[(&str, Kind<'static>)] = &[
    ("(", Kind::Open),
    (")", Kind::Close),
    ("[", Kind::ListOpen),
    ("]", Kind::ListClose),
    (",", Kind::Comma),
    ("&&", Kind::And),
    ("||", Kind::Or),
    ("!", Kind::Not),
    ("==", Kind::Comparison(Comparison::Equal)),
    ("=", Kind::Comparison(Comparison::Equal)),
    (">=", Kind::Comparison(Comparison::GreaterOrEqual)),
    ("<=", Kind::Comparison(Comparison::LessOrEqual)),
    (">", Kind::Comparison(Comparison::Greater)),
    ("<", Kind::Comparison(Comparison::Less)),
];

/// Takes the token that `rest` starts with; at least one octet.
fn token(rest: &str) -> Option<(Kind<'_>, &str)> {
    for (symbol, kind) in SYMBOLS {
        if let Some(after) = rest.strip_prefix(symbol) {
            return Some((kind.clone(), after));
        }
    }
    for quote in ['\'', '"'] {
        if let Some(after) = rest.strip_prefix(quote) {
            let (name, after) = after.split_once(quote)?;
            return Some((Kind::Quoted(name), after));
        }
    }
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end)?;
    (!word.is_empty()).then(|| (keyword(word), after))
}

/// Words that join tests; every other word is the parser's business.
fn keyword(word: &str) -> Kind<'_> {
    let joins = [
        ("and", Kind::And),
        ("or", Kind::Or),
        ("not", Kind::Not),
        ("eq", Kind::Comparison(Comparison::Equal)),
        ("gt", Kind::Comparison(Comparison::Greater)),
        ("lt", Kind::Comparison(Comparison::Less)),
        ("ge", Kind::Comparison(Comparison::GreaterOrEqual)),
        ("le", Kind::Comparison(Comparison::LessOrEqual)),
    ];
    let join = joins
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name));
    join.map_or(Kind::Word(word), |(_, kind)| kind)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | ':' | '/' | '-' | '_' | '*' | '%')
}

fn first_char(rest: &str) -> &str {
    let end = rest.chars().next().map_or(0, char::len_utf8);
    rest.get(..end).unwrap_or_default()
}
