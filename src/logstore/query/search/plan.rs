//! The door of SLS's language: text in, a plan for the engine out.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::DataFusionError;
use datafusion::common::TableReference;
use datafusion::datasource::ViewTable;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::logical_expr::cast;
use datafusion::logical_expr::lit;
use datafusion::prelude::SessionContext;

use super::SearchError;
use super::ast::Condition;
use super::columns::Contents;
use super::columns::column;
use super::columns::shown;
use super::compile;
use super::index::IndexConfig;
use super::parser;
use super::parser::SearchLimits;
use crate::logstore::flows::REST;
use crate::logstore::numbering::FLOW_ID;
use crate::logstore::query::count::step;
use crate::logstore::query::dialect;
use crate::logstore::query::dialect::LOG;
use crate::logstore::query::dialect::Padding;
use crate::logstore::query::dialect::Sql;
use crate::logstore::query::dialect::log_before;
use crate::logstore::schema;

/// A question of a logstore, read and found to mean something.
#[derive(Clone, Debug)]
pub struct Plan {
    condition: Condition,
    times_s: Range<i64>,
    /// Nanoseconds after both of them.
    times_ns: (u32, u32),
    topic: Option<String>,
    index: IndexConfig,
    sql: Option<Sql>,
    pipe: Option<usize>,
}

/// Which of the logs that a search finds are given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    /// Logs left out in front.
    pub offset: usize,
    /// Logs at most; more than 100 count as 100.
    pub line: usize,
    /// The newest come first instead of the oldest.
    pub newest_first: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            offset: 0,
            line: LINES_MAX,
            newest_first: false,
        }
    }
}

/// Reads `search | SQL` about logs with a `__time__` from `from_s` up to, not
/// including, `to_s`, within default limits.
///
/// # Errors
/// Names what is wrong in `text` and where: SLS's `ParameterInvalid`. Columns
/// and types are only found wrong when the plan is run.
pub fn plan(text: &str, index: &IndexConfig, from_s: i64, to_s: i64) -> Result<Plan, SearchError> {
    plan_within(text, index, from_s, to_s, &SearchLimits::default())
}

/// The same as [`plan()`] within limits of one's own.
///
/// # Errors
/// As [`plan()`].
pub fn plan_within(
    text: &str,
    index: &IndexConfig,
    from_s: i64,
    to_s: i64,
    limits: &SearchLimits,
) -> Result<Plan, SearchError> {
    let (condition, pipe) = parser::parse(text, limits)?;
    // Where its fields are is only known when the plan is run.
    compile::compile(&condition, index, &Contents::default())?;
    let sql = pipe.map(|bar| {
        let at = bar + "|".len();
        let sql = text.get(at..).unwrap_or_default();
        dialect::read(sql, at, index)
    });
    Ok(Plan {
        condition,
        times_s: from_s..to_s,
        times_ns: (0, 0),
        topic: None,
        index: index.clone(),
        sql: sql.transpose()?,
        pipe,
    })
}

impl Plan {
    /// What is searched for, in front of SQL.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Whether SQL follows the search: the answer is then its rows, not logs.
    pub fn has_sql(&self) -> bool {
        self.sql.is_some()
    }

    /// Rows that SQL gives at most, as it says or else by default; 0 without.
    pub fn rows_max(&self) -> u64 {
        self.sql.as_ref().map_or(0, |sql| sql.rows_max)
    }

    /// Only logs of this topic.
    pub fn of_topic(mut self, topic: &str) -> Self {
        self.topic = Some(topic.to_owned());
        self
    }

    /// Only logs from so many nanoseconds after the first second on, and to so
    /// many after the last, not included.
    pub fn within_nanoseconds(mut self, from: u32, to: u32) -> Self {
        self.times_ns = (from, to);
        self
    }

