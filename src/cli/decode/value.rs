//! Field values as JSON, by the rules of the vendor corpus.
//!
//! Numbers, times in seconds and milliseconds, addresses, strings and booleans
//! have their natural form; what has none, and every enterprise's own element,
//! is `hex:…`. A field of no octets is null.

use serde_json::{Map, Number, Value as Json};

use crate::cli::text::hex;
use crate::element::DataType;
use crate::element::ElementId;
use crate::element::REVERSE_PEN;
use crate::element::V9_SCOPE_PEN;
use crate::element::iana;
use crate::wire::NtpTime;
use crate::wire::Value;
use crate::wire::unsigned;

/// RFC 3954 §6.1: what an option is about.
const V9_SCOPES: [(u16, &str); 5] = [
    (1, "System"),
    (2, "Interface"),
    (3, "LineCard"),
    (4, "Cache"),
    (5, "Template"),
];

/// The key of an element: its name in IANA's registry, or its numbers.
pub(super) fn name(id: ElementId) -> String {
    match id.pen {
        0 => iana(id.id).map_or_else(|| format!("0/{}", id.id), |element| element.name.to_owned()),
        V9_SCOPE_PEN => {
            let scope = V9_SCOPES.iter().find(|(scope, _)| *scope == id.id);
            scope.map_or_else(
                || format!("v9scope/{}", id.id),
                |(_, name)| format!("v9scope/{name}"),
            )
        }
        pen => format!("{pen}/{}", id.id),
    }
}

/// The value of a field.
pub(super) fn value(id: ElementId, octets: &[u8]) -> Json {
    let typed = match id.pen {
        V9_SCOPE_PEN => unsigned(octets).map(Value::Unsigned),
        0 | REVERSE_PEN => iana(id.id).map(|element| natural(element.data_type, octets)),
        _ => None,
    };
    match typed {
        _ if octets.is_empty() => Json::Null,
        Some(typed) => json(&typed).unwrap_or_else(|| Json::String(hex(octets))),
        None => Json::String(hex(octets)),
    }
}

/// A value by its type; unsigned256 as a number while 64 bits hold it.
fn natural(data_type: DataType, octets: &[u8]) -> Value<'_> {
    let small = if data_type == DataType::Unsigned256 {
        unsigned(octets)
    } else {
        None
    };
    small.map_or_else(|| Value::decode(data_type, octets), Value::Unsigned)
}

/// The natural form of a value; `None` if JSON has none.
pub(super) fn json(value: &Value<'_>) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Unsigned(number) | Value::Milliseconds(number) => (*number).into(),
        Value::Signed(number) => (*number).into(),
        Value::Float(number) => Json::Number(Number::from_f64(*number)?),
        Value::Boolean(truth) => (*truth).into(),
        Value::Mac(octets) => octets.map(|octet| format!("{octet:02x}")).join(":").into(),
        Value::Ipv4(address) => address.to_string().into(),
        Value::Ipv6(address) => address.to_string().into(),
        Value::Text(text) => text.clone().into_owned().into(),
        Value::Seconds(seconds) => (*seconds).into(),
        Value::Ntp(_) | Value::Octets(_) => return None,
    })
}

/// As [`json`], for a value whose octets are not at hand.
pub(super) fn json_or_hex(value: &Value<'_>) -> Json {
    if let Value::Ntp(NtpTime { seconds, fraction }) = value {
        return format!("hex:{seconds:08x}{fraction:08x}").into();
    }
    if let Value::Octets(octets) = value {
        return hex(octets).into();
    }
    json(value).unwrap_or_default()
}

/// Adds a field to a record; values of a repeated element become an array.
pub(super) fn put(fields: &mut Map<String, Json>, name: String, value: Json) {
    match fields.get_mut(&name) {
        None => {
            fields.insert(name, value);
        }
        Some(Json::Array(values)) => values.push(value),
        Some(first) => {
            let first_value = first.take();
            *first = Json::Array(vec![first_value, value]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(id: u16, octets: &[u8]) -> Json {
        value(ElementId::iana(id), octets)
    }

    #[test]
    fn each_type_has_its_form() {
        assert_eq!(of(1, &[1, 0]), json!(256));
        assert_eq!(of(1, &[0xff; 8]), json!(u64::MAX));
        assert_eq!(of(8, &[10, 0, 0, 1]), json!("10.0.0.1"));
        assert_eq!(of(27, &[0; 16]), json!("::"));
        assert_eq!(of(56, &[0, 0x1b, 2, 3, 4, 5]), json!("00:1b:02:03:04:05"));
        assert_eq!(of(82, b"eth0\0\0"), json!("eth0"));
        assert_eq!(of(82, b"\0\0"), json!(""));
        assert_eq!(of(152, &[0, 0, 1, 0, 0, 0, 0, 0]), json!(1_u64 << 40));
        assert_eq!(of(154, &[0; 8]), json!("hex:0000000000000000"));
        assert_eq!(of(276, &[2]), json!(false));
        assert_eq!(of(276, &[0]), json!(null));
        assert_eq!(of(320, &[0x3f, 0xc0, 0, 0]), json!(1.5));
        assert_eq!(of(434, &[0xff, 0xfe]), json!(-2));
        assert_eq!(of(293, &[3, 4]), json!("hex:0304"));
        assert_eq!(of(515, &[0, 0, 0, 4]), json!(4));
        assert_eq!(of(515, &[0; 9]), json!("hex:000000000000000000"));
    }

    #[test]
    fn what_does_not_fit_its_type_is_octets() {
        assert_eq!(of(8, &[1, 2, 3]), json!("hex:010203"));
        assert_eq!(of(1, &[0; 9]), json!("hex:000000000000000000"));
        assert_eq!(of(1, &[]), json!(null));
        assert_eq!(of(320, &[0x7f, 0x80, 0, 0]), json!("hex:7f800000"));
    }

    #[test]
    fn only_reverse_elements_of_enterprises_have_a_type() {
        let enterprise = |pen, id| ElementId { pen, id };
        assert_eq!(value(enterprise(REVERSE_PEN, 1), &[0, 9]), json!(9));
        assert_eq!(name(enterprise(REVERSE_PEN, 1)), "29305/1");
        assert_eq!(value(enterprise(9, 1), &[0, 9]), json!("hex:0009"));
        assert_eq!(name(enterprise(9, 1)), "9/1");
        assert_eq!(name(ElementId::iana(40_001)), "0/40001");
        assert_eq!(name(enterprise(V9_SCOPE_PEN, 2)), "v9scope/Interface");
    }

    #[test]
    fn a_repeated_element_is_an_array_in_wire_order() {
        let mut fields = Map::new();
        for number in [3, 1, 2] {
            put(&mut fields, "x".to_owned(), json!(number));
        }
        assert_eq!(Json::Object(fields), json!({"x": [3, 1, 2]}));
    }
}
