//! Signatures of Tencent Cloud's control APIs.

mod old;
mod tc3;

pub(super) use old::Old;
pub(super) use tc3::Tc3;

use jiff::Timestamp;

/// Where API 2.0 is served.
pub(super) const V2_PATH: &str = "/v2/index.php";

/// Seconds since 1970 in digits.
fn time(text: &str) -> Option<Timestamp> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    let second = text.parse().ok().filter(|_| is_number)?;
    Timestamp::from_second(second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_seconds() {
        let second = |text| time(text).map(Timestamp::as_second);
        assert_eq!(second("1767323045"), Some(1_767_323_045));
        assert_eq!(second("0"), Some(0));
        for text in [
            "",
            "-1",
            "+1767323045",
            "1767323045.5",
            "1e9",
            "17673230450000000",
            "99999999999999999999",
            "2026-01-02T03:04:05Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
