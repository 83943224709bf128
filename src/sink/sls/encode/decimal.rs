//! Numbers as decimal digits.

/// Digits of the largest number.
pub(super) const DIGITS_MAX: usize = 20;

/// Writes the digits of `value` to the end of `buffer` and gives them.
pub(super) fn decimal(value: u64, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let (pairs, _) = buffer.as_chunks_mut::<2>();
    let mut left = value;
    for pair in pairs.iter_mut().rev() {
        let [two, ..] = (left % 100).to_le_bytes();
        *pair = [b'0' + two / 10, b'0' + two % 10];
        left /= 100;
        if left == 0 {
            break;
        }
    }
    let count = value.checked_ilog10().unwrap_or(0) + 1;
    let start = usize::try_from(count).map_or(0, |count| DIGITS_MAX.saturating_sub(count));
    buffer.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn text(value: u64) -> String {
        let mut buffer = [b'?'; DIGITS_MAX];
        String::from_utf8(decimal(value, &mut buffer).to_vec()).unwrap()
    }

    #[test]
    fn every_count_of_digits_is_written() {
        assert_eq!(text(0), "0");
        assert_eq!(text(u64::MAX), "18446744073709551615");
        for power in (0..20).map(|exponent| 10_u64.pow(exponent)) {
            for value in [power - 1, power, power + 1] {
                assert_eq!(text(value), value.to_string());
            }
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_number(value: u64, shift in 0_u32..64) {
            prop_assert_eq!(text(value >> shift), (value >> shift).to_string());
        }
    }
}
