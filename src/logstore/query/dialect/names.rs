//! Names in the one spelling that a question and the index agree on: SLS takes
//! `Bytes` for `bytes`, the engine does not.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::ast::Query as SqlQuery;
use datafusion::sql::sqlparser::ast::Select;
use datafusion::sql::sqlparser::ast::SelectItem;
use datafusion::sql::sqlparser::ast::TableAlias;
use datafusion::sql::sqlparser::ast::TableFactor;
use datafusion::sql::sqlparser::ast::Visit;
use datafusion::sql::sqlparser::ast::Visitor;

use crate::logstore::query::search::IndexConfig;
use crate::logstore::schema;

/// Spellings by names in small letters.
#[derive(Default)]
pub(super) struct Names {
    spellings: BTreeMap<String, String>,
    /// Tables that WITH defines, in small letters.
    tables: BTreeSet<String>,
}

impl Names {
    /// Those of the index first, then those the question itself gives.
    pub(super) fn new(query: &SqlQuery, index: &IndexConfig) -> Self {
        let mut names = Self::default();
        for name in [
            schema::TIME,
            schema::TIME_NS_PART,
            schema::TOPIC,
            schema::SOURCE,
        ] {
            names.learn(name);
        }
        for (name, field) in &index.keys {
            names.learn(name);
            names.learn(field.alias.as_deref().unwrap_or(name));
        }
        // It is never broken off.
        let _ = query.visit(&mut names);
        names
    }

    /// `name` in quotes, spelled as where it was first met.
    pub(super) fn spell(&self, name: &mut Ident) {
        if let Some(spelling) = self.spellings.get(&name.value.to_lowercase()) {
            name.value.clone_from(spelling);
        }
        name.quote_style = Some('"');
    }

    pub(super) fn spell_alias(&self, alias: &mut TableAlias) {
        self.spell(&mut alias.name);
        for column in &mut alias.columns {
            self.spell(&mut column.name);
        }
    }

    /// Whether WITH defines a table of this name.
    pub(super) fn is_defined(&self, table: &str) -> bool {
        self.tables.contains(&table.to_lowercase())
    }

    fn learn(&mut self, name: &str) {
        let spelling = self.spellings.entry(name.to_lowercase());
        spelling.or_insert_with(|| name.to_owned());
    }

    fn learn_alias(&mut self, alias: &TableAlias) {
        self.learn(&alias.name.value);
        for column in &alias.columns {
            self.learn(&column.name.value);
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &SqlQuery) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.learn_alias(&table.alias);
            self.tables.insert(table.alias.name.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.learn(&alias.value);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } = table
        {
            self.learn_alias(alias);
        }
        ControlFlow::Continue(())
    }
}
