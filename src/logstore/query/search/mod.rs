//! Questions as SLS asks them: `search | SQL`, or a search alone.

mod ast;
mod columns;
mod compile;
mod error;
mod finder;
mod index;
mod lexer;
mod parser;
mod plan;
mod tokens;

pub use ast::Bound;
pub use ast::Condition;
pub use ast::Number;
pub use ast::Operator;
pub use ast::Term;
pub use ast::Test;
pub(super) use columns::Contents;
pub use error::SearchError;
pub use index::FieldIndex;
pub use index::FieldKind;
pub use index::IndexConfig;
pub use index::IndexError;
pub use parser::SearchLimits;
pub use plan::Page;
pub use plan::Plan;
pub use plan::plan;
pub use plan::plan_within;
pub use tokens::Words;
