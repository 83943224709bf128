//! Numbers as decimal digits.

/// Digits of the largest number.
pub(super) const DIGITS_MAX: usize = 20;

/// Digits of a number.
#[inline]
pub(super) fn count(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    // log10(2) is a little more than 1233 / 4096: right, or one too small.
    let digits = usize::try_from((bits * 1233) >> 12).unwrap_or(DIGITS_MAX);
    digits + usize::from(POWERS.get(digits).is_some_and(|power| value >= *power))
}

/// Writes a number's last digits, as many as there is place for.
#[inline]
pub(super) fn fill(mut value: u64, digits: &mut [u8]) {
    let mut pairs = digits.rchunks_exact_mut(2);
    for pair in pairs.by_ref() {
        let [two, ..] = (value % 100).to_le_bytes();
        value /= 100;
        pair.copy_from_slice(PAIRS.get(usize::from(two)).unwrap_or(b"??"));
    }
    if let [first] = pairs.into_remainder() {
        let [one, ..] = (value % 10).to_le_bytes();
        *first = b'0' + one;
    }
}

/// By exponent, the powers of ten; 1 counts as 0, which has a digit too.
#[expect(
    clippy::indexing_slicing,
    reason = "no constant with a wrong index compiles"
)]
const POWERS: [u64; DIGITS_MAX] = {
    let mut powers = [0; DIGITS_MAX];
    let mut exponent = 1;
    let mut power = 1;
    while exponent < DIGITS_MAX {
        power *= 10;
        powers[exponent] = power;
        exponent += 1;
    }
    powers
};

/// The two digits of each number below 100.
#[expect(
    clippy::indexing_slicing,
    reason = "no constant with a wrong index compiles"
)]
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

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