    /// The search and the SQL of the text that the plan was made of.
    pub fn divide<'a>(&self, text: &'a str) -> (&'a str, &'a str) {
        let divided = self.pipe.and_then(|pipe| text.split_at_checked(pipe));
        let (search, sql) = divided.unwrap_or((text, ""));
        let sql = sql.strip_prefix('|').unwrap_or(sql);
        (search.trim(), sql.trim())
    }

    /// Seconds that logs are taken from, the last not included.
    pub(in crate::logstore::query) fn times_s(&self) -> &Range<i64> {
        &self.times_s
    }

    /// What a time series in the answer is filled up with.
    pub(in crate::logstore::query) fn padding(&self) -> Option<&Padding> {
        self.sql.as_ref().and_then(|sql| sql.padding.as_ref())
    }

    /// The engine's plan over `table`, which is a logstore of these contents.
    pub(in crate::logstore::query) async fn logical(
        &self,
        context: &SessionContext,
        table: Arc<dyn TableProvider>,
        contents: &Contents,
        page: Page,
    ) -> Result<LogicalPlan, DataFusionError> {
        let Some(sql) = &self.sql else {
            return self.logs(self.found(table, contents, 0)?, contents, page);
        };
        for function in dialect::functions() {
            context.register_udf(function);
        }
        let earlier = sql.shifts.iter().map(|shift| (log_before(*shift), *shift));
        for (name, shift) in earlier.chain([(LOG.to_owned(), 0)]) {
            let found = self.found(Arc::clone(&table), contents, shift)?;
            let view = found.project(self.visible(contents, shift))?.build()?;
            let view = Arc::new(ViewTable::new(view, None));
            context.register_table(TableReference::bare(name), view)?;
        }
        let plan = context
            .state()
            .statement_to_plan(sql.statement.clone())
            .await?;
        show_times(plan)
    }

    /// All columns of what is searched for, so many seconds before.
    fn found(
        &self,
        table: Arc<dyn TableProvider>,
        contents: &Contents,
        shift: u32,
    ) -> Result<LogicalPlanBuilder, DataFusionError> {
        let filter = compile::compile(&self.condition, &self.index, contents);
        let filter = filter.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let mut found = LogicalPlanBuilder::scan(TABLE, provider_as_source(table), None)?
            .filter(self.is_within(shift))?;
        if let Some(topic) = &self.topic {
            found = found.filter(column(schema::TOPIC).eq(lit(topic)))?;
        }
        found.filter(filter)
    }

    /// Whether a log is of the time asked for, or so many seconds before. Whole seconds come first: by
    /// them whole parts are left out.
    fn is_within(&self, shift: u32) -> Expr {
        let (time, ns) = (|| column(schema::TIME), || column(schema::TIME_NS_PART));
        let earlier = |second: i64| second.saturating_sub(i64::from(shift));
        let (from, to) = (earlier(self.times_s.start), earlier(self.times_s.end));
        let mut is_within = time().gt_eq(lit(from));
        if self.times_ns.0 > 0 {
            let later = time().gt(lit(from)).or(ns().gt_eq(lit(self.times_ns.0)));
            is_within = is_within.and(later);
        }
        if self.times_ns.1 == 0 {
            return is_within.and(time().lt(lit(to)));
        }
        let earlier = time().lt(lit(to)).or(ns().lt(lit(self.times_ns.1)));
        is_within.and(time().lt_eq(lit(to))).and(earlier)
    }

    /// How many logs are found in each step, for steps that have any: its
    /// number from 0 on, and its logs.
    pub(in crate::logstore::query) fn counted(
        &self,
        table: Arc<dyn TableProvider>,
        contents: &Contents,
        begins: Arc<[i64]>,
    ) -> Result<LogicalPlan, DataFusionError> {
        let step = step(begins, column(schema::TIME)).alias("step");
        let found = self.found(table, contents, 0)?;
        found
            .aggregate([step], [count(lit(1)).alias("logs")])?
            .build()
    }

    /// Columns of `log`: the fields of the index, each as what it says. The time
    /// of a log of so many seconds before is that many later.
    fn visible(&self, contents: &Contents, shift: u32) -> Vec<Expr> {
        let whole = |name| cast(column(name), DataType::Int64);
        let time = match shift {
            0 => whole(schema::TIME),
            shift => whole(schema::TIME) + lit(i64::from(shift)),
        };
        let own = [
            time.alias(schema::TIME),
            whole(schema::TIME_NS_PART).alias(schema::TIME_NS_PART),
        ];
        let reserved = [schema::TOPIC, schema::SOURCE].map(|name| column(name).alias(name));
        let is_ours = |name: &str| {
            [
                schema::TIME,
                schema::TIME_NS_PART,
                schema::TOPIC,
                schema::SOURCE,
            ]
            .contains(&name)
        };
        let fields = self
            .index
            .keys
            .iter()
            .filter(|(name, field)| field.is_for_sql && !is_ours(name));
        let fields = fields.flat_map(|(name, field)| {
            let taken = |alias: &&str| !self.index.keys.contains_key(*alias) && !is_ours(alias);
            let alias = field.alias.as_deref().filter(taken);
            let names = [Some(name.as_str()), alias].into_iter().flatten();
            names.map(|column| contents.typed(name, &field.kind).alias(column))
        });
        own.into_iter().chain(reserved).chain(fields).collect()
    }

    /// One page of logs, with all their fields.
    fn logs(
        &self,
        found: LogicalPlanBuilder,
        contents: &Contents,
        page: Page,
    ) -> Result<LogicalPlan, DataFusionError> {
        let order =
            [schema::TIME, schema::SEQ].map(|name| column(name).sort(!page.newest_first, false));
        let fields = schema::table_schema().fields().iter();
        let fields = fields
            .map(|field| field.name().as_str())
            .filter(|name| *name != schema::SEQ);
        let field = |name: &str| match name {
            REST | schema::TAGS => column(name),
            name => shown(name).alias(name),
        };
        let id = contents.flow_id().alias(FLOW_ID);
        found
            .sort(order)?
            .limit(page.offset, Some(page.line.min(LINES_MAX)))?
            .project(fields.map(field).chain([id]).collect::<Vec<_>>())?
            .build()
    }
}

/// `plan` with its timestamps as SLS writes them.
fn show_times(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let is_time = |kind: &DataType| matches!(kind, DataType::Timestamp(_, _));
    if !plan
        .schema()
        .fields()
        .iter()
        .any(|field| is_time(field.data_type()))
    {
        return Ok(plan);
    }
    let columns = plan.schema().iter().map(|(qualifier, field)| {
        let column = Expr::from((qualifier, field));
        match is_time(field.data_type()) {
            true => dialect::shown(column).alias(field.name()),
            false => column,
        }
    });
    let columns: Vec<_> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// What the logstore is called within a plan.
const TABLE: &str = "logstore";
/// What SLS gives at once.
const LINES_MAX: usize = 100;
