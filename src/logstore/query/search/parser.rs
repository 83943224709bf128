//! The search grammar: `:` binds closest, then quotes, parentheses, `not` and
//! `and` (which need not be written), and last `or`.

use super::SearchError;
use super::ast::Bound;
use super::ast::Condition;
use super::ast::KEYWORDS;
use super::ast::Number;
use super::ast::Operator;
use super::ast::RESERVED;
use super::ast::TAG;
use super::ast::Term;
use super::ast::Test;
use super::ast::is_any_of;
use super::lexer;
use super::lexer::Kind;
use super::lexer::Token;

/// How much a search may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SearchLimits {
    /// Octets of search and SQL together.
    pub text_max: usize,
    /// Tests in one search.
    pub conditions_max: usize,
    /// Parentheses and `not` within each other.
    pub depth_max: usize,
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self {
            text_max: TEXT_MAX,
            conditions_max: CONDITIONS_MAX,
            depth_max: DEPTH_MAX,
        }
    }
}

/// The search in front of SQL, and where its `|` is, if there is one.
pub(super) fn parse(
    text: &str,
    limits: &SearchLimits,
) -> Result<(Condition, Option<usize>), SearchError> {
    if text.len() > limits.text_max {
        return Err(SearchError::new(
            limits.text_max,
            format!("{} octets of text, at most {}", text.len(), limits.text_max),
        ));
    }
    let (tokens, pipe) = lexer::tokens(text)?;
    if tokens.is_empty() {
        return Ok((Condition::Everything, pipe));
    }
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: pipe.unwrap_or(text.len()),
        conditions: 0,
        depth: 0,
        limits,
    };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok((condition, pipe)),
        Some(_) => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    /// Where the search ends, octets.
    end: usize,
    conditions: usize,
    depth: usize,
    limits: &'a SearchLimits,
}

impl<'a> Parser<'a> {
    /// Conditions with `or` between.
    fn any(&mut self) -> Result<Condition, SearchError> {
        let mut parts = vec![self.all()?];
        while self.takes_keyword("or") {
            parts.push(self.all()?);
        }
        Ok(join(parts, Condition::Or))
    }

    /// Conditions with `and`, `not` or nothing between.
    fn all(&mut self) -> Result<Condition, SearchError> {
        let mut parts = vec![self.one()?];
        loop {
            let is_joined = self.takes_keyword("and");
            let is_end = self.peek_sign(")") || self.peek_keyword("or") || self.peek().is_none();
            if is_end && !is_joined {
                return Ok(join(parts, Condition::And));
            }
            parts.push(self.one()?);
        }
    }

