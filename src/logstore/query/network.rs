//! `cidr_contains(network, address)`: whether an address lies in a network.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::BooleanArray;
use arrow_array::StringArray;
use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use datafusion::arrow::compute::cast;
use datafusion::common::DataFusionError;
use datafusion::common::Result;
use datafusion::common::plan_err;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::ScalarFunctionArgs;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::ScalarUDFImpl;
use datafusion::logical_expr::Signature;
use datafusion::logical_expr::Volatility;

use crate::flowlog::Prefix;

/// The function, to be registered with a session.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(CidrContains {
        signature: Signature::any(2, Volatility::Immutable),
    })
}

/// Its first argument is a literal such as `'10.0.0.0/8'`, its second a text
/// column; what is no address lies in no network, null stays null.
#[derive(Debug, Eq, Hash, PartialEq)]
struct CidrContains {
    signature: Signature,
}

impl ScalarUDFImpl for CidrContains {
    fn name(&self) -> &'static str {
        "cidr_contains"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, call: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [network, addresses] = call.args.as_slice() else {
            return plan_err!("cidr_contains takes a network and an address");
        };
        let network = prefix(network)?;
        let addresses = addresses.to_array(call.number_rows)?;
        let answer = contained(network, &addresses)?;
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}

fn prefix(network: &ColumnarValue) -> Result<Prefix> {
    let text = match network {
        ColumnarValue::Scalar(scalar) => scalar.try_as_str().flatten(),
        ColumnarValue::Array(_) => None,
    };
    let Some(text) = text else {
        return plan_err!("the network of cidr_contains must be a text such as '10.0.0.0/8'");
    };
    Prefix::from_str(text).map_err(|error| DataFusionError::Plan(format!("{text}: {error}")))
}

/// Dictionaries are asked once per distinct address, not once per row.
fn contained(network: Prefix, addresses: &Arc<dyn Array>) -> Result<BooleanArray> {
    if let Some(dictionary) = addresses.as_any_dictionary_opt() {
        let values = contained(network, dictionary.values())?;
        let keys = dictionary.normalized_keys();
        let rows = keys.iter().enumerate().map(|(row, &key)| {
            let is_known = dictionary.keys().is_valid(row) && values.is_valid(key);
            is_known.then(|| values.value(key))
        });
        return Ok(rows.collect());
    }
    let texts = cast(addresses, &DataType::Utf8)?;
    let texts: &StringArray = texts.as_string();
    let answers = texts.iter().map(|text| {
        let address = text?.parse::<IpAddr>();
        Some(address.is_ok_and(|address| network.contains(address)))
    });
    Ok(answers.collect())
}

#[cfg(test)]
mod tests {
    use arrow_array::DictionaryArray;
    use arrow_array::types::Int32Type;
    use datafusion::common::ScalarValue;

    use super::*;

    fn ask(network: &str, addresses: Arc<dyn Array>) -> Result<Vec<Option<bool>>> {
        let network = ColumnarValue::Scalar(ScalarValue::from(network));
        let answer = contained(prefix(&network)?, &addresses)?;
        Ok(answer.iter().collect())
    }

    #[test]
    fn addresses_of_both_families_are_found_in_their_networks() {
        let column = StringArray::from(vec![
            Some("10.1.2.3"),
            Some("11.0.0.1"),
            Some("2001:db8::1"),
            Some("no address"),
            None,
        ]);
        let column: Arc<dyn Array> = Arc::new(column);
        let yes = Some(true);
        let no = Some(false);
        let v4 = ask("10.0.0.0/8", Arc::clone(&column)).unwrap();
        assert_eq!(v4, [yes, no, no, no, None]);
        let v6 = ask("2001:db8::/32", column).unwrap();
        assert_eq!(v6, [no, no, yes, no, None]);
    }

    #[test]
    fn a_dictionary_answers_row_by_row() {
        let column: DictionaryArray<Int32Type> =
            vec![Some("10.0.0.1"), Some("192.0.2.1"), None, Some("10.0.0.1")]
                .into_iter()
                .collect();
        let answer = ask("10.0.0.0/8", Arc::new(column)).unwrap();
        assert_eq!(answer, [Some(true), Some(false), None, Some(true)]);
    }

    #[test]
    fn what_is_no_network_is_refused_by_name() {
        let column: Arc<dyn Array> = Arc::new(StringArray::from(vec!["10.0.0.1"]));
        let error = ask("10.0.0.0/99", column).unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/99"), "{error}");
    }
}
