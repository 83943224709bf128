//! Numbers as decimal digits.

/// Digits of the largest number.
pub(super) const DIGITS_MAX: usize = 20;

/// Digits of a number.
pub(super) fn count(value: u64) -> usize {
    let power = value.checked_ilog10().unwrap_or(0);
    usize::try_from(power).map_or(DIGITS_MAX, |power| power + 1)
}

/// Writes a number's last digits, as many as there is place for.
pub(super) fn fill(mut value: u64, digits: &mut [u8]) {
    let mut pairs = digits.rchunks_exact_mut(2);
    for pair in pairs.by_ref() {
        let [two, ..] = (value % 100).to_le_bytes();
        value /= 100;
        pair.copy_from_slice(&[b'0' + two / 10, b'0' + two % 10]);
    }
    if let [first] = pairs.into_remainder() {
        let [one, ..] = (value % 10).to_le_bytes();
        *first = b'0' + one;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn text(value: u64) -> String {
        let mut digits = vec![b'?'; count(value)];
        fill(value, &mut digits);
        String::from_utf8(digits).unwrap()
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
