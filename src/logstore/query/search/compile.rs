//! A search as a filter over the columns of a logstore.

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::lit;

use super::SearchError;
use super::ast::Bound;
use super::ast::Condition;
use super::ast::Number;
use super::ast::Operator;
use super::ast::Term;
use super::ast::Test;
use super::columns::Contents;
use super::columns::column;
use super::columns::shown;
use super::finder::finds;
use super::index::FieldKind;
use super::index::IndexConfig;
use super::parser;
use super::tokens::Matcher;
use super::tokens::Words;
use crate::logstore::flows::REST;
use crate::logstore::schema;

/// True for logs that fulfil `condition`; null only where they do not.
pub(super) fn compile(
    condition: &Condition,
    index: &IndexConfig,
    contents: &Contents,
) -> Result<Expr, SearchError> {
    let compile = |condition: &Condition| compile(condition, index, contents);
    match condition {
        Condition::Everything => Ok(lit(true)),
        Condition::Term(term) => compile_term(term, index, contents),
        // What has no such field has not the value either.
        Condition::Not(inner) => Ok(compile(inner)?.is_not_true()),
        Condition::And(parts) => joined(parts, compile, Expr::and),
        Condition::Or(parts) => joined(parts, compile, Expr::or),
    }
}

fn joined(
    parts: &[Condition],
    compile: impl Fn(&Condition) -> Result<Expr, SearchError>,
    join: fn(Expr, Expr) -> Expr,
) -> Result<Expr, SearchError> {
    let mut parts = parts.iter().map(compile);
    let first = parts.next().unwrap_or(Ok(lit(true)))?;
    parts.try_fold(first, |before, part| Ok(join(before, part?)))
}

fn compile_term(
    term: &Term,
    index: &IndexConfig,
    contents: &Contents,
) -> Result<Expr, SearchError> {
    let Some(field) = &term.field else {
        return anywhere(term.at, &term.test, index, contents);
    };
    let Some(kind) = index.kind(field) else {
        let message = format!(
            "{field:?} is not in the index: add it there, or put a text with a colon in quotes"
        );
        return Err(SearchError::new(term.at, message));
    };
    match &term.test {
        Test::Exists => Ok(contents.exists(field)),
        Test::Empty => match kind {
            FieldKind::Text(_) => Ok(contents.typed(field, &kind).eq(lit(""))),
            FieldKind::Long | FieldKind::Double => Ok(lit(false)),
        },
        Test::Compare(operator, number) => match kind {
            FieldKind::Text(_) => as_words(term, index, contents),
            FieldKind::Long | FieldKind::Double => {
                Ok(compare(contents.typed(field, &kind), *operator, *number))
            }
        },
        Test::Between(low, high) => match kind {
            FieldKind::Text(_) => as_words(term, index, contents),
            FieldKind::Long | FieldKind::Double => {
                Ok(between(&contents.typed(field, &kind), *low, *high))
            }
        },
        Test::Words(_) | Test::Pattern(_) | Test::Phrase(_) => text(term, field, &kind, contents),
    }
}

/// Words of one field.
fn text(
    term: &Term,
    field: &str,
    kind: &FieldKind,
    contents: &Contents,
) -> Result<Expr, SearchError> {
    if let FieldKind::Text(words) = kind {
        let matcher = matcher(term.at, &term.test, words)?;
        // A plain comparison lets whole parts be left out.
        return Ok(match matcher.exactly() {
            Some(word) => contents.typed(field, kind).eq(lit(word)),
            None => {
                let places = contents.places(field).into_iter();
                finds(places.map(|place| (place, matcher.clone())).collect())
            }
        });
    }
    let number = match &term.test {
        Test::Words(text) => parser::number(text),
        Test::Pattern(_)
        | Test::Phrase(_)
        | Test::Exists
        | Test::Empty
        | Test::Compare(_, _)
        | Test::Between(_, _) => None,
    };
    match number {
        Some(number) => Ok(compare(
            contents.typed(field, kind),
            Operator::Equal,
            number,
        )),
        None => Err(SearchError::new(
            term.at,
            format!("{field:?} is a number: write {field}:5, {field} > 5 or {field} in [1 5]"),
        )),
    }
}

/// Words of any field, each divided as its index says, or else as whole logs are.
fn anywhere(
    at: usize,
    test: &Test,
    index: &IndexConfig,
    contents: &Contents,
) -> Result<Expr, SearchError> {
    let mut searched = Vec::new();
    let words = |name: &str| match index.keys.get(name).map(|field| &field.kind) {
        Some(FieldKind::Text(words)) => Some(words.clone()),
        Some(FieldKind::Long | FieldKind::Double) | None => index.line.clone(),
    };
    let mut search = |name: &str, place: Expr| {
        let matcher = words(name).and_then(|words| Matcher::new(test, &words));
        searched.extend(matcher.map(|matcher| (place, matcher)));
    };
    let table = schema::table_schema().fields();
    let columns = table.iter().map(|field| field.name().as_str());
    for name in columns.filter(|name| !HIDDEN.contains(name)) {
        search(name, shown(name));
    }
    // The columns have been searched; what the maps have falls into words of its own.
    for name in index.keys.keys() {
        let is_column = schema::table_schema().field_with_name(name).is_ok();
        let places = contents.places(name).into_iter();
        for place in places.skip(usize::from(is_column && !HIDDEN.contains(&name.as_str()))) {
            search(name, place);
        }
    }
    if let Some(matcher) = index
        .line
        .as_ref()
        .and_then(|words| Matcher::new(test, words))
    {
        searched.push((column(schema::TAGS), matcher.clone()));
        searched.push((column(REST), matcher));
    }
    match searched.is_empty() {
        false => Ok(finds(searched)),
        true if index.line.is_none() => Err(SearchError::new(
            at,
            "whole logs are not in the index: name a field, as in srcaddr:10.0.0.1",
        )),
        true => Err(nothing(at)),
    }
}

/// What SLS makes of a number asked of a text: words like any other.
fn as_words(term: &Term, index: &IndexConfig, contents: &Contents) -> Result<Expr, SearchError> {
    let words = Test::Words(term.to_string());
    anywhere(term.at, &words, index, contents)
}

fn matcher(at: usize, test: &Test, words: &Words) -> Result<Matcher, SearchError> {
    Matcher::new(test, words).ok_or_else(|| nothing(at))
}

fn nothing(at: usize) -> SearchError {
    SearchError::new(at, "there is no word to look for: all of it divides words")
}

fn compare(value: Expr, operator: Operator, number: Number) -> Expr {
    let number = match number {
        Number::Long(number) => lit(number),
        Number::Double(number) => lit(number),
    };
    match operator {
        Operator::More => value.gt(number),
        Operator::AtLeast => value.gt_eq(number),
        Operator::Less => value.lt(number),
        Operator::AtMost => value.lt_eq(number),
        Operator::Equal => value.eq(number),
    }
}

fn between(value: &Expr, low: Bound, high: Bound) -> Expr {
    let from = if low.is_included {
        Operator::AtLeast
    } else {
        Operator::More
    };
    let to = if high.is_included {
        Operator::AtMost
    } else {
        Operator::Less
    };
    compare(value.clone(), from, low.number).and(compare(value.clone(), to, high.number))
}

/// Columns of ours that are no field of a log, and the maps.
const HIDDEN: [&str; 6] = [
    schema::SEQ,
    schema::TIME,
    schema::TIME_NS_PART,
    schema::RECEIVE_TIME,
    schema::TAGS,
    REST,
];
