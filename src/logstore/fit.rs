//! Typed columns out of octets: what fits one, and the column of what did.

use std::iter::Peekable;
use std::slice;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::DictionaryArray;
use arrow_array::Float64Array;
use arrow_array::UInt64Array;
use arrow_array::types::Int32Type;
use arrow_schema::ArrowError;
use datafusion::arrow::compute::cast;

use crate::flow::Kind;

/// A value that fits a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A number, or a time in milliseconds since 1970.
    Number(u64),
    /// Never negative, never infinite.
    Factor(f64),
    /// As it came.
    Text(&'a str),
}

/// The value that `octets` are in a column of this kind; none if the column
/// would not write them as they came, octet for octet.
pub(super) fn fit(kind: Kind, octets: &[u8]) -> Option<Value<'_>> {
    let text = std::str::from_utf8(octets).ok()?;
    let number = |max: u64| number(text).filter(|number| *number <= max);
    match kind {
        Kind::Text => Some(Value::Text(text)),
        Kind::Time => number(TIME_MAX_S).map(|seconds| Value::Number(seconds * 1000)),
        Kind::U8 => number(u64::from(u8::MAX)).map(Value::Number),
        Kind::U16 => number(u64::from(u16::MAX)).map(Value::Number),
        Kind::U32 => number(u64::from(u32::MAX)).map(Value::Number),
        Kind::U64 => number(u64::MAX).map(Value::Number),
        Kind::Factor => factor(text).map(Value::Factor),
        Kind::Map => None,
    }
}

/// Decimal digits alone, without a zero in front of others.
fn number(text: &str) -> Option<u64> {
    let is_plain = match text.as_bytes() {
        [b'0'] => true,
        [first, ..] => (b'1'..=b'9').contains(first),
        [] => false,
    };
    text.parse().ok().filter(|_| is_plain)
}

/// A number with a fraction or without, as a column of factors writes it.
fn factor(text: &str) -> Option<f64> {
    let is_plain =
        text.len() <= FACTOR_LEN_MAX && text.starts_with(|first: char| first.is_ascii_digit());
    let value: f64 = text.parse().ok().filter(|_| is_plain)?;
    (value.is_finite() && value.to_string() == text).then_some(value)
}

/// A column of so many rows, null where `cells`, by ascending rows, have none.
pub(super) fn column(
    kind: Kind,
    cells: &[(usize, Value<'_>)],
    rows: usize,
) -> Result<ArrayRef, ArrowError> {
    let cells = Dense {
        cells: cells.iter().peekable(),
        rows: 0..rows,
    };
    match kind {
        Kind::Text => {
            let text = |cell: Option<_>| match cell {
                Some(Value::Text(text)) => Some(text),
                Some(Value::Number(_) | Value::Factor(_)) | None => None,
            };
            let texts: DictionaryArray<Int32Type> = cells.map(text).collect();
            Ok(Arc::new(texts))
        }
        Kind::Factor => {
            let factor = |cell: Option<_>| match cell {
                Some(Value::Factor(factor)) => Some(factor),
                Some(Value::Number(_) | Value::Text(_)) | None => None,
            };
            Ok(Arc::new(cells.map(factor).collect::<Float64Array>()))
        }
        Kind::Time | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::Map => {
            let number = |cell: Option<_>| match cell {
                Some(Value::Number(number)) => Some(number),
                Some(Value::Factor(_) | Value::Text(_)) | None => None,
            };
            let numbers: UInt64Array = cells.map(number).collect();
            cast(&numbers, &kind.data_type())
        }
    }
}

/// A value or nothing for each row.
struct Dense<'c, 'a> {
    cells: Peekable<slice::Iter<'c, (usize, Value<'a>)>>,
    rows: std::ops::Range<usize>,
}

impl<'a> Iterator for Dense<'_, 'a> {
    type Item = Option<Value<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        let cell = self.cells.next_if(|(at, _)| *at == row);
        Some(cell.map(|(_, value)| *value))
    }
}

/// The last second that calendars of four-digit years have in every time zone.
const TIME_MAX_S: u64 = 253_402_207_200;
/// Longer ones are no factors.
const FACTOR_LEN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::TimestampMillisecondType;
    use arrow_array::types::UInt8Type;

    use super::*;

    #[test]
    fn what_a_column_would_write_otherwise_does_not_fit() {
        let number = |number| Some(Value::Number(number));
        let cases = [
            (Kind::U8, "0", number(0)),
            (Kind::U8, "255", number(255)),
            (Kind::U8, "256", None),
            (Kind::U16, "65535", number(65_535)),
            (Kind::U16, "65536", None),
            (Kind::U32, "4294967296", None),
            (Kind::U64, "18446744073709551615", number(u64::MAX)),
            (Kind::U64, "18446744073709551616", None),
            (Kind::U64, "007", None),
            (Kind::U64, "00", None),
            (Kind::U64, "+7", None),
            (Kind::U64, "-7", None),
            (Kind::U64, "7 ", None),
            (Kind::U64, "7.0", None),
            (Kind::U64, "", None),
            (Kind::U64, "\u{664}", None),
            (Kind::Time, "1795233600", number(1_795_233_600_000)),
            (Kind::Time, "253402207200", number(253_402_207_200_000)),
            (Kind::Time, "253402207201", None),
            (Kind::Time, "2026-11-21", None),
            (Kind::Factor, "1", Some(Value::Factor(1.0))),
            (Kind::Factor, "0.5", Some(Value::Factor(0.5))),
            (Kind::Factor, "1.0", None),
            (Kind::Factor, "1e3", None),
            (Kind::Factor, ".5", None),
            (Kind::Factor, "-0", None),
            (Kind::Factor, "inf", None),
            (Kind::Factor, "NaN", None),
            (Kind::Factor, "0.30000000000000000001", None),
            (Kind::Text, "", Some(Value::Text(""))),
            (Kind::Text, "\u{4f60}\0", Some(Value::Text("\u{4f60}\0"))),
            (Kind::Map, "1", None),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(fit(kind, text.as_bytes()), expected, "{kind:?} {text:?}");
        }
        assert_eq!(fit(Kind::Text, b"\xff"), None);
    }

    #[test]
    fn rows_without_a_value_are_null() {
        let cells = [(1, Value::Number(7)), (3, Value::Number(255))];
        let ports = column(Kind::U8, &cells, 5).unwrap();
        let ports: Vec<_> = ports.as_primitive::<UInt8Type>().iter().collect();
        assert_eq!(ports, [None, Some(7), None, Some(255), None]);
        let times = column(Kind::Time, &[(0, Value::Number(5_000))], 1).unwrap();
        assert_eq!(times.data_type(), &Kind::Time.data_type());
        assert_eq!(
            times.as_primitive::<TimestampMillisecondType>().value(0),
            5_000
        );
    }
}