    /// One condition, with or without `not` or parentheses.
    fn one(&mut self) -> Result<Condition, SearchError> {
        let at = self.at();
        if self.takes_keyword("not") {
            let inner = self.deeper(at, Self::one)?;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.takes_sign("(") {
            let inner = self.deeper(at, Self::any)?;
            if !self.takes_sign(")") {
                return Err(match self.peek() {
                    None => SearchError::new(at, "the parenthesis is never closed"),
                    Some(_) => self.unexpected(),
                });
            }
            return Ok(inner);
        }
        self.condition()
    }

    fn deeper(
        &mut self,
        at: usize,
        part: impl FnOnce(&mut Self) -> Result<Condition, SearchError>,
    ) -> Result<Condition, SearchError> {
        self.depth += 1;
        if self.depth > self.limits.depth_max {
            let message = format!("conditions nest deeper than {}", self.limits.depth_max);
            return Err(SearchError::new(at, message));
        }
        let inner = part(self);
        self.depth -= 1;
        inner
    }

    /// One test.
    fn condition(&mut self) -> Result<Condition, SearchError> {
        let at = self.at();
        let Some(first) = self.take() else {
            return Err(SearchError::new(self.end, "a condition is missing here"));
        };
        self.conditions += 1;
        if self.conditions > self.limits.conditions_max {
            let message = format!("more than {} conditions", self.limits.conditions_max);
            return Err(SearchError::new(at, message));
        }
        let (field, test) = match &first.kind {
            Kind::Word(word) if word == "*" && !self.peek_sign(":") => {
                return Ok(Condition::Everything);
            }
            Kind::Phrase(text) => (None, phrase(at, text)?),
            Kind::Sign(_) => {
                self.next -= 1;
                return Err(self.unexpected());
            }
            Kind::Word(text) | Kind::Quoted(text) => match self.field(first, text)? {
                Some((field, test)) => (Some(field), test),
                None => (None, value(first)?),
            },
        };
        Ok(Condition::Term(Term { at, field, test }))
    }

    /// The field that `first` names and what it is asked for, unless `first` is
    /// a value itself.
    fn field(&mut self, first: &Token, text: &str) -> Result<Option<(String, Test)>, SearchError> {
        if self.takes_sign(":") {
            let name = name(first, text)?;
            if format!("{name}:") == TAG {
                return self.tag().map(Some);
            }
            return Ok(Some((name, self.value_after(":")?)));
        }
        for (sign, operator) in OPERATORS {
            if self.takes_sign(sign) {
                let name = name(first, text)?;
                let number = self.number()?;
                return Ok(Some((name, Test::Compare(operator, number))));
            }
        }
        if self.peek_keyword("in") {
            let name = name(first, text)?;
            return Ok(Some((name, self.range()?)));
        }
        Ok(None)
    }

    /// `NAME:VALUE` after `__tag__:`.
    fn tag(&mut self) -> Result<(String, Test), SearchError> {
        let at = self.at();
        let missing = || SearchError::new(at, "write a tag as __tag__:NAME:VALUE");
        let tag = match self.take().map(|token| &token.kind) {
            Some(Kind::Word(tag) | Kind::Quoted(tag)) if !tag.is_empty() => tag,
            _ => return Err(missing()),
        };
        match self.takes_sign(":") {
            true => Ok((format!("{TAG}{tag}"), self.value_after(":")?)),
            false => Err(missing()),
        }
    }

    fn value_after(&mut self, sign: &str) -> Result<Test, SearchError> {
        let at = self.at();
        let Some(token) = self.take() else {
            let message = format!("a value is missing after {sign}");
            return Err(SearchError::new(at, message));
        };
        let test = match &token.kind {
            Kind::Sign("(") => Err(SearchError::new(
                at,
                "a field takes one value: write k:a or k:b for several",
            )),
            Kind::Sign(sign) => Err(SearchError::new(
                at,
                format!("{sign:?} is no value: put values with signs in quotes"),
            )),
            Kind::Phrase(text) => phrase(at, text),
            Kind::Quoted(text) if text.is_empty() => Ok(Test::Empty),
            Kind::Word(word) if word == "*" => Ok(Test::Exists),
            Kind::Word(_) | Kind::Quoted(_) => value(token),
        }?;
        match self.peek_sign(":") {
            true => Err(SearchError::new(
                self.at(),
                "a value with a colon needs quotes, as in srcaddr:\"2001:db8::1\"",
            )),
            false => Ok(test),
        }
    }

    /// `in [1 5]`, a parenthesis where the end does not belong to it.
    fn range(&mut self) -> Result<Test, SearchError> {
        let at = self.at();
        let is_lower =
            matches!(self.take(), Some(Token { kind: Kind::Word(word), .. }) if word == "in");
        if !is_lower {
            return Err(SearchError::new(at, "write in with small letters"));
        }
        let wrong = |at| SearchError::new(at, "write a range as in [1 5], (1 5], [1 5) or (1 5)");
        let at_open = self.at();
        let is_low_included = self.takes_sign("[");
        if !is_low_included && !self.takes_sign("(") {
            return Err(wrong(at_open));
        }
        let low = self.number()?;
        self.takes_sign(",");
        let high = self.number()?;
        let at_close = self.at();
        let is_high_included = self.takes_sign("]");
        if !is_high_included && !self.takes_sign(")") {
            return Err(wrong(at_close));
        }
        let bound = |number, is_included| Bound {
            number,
            is_included,
        };
        Ok(Test::Between(
            bound(low, is_low_included),
            bound(high, is_high_included),
        ))
    }

    fn number(&mut self) -> Result<Number, SearchError> {
        let at = self.at();
        let word = match self.take().map(|token| &token.kind) {
            Some(Kind::Word(word)) => word.as_str(),
            _ => "",
        };
        let wrong = || SearchError::new(at, "a number is missing here, such as 5, -5 or 0.5");
        number(word).ok_or_else(wrong)
    }

    /// Why the next token may not stand where it stands.
    fn unexpected(&self) -> SearchError {
        let message = match self.peek().map(|token| &token.kind) {
            None => "a condition is missing here".to_owned(),
            Some(Kind::Sign(")")) => "there is no parenthesis to close".to_owned(),
            Some(Kind::Sign(":")) => {
                "a name is missing before the colon: quote a value with a colon".to_owned()
            }
            Some(Kind::Sign(sign)) => {
                format!("{sign:?} may not stand here: put it in quotes to look for it")
            }
            Some(Kind::Word(text) | Kind::Quoted(text) | Kind::Phrase(text)) => {
                format!("{text:?} may not stand here")
            }
        };
        SearchError::new(self.at(), message)
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.next += 1;
        Some(token)
    }

    fn at(&self) -> usize {
        self.peek().map_or(self.end, |token| token.at)
    }

    fn peek_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token { kind: Kind::Sign(next), .. }) if *next == sign)
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is_there = self.peek_sign(sign);
        self.next += usize::from(is_there);
        is_there
    }

    /// A word that is followed by a colon is a name, whatever it is.
    fn peek_keyword(&self, keyword: &str) -> bool {
        let is_word = matches!(self.peek(), Some(Token { kind: Kind::Word(word), .. }) if word.eq_ignore_ascii_case(keyword));
        let after = self.tokens.get(self.next + 1).map(|token| &token.kind);
        is_word && after != Some(&Kind::Sign(":"))
    }

    fn takes_keyword(&mut self, keyword: &str) -> bool {
        let is_there = self.peek_keyword(keyword);
        self.next += usize::from(is_there);
        is_there
    }
}

