//! Words and signs of a search.

use super::SearchError;
use super::ast::is_plain;

/// A word or sign, and where it begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

/// What it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Without quotes: a name, a value, a number or a keyword.
    Word(String),
    /// In quotes.
    Quoted(String),
    /// In quotes, after `#`.
    Phrase(String),
    /// Anything else, such as `:` or `>=`.
    Sign(&'static str),
}

/// Words and signs up to the `|` before SQL, and where that is.
pub(super) fn tokens(text: &str) -> Result<(Vec<Token>, Option<usize>), SearchError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok((tokens, None));
        };
        if first == '|' {
            return Ok((tokens, Some(at)));
        }
        let (kind, after) = token(rest, first).map_err(|problem| SearchError::new(at, problem))?;
        tokens.push(Token { at, kind });
        rest = after;
    }
}

/// The token that `text` begins with, and what comes after it.
fn token(text: &str, first: char) -> Result<(Kind, &str), String> {
    if let Some(quoted) = text.strip_prefix("#\"") {
        let (content, after) = quoted_text(quoted)?;
        return Ok((Kind::Phrase(content), after));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        let (content, after) = quoted_text(quoted)?;
        return Ok((Kind::Quoted(content), after));
    }
    for sign in SIGNS {
        if let Some(after) = text.strip_prefix(sign) {
            return Ok((Kind::Sign(sign), after));
        }
    }
    let end = text.find(|character| !is_plain(character));
    match text.split_at_checked(end.unwrap_or(text.len())) {
        Some((word, after)) if !word.is_empty() => Ok((Kind::Word(word.to_owned()), after)),
        _ => Err(format!("{first:?} means nothing here: put it in quotes")),
    }
}

/// Text up to the closing quote; `\"` and `\\` stand for themselves.
fn quoted_text(text: &str) -> Result<(String, &str), String> {
    let mut content = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok((content, characters.as_str())),
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => content.push(escaped),
                Some(other) => content.extend(['\\', other]),
                None => break,
            },
            _ => content.push(character),
        }
    }
    Err("the quote is never closed: write \\\" for a quote within quotes".to_owned())
}

/// Signs, the longer first.
const SIGNS: [&str; 11] = [">=", "<=", ">", "<", "=", ":", "(", ")", "[", "]", ","];
