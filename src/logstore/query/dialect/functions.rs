//! Functions by the names they have in SLS.

use datafusion::sql::sqlparser::ast::BinaryOperator;
use datafusion::sql::sqlparser::ast::CaseWhen;
use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::ast::Function;
use datafusion::sql::sqlparser::ast::FunctionArg;
use datafusion::sql::sqlparser::ast::FunctionArgExpr;
use datafusion::sql::sqlparser::ast::FunctionArgumentClause;
use datafusion::sql::sqlparser::ast::FunctionArgumentList;
use datafusion::sql::sqlparser::ast::FunctionArguments;
use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::ast::ObjectName;
use datafusion::sql::sqlparser::ast::OrderByExpr;
use datafusion::sql::sqlparser::ast::OrderByOptions;
use datafusion::sql::sqlparser::ast::Spanned;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;

use super::compare;
use super::rewrite::Fault;

/// Makes of `call` what the engine calls it; another expression where it is no
/// call there.
pub(super) fn translate(call: &mut Function) -> Result<Option<Expr>, Fault> {
    let name = call.name.to_string().to_lowercase();
    if let Some((_, other)) = RENAMED.iter().find(|(known, _)| *known == name) {
        rename(call, other);
        return Ok(None);
    }
    // Those that compare are written out when all names are spelled.
    if SAME.contains(&name.as_str()) || compare::NAMES.contains(&name.as_str()) {
        return Ok(None);
    }
    let span = call.name.span();
    let wrong = |usage: &str| Fault::new(span, format!("{name} is written {usage}"));
    match name.as_str() {
        "if" => condition(call)
            .map(Some)
            .ok_or_else(|| wrong("if(condition, then, else)")),
        "mod" => remainder(call).map(Some).ok_or_else(|| wrong("mod(x, y)")),
        "count_if" => counted(call)
            .map(|()| None)
            .ok_or_else(|| wrong("count_if(condition)")),
        "max_by" => extreme(call, false)
            .map(|()| None)
            .ok_or_else(|| wrong("max_by(x, y)")),
        "min_by" => extreme(call, true)
            .map(|()| None)
            .ok_or_else(|| wrong("min_by(x, y)")),
        "approx_percentile" => percentile(call).map(|()| None).ok_or_else(|| {
            wrong("approx_percentile(x, 0.95) or approx_percentile(x, weight, 0.95)")
        }),
        "approx_distinct" => first_only(call)
            .map(|()| None)
            .ok_or_else(|| wrong("approx_distinct(x)")),
        "date_trunc" => truncated(call)
            .map(|()| None)
            .ok_or_else(|| wrong("date_trunc('minute', __time__)")),
        _ if GEOGRAPHIC.contains(&name.as_str()) => Err(Fault::new(
            span,
            format!("{name} is not there: it needs geographic data"),
        )),
        _ => Err(Fault::new(span, format!("there is no function {name}"))),
    }
}

/// The arguments, if they are plain ones.
pub(super) fn arguments(call: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    let plain = |argument: &FunctionArg| {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
            return None;
        };
        Some(expr.clone())
    };
    list.args.iter().map(plain).collect()
}

/// A call of one of the engine's functions.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let plain = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(plain).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn rename(call: &mut Function, name: &str) {
    call.name = ObjectName::from(vec![Ident::new(name)]);
}

fn set_arguments(call: &mut Function, arguments: Vec<Expr>) {
    if let FunctionArguments::List(list) = &mut call.args {
        let plain = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
        list.args = arguments.into_iter().map(plain).collect();
    }
}

fn condition(call: &Function) -> Option<Expr> {
    let mut arguments = arguments(call)?.into_iter();
    let (condition, result) = (arguments.next()?, arguments.next()?);
    let otherwise = arguments.next().map(Box::new);
    let case = Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result: otherwise,
    };
    arguments.next().is_none().then_some(case)
}

fn remainder(call: &Function) -> Option<Expr> {
    let [left, right] = arguments(call)?.try_into().ok()?;
    let nested = |side| Box::new(Expr::Nested(Box::new(side)));
    Some(Expr::Nested(Box::new(Expr::BinaryOp {
        left: nested(left),
        op: BinaryOperator::Modulo,
        right: nested(right),
    })))
}

