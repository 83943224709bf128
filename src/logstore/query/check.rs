//! Limits on the text of a question, checked before any of it is planned.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::sql::parser::DFParserBuilder;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::Visit;
use datafusion::sql::sqlparser::ast::Visitor;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;

use super::QueryError;
use super::QueryErrorKind;
use super::expand;

/// The one SELECT or EXPLAIN that `sql` holds.
pub(super) fn one_question(sql: &str) -> Result<Statement, QueryError> {
    if sql.len() > TEXT_BYTES_MAX {
        return Err(too_complex(format!(
            "{} octets of text, at most {TEXT_BYTES_MAX}",
            sql.len()
        )));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    let tokens =
        tokens.map_err(|error| QueryError::new(QueryErrorKind::Syntax, error.to_string()))?;
    count(&tokens)?;
    let mut parser = DFParserBuilder::new(sql)
        .with_recursion_limit(PARSER_DEPTH_MAX)
        .build()?;
    let mut statements = parser
        .parse_statements()
        .map_err(|error| parse_error(&error))?;
    let statement = only_one(&mut statements)?;
    let query = question(&statement)?;
    measure(query)?;
    expand::expand(query)?;
    Ok(statement)
}

/// Refuses text whose tree could be too large, while it is still flat.
fn count(tokens: &[Token]) -> Result<(), QueryError> {
    let real = |token: &&Token| !matches!(token, Token::Whitespace(_));
    let total = tokens.iter().filter(real).count();
    let mut run = 0;
    for token in tokens.iter().filter(real) {
        run = if opens(token) { run + 1 } else { 0 };
        if run > DEPTH_MAX {
            return Err(too_deep());
        }
    }
    if total > TOKENS_MAX {
        return Err(too_complex(format!(
            "{total} words and signs, at most {TOKENS_MAX}"
        )));
    }
    Ok(())
}

/// Whether a level begins here. The parser loses its way in long runs of these.
fn opens(token: &Token) -> bool {
    let is_not = |token: &Token| matches!(token, Token::Word(word) if word.keyword == Keyword::NOT);
    is_not(token)
        || matches!(
            token,
            Token::LParen | Token::Minus | Token::Plus | Token::Tilde
        )
}

fn only_one(statements: &mut VecDeque<Statement>) -> Result<Statement, QueryError> {
    match (statements.len(), statements.pop_front()) {
        (1, Some(statement)) => Ok(statement),
        (0, _) => Err(QueryError::new(
            QueryErrorKind::Syntax,
            "there is no question: write a SELECT",
        )),
        (count, _) => {
            let message = format!("{count} statements: ask one question at a time");
            Err(QueryError::new(QueryErrorKind::Unsupported, message))
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is refused, also what a later parser learns"
)]
fn question(statement: &Statement) -> Result<&SqlQuery, QueryError> {
    match statement {
        Statement::Statement(inner) => match inner.as_ref() {
            SqlStatement::Query(query) => return Ok(query),
            SqlStatement::Explain { statement, .. } => {
                if let SqlStatement::Query(query) = statement.as_ref() {
                    return Ok(query);
                }
            }
            _ => {}
        },
        Statement::Explain(explain) => return question(&explain.statement),
        _ => {}
    }
    Err(QueryError::new(
        QueryErrorKind::Unsupported,
        "only SELECT and EXPLAIN of a SELECT are answered",
    ))
}

fn measure(query: &SqlQuery) -> Result<(), QueryError> {
    let mut measure = Measure::default();
    match query.visit(&mut measure) {
        ControlFlow::Continue(()) if measure.terms <= TERMS_MAX => Ok(()),
        ControlFlow::Continue(()) => Err(too_complex(format!(
            "{} names and values, at most {TERMS_MAX}",
            measure.terms
        ))),
        ControlFlow::Break(()) => Err(too_deep()),
    }
}

/// How deep expressions nest, and how many names and values they have. A chain
/// of one operator, as in `a OR b OR c`, is one level: its length is a matter
/// of [`TERMS_MAX`].
#[derive(Default)]
struct Measure {
    terms: usize,
    depth: usize,
    operators: Vec<Option<BinaryOperator>>,
}

impl Visitor for Measure {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if is_term(expr) {
            self.terms += 1;
        }
        let operator = operator(expr);
        if !self.continues(operator.as_ref()) {
            self.depth += 1;
        }
        self.operators.push(operator);
        match self.depth > DEPTH_MAX {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        let operator = self.operators.pop().flatten();
        if !self.continues(operator.as_ref()) {
            self.depth -= 1;
        }
        ControlFlow::Continue(())
    }
}

impl Measure {
    fn continues(&self, operator: Option<&BinaryOperator>) -> bool {
        let above = self.operators.last().and_then(Option::as_ref);
        operator.is_some() && operator == above
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only one kind of expression makes chains"
)]
fn operator(expr: &Expr) -> Option<BinaryOperator> {
    match expr {
        Expr::BinaryOp { op, .. } => Some(op.clone()),
        _ => None,
    }
}

fn is_term(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::TypedString(_)
    )
}

fn parse_error(error: &datafusion::common::DataFusionError) -> QueryError {
    let text = error.strip_backtrace();
    match text.contains("RecursionLimitExceeded") {
        true => too_deep(),
        false => QueryError::new(QueryErrorKind::Syntax, text),
    }
}

fn too_deep() -> QueryError {
    too_complex(format!("expressions nest deeper than {DEPTH_MAX}"))
}

fn too_complex(what: String) -> QueryError {
    QueryError::new(QueryErrorKind::TooComplex, format!("too complex: {what}"))
}

/// Levels of nested expressions.
const DEPTH_MAX: usize = 64;
/// Names and values in one question.
const TERMS_MAX: usize = 1000;
/// Words and signs: a bound on the depth of any tree, chains included.
const TOKENS_MAX: usize = 4 * TERMS_MAX;
/// Octets of text.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// What the parser counts as a level is less than an expression's.
const PARSER_DEPTH_MAX: usize = 4 * DEPTH_MAX;
