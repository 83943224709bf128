//! The dialect's own functions that take texts, row by row.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::BooleanArray;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::arrow::compute::regexp_match;
use datafusion::common::DataFusionError;
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;
use serde_json::Value;

use super::lists;
use super::network::Subnet;
use super::network::domain;
use super::times;

/// All functions of the dialect that the engine lacks.
pub(in crate::logstore::query) fn functions() -> Vec<ScalarUDF> {
    let of_texts = TEXTS.iter().map(|(name, what, counts)| {
        ScalarUDF::from(OfTexts {
            name,
            what: *what,
            signature: Signature::one_of(
                counts
                    .iter()
                    .map(|count| datafusion::logical_expr::TypeSignature::Any(*count))
                    .collect(),
                Volatility::Immutable,
            ),
        })
    });
    of_texts
        .chain(times::functions())
        .chain(lists::functions())
        .collect()
}

/// A function whose arguments are all read as text.
#[derive(Debug, Eq, Hash, PartialEq)]
struct OfTexts {
    name: &'static str,
    what: What,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum What {
    Prefix,
    IsSubnetOf,
    SubnetMin,
    SubnetMax,
    SubnetRange,
    Domain,
    Json,
    Extract,
}

impl ScalarUDFImpl for OfTexts {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.what {
            What::IsSubnetOf => DataType::Boolean,
            What::Prefix
            | What::SubnetMin
            | What::SubnetMax
            | What::SubnetRange
            | What::Domain
            | What::Json
            | What::Extract => DataType::Utf8,
        })
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = call.args.iter().map(|argument| {
            let values = argument.to_array(call.number_rows)?;
            cast(&values, &DataType::Utf8).map_err(DataFusionError::from)
        });
        let texts: Vec<ArrayRef> = texts.collect::<Result<_>>()?;
        let [first, rest @ ..] = texts.as_slice() else {
            return plan_err!("{} takes arguments", self.name);
        };
        let first: &StringArray = first.as_string();
        let second = rest.first().map(|second| second.as_string::<i32>());
        let answer: ArrayRef = match (self.what, second) {
            (What::Extract, Some(pattern)) => Arc::new(extract(first, pattern, rest.get(1))?),
            (What::IsSubnetOf, Some(second)) => {
                let pairs = first.iter().zip(second);
                let row = |(outer, inner): (Option<&str>, Option<&str>)| {
                    Some(is_subnet_of(outer?, inner?))
                };
                Arc::new(pairs.map(row).collect::<BooleanArray>())
            }
            (what, None) => {
                let row = |text: Option<&str>| of_one(what, text?);
                Arc::new(first.iter().map(row).collect::<StringArray>())
            }
            (what, Some(second)) => {
                let row = |(text, other): (Option<&str>, Option<&str>)| of_two(what, text?, other?);
                Arc::new(first.iter().zip(second).map(row).collect::<StringArray>())
            }
        };
        Ok(ColumnarValue::Array(answer))
    }
}

fn is_subnet_of(outer: &str, inner: &str) -> bool {
    let both = Subnet::parse(outer).zip(Subnet::parse(inner));
    both.is_some_and(|(outer, inner)| outer.contains(inner))
}

fn of_one(what: What, text: &str) -> Option<String> {
    match what {
        What::SubnetMin => Some(Subnet::parse(text)?.lowest().to_string()),
        What::SubnetMax => Some(Subnet::parse(text)?.highest().to_string()),
        What::SubnetRange => {
            let subnet = Subnet::parse(text)?;
            Some(format!("[{}, {}]", subnet.lowest(), subnet.highest()))
        }
        What::Domain => Some(domain(text).to_owned()),
        What::Prefix | What::IsSubnetOf | What::Json | What::Extract => None,
    }
}

fn of_two(what: What, text: &str, other: &str) -> Option<String> {
    match what {
        What::Prefix => {
            let prefix = Subnet::new(text.parse().ok()?, other.parse().ok()?)?;
            Some(prefix.prefix())
        }
        What::Json => json(text, other),
        What::IsSubnetOf
        | What::SubnetMin
        | What::SubnetMax
        | What::SubnetRange
        | What::Domain
        | What::Extract => None,
    }
}

/// The scalar at a path such as `$.a.b[0]`.
fn json(text: &str, path: &str) -> Option<String> {
    let root: Value = serde_json::from_str(text).ok()?;
    let mut value = &root;
    for step in path
        .strip_prefix('$')?
        .split(['.', '['])
        .filter(|step| !step.is_empty())
    {
        value = match step.strip_suffix(']') {
            Some(index) => value.get(index.parse::<usize>().ok()?)?,
            None => value.get(step)?,
        };
    }
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a pattern, or one of its groups, is in each text.
fn extract(
    texts: &StringArray,
    patterns: &StringArray,
    groups: Option<&ArrayRef>,
) -> Result<StringArray> {
    let mut around = patterns.iter().flatten();
    let Some(pattern) = around.next() else {
        return Ok(StringArray::new_null(texts.len()));
    };
    if around.any(|other| other != pattern) {
        return plan_err!("the pattern of regexp_extract must be a text such as '^eth(.*)'");
    }
    let group = match groups.map(|groups| groups.as_string::<i32>()) {
        Some(groups) => groups.iter().flatten().next().unwrap_or("0"),
        None => "0",
    };
    let Ok(group) = group.parse::<usize>() else {
        return plan_err!("the group of regexp_extract must be a number");
    };
    // In a group of its own, so that the whole match is the first.
    let pattern = StringArray::new_scalar(format!("({pattern})"));
    let found = regexp_match(texts, &pattern, None)?;
    let row = |row: Option<ArrayRef>| {
        let row = row?;
        let groups: &StringArray = row.as_string_opt()?;
        (group < groups.len() && groups.is_valid(group)).then(|| groups.value(group).to_owned())
    };
    Ok(found.as_list::<i32>().iter().map(row).collect())
}

/// Names, what they are, and how many arguments they may have.
const TEXTS: [(&str, What, &[usize]); 9] = [
    ("ip_prefix", What::Prefix, &[2]),
    ("is_subnet_of", What::IsSubnetOf, &[2]),
    ("is_prefix_subnet_of", What::IsSubnetOf, &[2]),
    ("ip_subnet_min", What::SubnetMin, &[1]),
    ("ip_subnet_max", What::SubnetMax, &[1]),
    ("ip_subnet_range", What::SubnetRange, &[1]),
    ("ip_to_domain", What::Domain, &[1]),
    ("json_extract_scalar", What::Json, &[2]),
    ("regexp_extract", What::Extract, &[2, 3]),
];