/// `count(*) FILTER (WHERE condition)`.
fn counted(call: &mut Function) -> Option<()> {
    let [condition] = arguments(call)?.try_into().ok()?;
    narrow(call, condition);
    rename(call, "count");
    if let FunctionArguments::List(list) = &mut call.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Wildcard)];
    }
    Some(())
}

/// The first `x` by `y`, rows without a `y` left out.
fn extreme(call: &mut Function, is_ascending: bool) -> Option<()> {
    let [value, by] = arguments(call)?.try_into().ok()?;
    narrow(call, Expr::IsNotNull(Box::new(by.clone())));
    rename(call, "first_value");
    set_arguments(call, vec![value]);
    if let FunctionArguments::List(list) = &mut call.args {
        let clause = FunctionArgumentClause::OrderBy(vec![order(by, is_ascending)]);
        list.clauses.push(clause);
    }
    Some(())
}

fn narrow(call: &mut Function, condition: Expr) {
    let condition = match call.filter.take() {
        Some(before) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(before)),
            op: BinaryOperator::And,
            right: Box::new(Expr::Nested(Box::new(condition))),
        },
        None => condition,
    };
    call.filter = Some(Box::new(condition));
}

fn percentile(call: &mut Function) -> Option<()> {
    let mut rest = arguments(call)?;
    let name = match rest.len() {
        2 => "approx_percentile_cont",
        3 => "approx_percentile_cont_with_weight",
        _ => return None,
    };
    let value = rest.remove(0);
    rename(call, name);
    set_arguments(call, rest);
    call.within_group = vec![order(value, true)];
    Some(())
}

/// Without the error that may be allowed: the engine's is 0.8 %.
fn first_only(call: &mut Function) -> Option<()> {
    let mut rest = arguments(call)?;
    if rest.is_empty() || rest.len() > 2 {
        return None;
    }
    rest.truncate(1);
    set_arguments(call, rest);
    Some(())
}

/// SLS truncates seconds since 1970 too.
fn truncated(call: &mut Function) -> Option<()> {
    let [unit, time] = arguments(call)?.try_into().ok()?;
    let mut time_of = call.clone();
    rename(&mut time_of, "from_unixtime");
    set_arguments(&mut time_of, vec![time]);
    set_arguments(call, vec![unit, Expr::Function(time_of)]);
    Some(())
}

fn order(expr: Expr, is_ascending: bool) -> OrderByExpr {
    OrderByExpr {
        expr,
        options: OrderByOptions {
            asc: Some(is_ascending),
            nulls_first: None,
        },
        with_fill: None,
    }
}

/// What the engine, or this dialect's own functions, know by the same name.
const SAME: [&str; 69] = [
    "abs",
    "avg",
    "bool_and",
    "bool_or",
    "ceil",
    "coalesce",
    "concat",
    "corr",
    "count",
    "cume_dist",
    "current_date",
    "current_timestamp",
    "date_format",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "from_unixtime",
    "greatest",
    "ip_prefix",
    "ip_subnet_max",
    "ip_subnet_min",
    "ip_subnet_range",
    "ip_to_domain",
    "is_prefix_subnet_of",
    "is_subnet_of",
    "json_extract_scalar",
    "lag",
    "last_value",
    "lead",
    "least",
    "length",
    "ln",
    "log10",
    "log2",
    "lower",
    "ltrim",
    "max",
    "min",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "percent_rank",
    "power",
    "rank",
    "regexp_extract",
    "regexp_like",
    "replace",
    "reverse",
    "round",
    "row_number",
    "rtrim",
    "split_part",
    "sqrt",
    "starts_with",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "strpos",
    "substr",
    "substring",
    "sum",
    "time_series",
    "to_unixtime",
    "trim",
    "upper",
    "var_pop",
    "var_samp",
];
/// Names in SLS, and in the engine.
const RENAMED: [(&str, &str); 6] = [
    ("any_value", "first_value"),
    ("arbitrary", "first_value"),
    ("ceiling", "ceil"),
    ("pow", "power"),
    ("truncate", "trunc"),
    ("variance", "var_samp"),
];
/// Functions that ask where an address is.
const GEOGRAPHIC: [&str; 9] = [
    "ip_to_city",
    "ip_to_city_geo",
    "ip_to_country",
    "ip_to_country_code",
    "ip_to_geo",
    "ip_to_province",
    "ip_to_provider",
    "geohash",
    "mobile_city",
];