fn join(mut parts: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => several(parts),
    }
}

/// A field's name, an alias written out.
fn name(token: &Token, text: &str) -> Result<String, SearchError> {
    let is_bare = matches!(token.kind, Kind::Word(_));
    if text.is_empty() {
        return Err(SearchError::new(token.at, "the name of a field is empty"));
    }
    if is_bare {
        unreserved(token.at, text)?;
        if text.contains(['*', '?']) {
            let message = format!("{text:?} has a wildcard, which names do not: put it in quotes");
            return Err(SearchError::new(token.at, message));
        }
    }
    Ok(match text {
        "source" => "__source__".to_owned(),
        _ => text.to_owned(),
    })
}

fn value(token: &Token) -> Result<Test, SearchError> {
    let at = token.at;
    match &token.kind {
        Kind::Word(word) => {
            unreserved(at, word)?;
            if word.starts_with(['*', '?']) {
                let message = "a value may not begin with * or ?: put it in quotes to look for it";
                return Err(SearchError::new(at, message));
            }
            if !word.contains(['*', '?']) {
                return Ok(Test::Words(word.clone()));
            }
            match word.chars().count() > PATTERN_MAX {
                true => Err(SearchError::new(
                    at,
                    format!("a value with * or ? may have {PATTERN_MAX} characters"),
                )),
                false => Ok(Test::Pattern(word.clone())),
            }
        }
        Kind::Quoted(text) | Kind::Phrase(text) if text.is_empty() => Err(SearchError::new(
            at,
            "there is nothing to look for between the quotes",
        )),
        Kind::Quoted(text) => Ok(Test::Words(text.clone())),
        Kind::Phrase(text) => phrase(at, text),
        Kind::Sign(sign) => Err(SearchError::new(at, format!("{sign:?} is no value"))),
    }
}

fn phrase(at: usize, text: &str) -> Result<Test, SearchError> {
    match text.is_empty() {
        true => Err(SearchError::new(
            at,
            "there is nothing to look for between the quotes",
        )),
        false => Ok(Test::Phrase(text.to_owned())),
    }
}

fn unreserved(at: usize, word: &str) -> Result<(), SearchError> {
    let is_reserved = is_any_of(word, &RESERVED) || is_any_of(word, &KEYWORDS);
    match is_reserved {
        true => Err(SearchError::new(
            at,
            format!("{word:?} is a reserved word: put it in quotes to look for it"),
        )),
        false => Ok(()),
    }
}

/// A decimal number; not those that only a machine writes, such as `1e5` or `inf`.
pub(super) fn number(word: &str) -> Option<Number> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_decimal = [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit()));
    if !is_decimal {
        return None;
    }
    match digits.contains('.') {
        true => word
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .map(Number::Double),
        false => word.parse().ok().map(Number::Long),
    }
}

const OPERATORS: [(&str, Operator); 5] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    (">", Operator::More),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];
/// Octets of a whole question; SQL has a limit of its own within it.
const TEXT_MAX: usize = 64 << 10;
/// What SLS takes.
const CONDITIONS_MAX: usize = 30;
/// More than thirty conditions need.
const DEPTH_MAX: usize = 32;
/// Each is tried at each character of a value.
const PATTERN_MAX: usize = 256;

#[cfg(test)]
mod tests;
