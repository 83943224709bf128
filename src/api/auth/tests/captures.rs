//! Requests that real SDKs sent.

use super::*;

struct Capture {
    label: String,
    is_good: bool,
    scheme: String,
    string_to_sign: String,
    sample: Sample,
}

/// All but the CONNECT, which asks a proxy.
fn captures() -> Vec<Capture> {
    let lines = lines(include_str!("../testdata/control/captures.jsonl"));
    assert_eq!(lines.len(), 88);
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let ours = lines.iter().filter(|line| line["method"] != "CONNECT");
    ours.map(|line| Capture {
        label: text(line, "label"),
        is_good: line["signature_ok"].as_bool().unwrap(),
        scheme: text(line, "scheme"),
        string_to_sign: text(line, "string_to_sign"),
        sample: Sample::of(line),
    })
    .collect()
}

/// One capture has a token for a key that has none in the others.
fn credentials(label: &str) -> Credentials {
    if label == "tc3.token" {
        Credentials::new([credential(TENCENT, Some("tok+/="))])
    } else {
        ours()
    }
}

/// What verifies with [`ours`].
pub(super) fn good() -> Vec<Sample> {
    let captures = captures().into_iter();
    let good = captures.filter(|capture| capture.is_good && capture.label != "tc3.token");
    good.map(|capture| capture.sample).collect()
}

#[test]
fn captured_requests_verify_and_those_with_a_bad_secret_do_not() {
    let (mut good, mut bad) = (0, 0);
    let mut replays = Replays::default();
    for capture in captures() {
        let credentials = credentials(&capture.label);
        let verdict = capture
            .sample
            .verify(&credentials, CAPTURED_AT, &mut replays);
        let verdict = verdict.map(|proof| proof.credential.is_some());
        if capture.is_good {
            good += 1;
            assert_eq!(verdict, Ok(true), "{}", capture.label);
        } else {
            bad += 1;
            let string_to_sign = capture.string_to_sign;
            let denial = Denial::Mismatch { string_to_sign };
            assert_eq!(verdict, Err(denial), "{}", capture.label);
            assert!(capture.label.ends_with(".badsecret"));
        }
    }
    assert_eq!((good, bad), (84, 3));
}

/// Aliases of the server's name apart, it would have signed the same text.
#[test]
fn captured_requests_are_canonicalised_alike() {
    let mut alike = 0;
    for capture in captures() {
        let (_, scheme) = capture.sample.scheme();
        let unsigned = capture.sample.unsigned();
        let verdict = unsigned.verdict(&credentials(&capture.label), CAPTURED_AT);
        let Err(Denial::Mismatch { string_to_sign }) = verdict else {
            panic!("{}: {verdict:?}", capture.label);
        };
        if capture.label == "qc2.generateUrl.http" {
            assert_eq!(scheme, Scheme::TencentOld);
            assert_ne!(string_to_sign, capture.string_to_sign);
        } else {
            alike += 1;
            assert_eq!(string_to_sign, capture.string_to_sign, "{}", capture.label);
        }
    }
    assert_eq!(alike, 86);
}

#[test]
fn captured_requests_are_known_by_api_and_scheme() {
    for capture in captures() {
        let (api, scheme) = capture.sample.scheme();
        let expected = match capture.scheme.as_str() {
            "ACS-RPC-HMAC-SHA1" => (Api::Alibaba, Scheme::AlibabaRpc),
            "ACS3-HMAC-SHA256" => (Api::Alibaba, Scheme::AlibabaV3),
            "TC3-HMAC-SHA256" => (Api::TencentV3, Scheme::TencentV3),
            _ if capture.label.starts_with("tc3.") => (Api::TencentV3, Scheme::TencentOld),
            _ => (Api::TencentV2, Scheme::TencentOld),
        };
        assert_eq!((api, scheme), expected, "{}", capture.label);
        let named = |arrived: &Arrived<'_>| {
            let action = scheme.action(arrived).is_some();
            (action, scheme.version(arrived).is_some())
        };
        let has_version = api != Api::TencentV2;
        let named = capture.sample.arrived(named);
        assert_eq!(named, Some((true, has_version)), "{}", capture.label);
    }
}

/// Each of the schemes with a nonce takes a request once.
#[test]
fn captured_requests_are_not_taken_twice() {
    let mut replays = Replays::default();
    let credentials = ours();
    let mut with_nonce = 0;
    for sample in good() {
        let mut verify = || sample.verify(&credentials, CAPTURED_AT, &mut replays);
        assert!(verify().is_ok());
        let again = verify().map(|_| ());
        let (_, scheme) = sample.scheme();
        if scheme == Scheme::TencentV3 {
            assert_eq!(again, Ok(()));
        } else {
            with_nonce += 1;
            assert_eq!(again, Err(Denial::NonceUsed));
        }
    }
    assert_eq!((with_nonce, replays.len()), (70, 70));
}
