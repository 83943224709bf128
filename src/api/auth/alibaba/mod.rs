//! Signatures of Alibaba Cloud's control APIs.

mod rpc;
mod v3;

pub(super) use rpc::Rpc;
pub use rpc::sign_rpc;
pub(super) use v3::V3;

use jiff::Timestamp;

use super::replay::Nonce;

/// `2026-01-02T03:04:05Z`: that and nothing else, as other forms of the same
/// time would be other texts to sign.
fn time(text: &str) -> Option<Timestamp> {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:ddZ";
    let is_alike = |(octet, shape): (u8, &u8)| match shape {
        b'd' => octet.is_ascii_digit(),
        other => octet == *other,
    };
    let is_shaped = text.len() == SHAPE.len() && text.bytes().zip(SHAPE).all(is_alike);
    is_shaped.then(|| text.parse().ok()).flatten()
}

/// Unique for a key, in whichever of the two schemes.
fn nonce(text: &str) -> Nonce {
    Nonce::new(&["alibaba", text])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_one_form() {
        let second = |text| time(text).map(Timestamp::as_second);
        assert_eq!(second("2026-01-02T03:04:05Z"), Some(1_767_323_045));
        for text in [
            "",
            "2026-01-02T03:04:05",
            "2026-01-02t03:04:05z",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04:05.0Z",
            "2026-01-02T03:04:05+00:00",
            "+026-01-02T03:04:05Z",
            "2026-13-02T03:04:05Z",
            "2026-02-30T03:04:05Z",
            "2026-01-02T24:04:05Z",
            "２026-01-02T03:04:0Z",
            "1767323045",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
