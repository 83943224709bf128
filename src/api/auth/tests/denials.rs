//! Each way in which a request is not believed.

use super::*;

#[track_caller]
fn is_denied(sample: &Sample, denial: &Denial) {
    assert_eq!(sample.judged().as_ref(), Err(denial));
}

#[track_caller]
fn is_mismatch(sample: &Sample) {
    let verdict = sample.judged();
    assert!(
        matches!(verdict, Err(Denial::Mismatch { .. })),
        "{verdict:?}"
    );
}

fn missing(name: &'static str) -> Denial {
    Denial::MissingParam { name }
}

#[test]
fn well_signed_requests_are_believed() {
    for sample in [rpc(), acs3(), tc3(), old()] {
        assert_eq!(sample.judged(), Ok(()));
    }
}

#[test]
fn nothing_is_asked_of_an_open_server() {
    let open = Credentials::open();
    let mut replays = Replays::default();
    for sample in [
        rpc(),
        acs3(),
        tc3(),
        old(),
        Sample::new("GET", "/", &[], ""),
    ] {
        let sample = Sample {
            method: "PUT".to_owned(),
            ..sample
        };
        let proof = sample.verify(&open, "2031-01-01T00:00:00Z", &mut replays);
        let proof = proof.unwrap();
        assert!(proof.credential.is_none());
        assert!(proof.may(Product::Smartag, "DeleteFlowLog"));
    }
    assert!(replays.is_empty());
}

#[test]
fn a_proof_says_what_the_caller_may_do() {
    let mut reader = credential(ALIBABA, None);
    reader.actions = vec![Pattern::new("Describe*")];
    let credentials = Credentials::new([reader]);
    let mut replays = Replays::default();
    let proof = rpc().verify(&credentials, SIGNED_AT, &mut replays).unwrap();
    assert!(proof.may(Product::Smartag, "DescribeFlowLogs"));
    assert!(!proof.may(Product::Smartag, "DeleteFlowLog"));
}

#[test]
fn each_parameter_of_rpc_is_needed() {
    for name in [
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ] {
        let elsewhere = format!("X{name}=");
        let sample = rpc().changing(&format!("&{name}="), &format!("&{elsewhere}"));
        is_denied(&sample, &missing(name));
        // An empty one is no better.
        let mut sample = rpc();
        sample.target.push_str(&format!("&{name}="));
        is_denied(&sample, &missing(name));
    }
    is_denied(&Sample::new("GET", "/", &[], ""), &missing("AccessKeyId"));
}

#[test]
fn rpc_is_signed_with_hmac_sha1_of_version_1() {
    for (from, to) in [
        ("HMAC-SHA1", "HMAC-SHA256"),
        ("HMAC-SHA1", "SHA256withRSA"),
        ("PageSize=10", "SignatureType=BEARERTOKEN"),
    ] {
        is_denied(&rpc().changing(from, to), &Denial::Method);
    }
    let bearer = "/?Action=DescribeFlowLogs&SignatureType=BEARERTOKEN&BearerToken=t";
    is_denied(&Sample::new("GET", bearer, &[], ""), &Denial::Method);
    let name = "SignatureVersion";
    let sample = rpc().changing("SignatureVersion=1.0", "SignatureVersion=2.0");
    is_denied(&sample, &Denial::InvalidParam { name });
    let sample = rpc().changing("HMAC-SHA1", "hmac-sha1").signed(ALIBABA.1);
    assert_eq!(sample.judged(), Ok(()));
}

#[test]
fn acs3_needs_its_headers() {
    for (header, name) in [
        ("authorization", "AccessKeyId"),
        ("x-acs-version", "Version"),
        ("x-acs-date", "Timestamp"),
        ("x-acs-signature-nonce", "SignatureNonce"),
    ] {
        is_denied(&acs3().without_header(header), &missing(name));
        let twice = acs3().with_header(header, acs3().header(header).unwrap());
        is_denied(&twice, &missing(name));
    }
    is_denied(&acs3().without_header("x-acs-action"), &missing("Action"));
}

#[test]
fn other_algorithms_are_named_as_such() {
    for algorithm in ["ACS3-HMAC-SM3", "ACS3-RSA-SHA256"] {
        let other = acs3().header("authorization").unwrap().to_owned();
        let other = other.replace("ACS3-HMAC-SHA256", algorithm);
        is_denied(&acs3().setting("authorization", &other), &Denial::Method);
    }
    is_denied(
        &acs3().setting("authorization", "Bearer t"),
        &Denial::Method,
    );
    let bearer = acs3().without_header("authorization");
    let bearer = bearer.with_header("x-acs-bearer-token", "t");
    is_denied(&bearer, &Denial::Method);
    let other = tc3().header("authorization").unwrap().to_owned();
    let other = other.replace("TC3-HMAC-SHA256", "TC3-HMAC-SM3");
    is_denied(&tc3().setting("authorization", &other), &Denial::Method);
    let other = old().changing("HmacSHA256", "HmacMD5");
    is_denied(&other, &Denial::Method);
}

#[test]
fn an_authorization_that_cannot_be_read_is_malformed() {
    for (sample, name) in [(acs3(), "ACS3"), (tc3(), "TC3")] {
        for rest in [
            "",
            " ",
            " Credential=a",
            " Credential=a,SignedHeaders=host",
            " Credential=a,SignedHeaders=host,Signature=",
            " Credential=a,SignedHeaders=host,Signature",
            " Credential=a,SignedHeaders=host,Signature=s,",
            " Credential=a,SignedHeaders=host,Signature=s,Signature=s",
            " Credential=a,SignedHeaders=host,Signature=s,More=s",
            " Credential=a,SignedHeaders=host;x-a;host,Signature=s",
        ] {
            let header = format!("{name}-HMAC-SHA256{rest}");
            is_denied(
                &sample.clone().setting("authorization", &header),
                &Denial::Malformed,
            );
        }
    }
    let basic = acs3().setting("authorization", "Basic YTpi");
    is_denied(&basic, &Denial::Malformed);
    let header = "TC3-HMAC-SHA256 Credential=AKIDtestSecretId, SignedHeaders=host, Signature=s";
    is_denied(&tc3().setting("authorization", header), &Denial::Malformed);
}

#[test]
fn tencent_needs_time_nonce_and_key() {
    is_denied(
        &tc3().without_header("authorization"),
        &missing("Authorization"),
    );
    is_denied(
        &tc3().without_header("x-tc-timestamp"),
        &missing("X-TC-Timestamp"),
    );
    for name in ["SecretId", "Signature", "Nonce", "Timestamp"] {
        let sample = old().changing(&format!("&{name}="), &format!("&X{name}="));
        is_denied(&sample, &missing(name));
    }
    for nonce in ["-1", "x", "18446744073709551616"] {
        let sample = old().changing("9223372036854775807", nonce);
        is_denied(&sample, &Denial::InvalidParam { name: "Nonce" });
    }
    let largest = old().changing("9223372036854775807", "18446744073709551615");
    assert_eq!(largest.signed(TENCENT.1).judged(), Ok(()));
}

#[test]
fn a_stranger_is_unknown_whatever_the_signature() {
    let nobody = Credentials::new([]);
    for sample in [rpc(), acs3(), tc3(), old()] {
        for sample in [sample.unsigned(), sample] {
            let verdict = sample.verdict(&nobody, SIGNED_AT);
            assert_eq!(verdict, Err(Denial::UnknownKey));
        }
    }
}

#[test]
fn a_time_in_another_form_is_refused_before_the_signature() {
    let rpc = rpc().changing("03%3A04%3A05Z", "03%3A04%3A05");
    let acs3 = acs3().setting("x-acs-date", "1767323045");
    let tc3 = tc3().setting("x-tc-timestamp", SIGNED_AT);
    let old = old().changing("1767323045", "x");
    for sample in [rpc, acs3, tc3, old] {
        is_denied(&sample, &Denial::TimeFormat);
    }
}

#[test]
fn the_window_is_as_wide_on_either_side() {
    for (sample, window_s) in [(rpc(), 900), (acs3(), 900), (tc3(), 300), (old(), 300)] {
        for (apart_s, is_near) in [
            (0, true),
            (window_s, true),
            (-window_s, true),
            (window_s + 1, false),
            (-window_s - 1, false),
        ] {
            let now = Timestamp::from_second(SIGNED_AT_S + apart_s).unwrap();
            let verdict = sample.verdict(&ours(), &now.to_string());
            let expected = if is_near {
                Ok(())
            } else {
                Err(Denial::TimeExpired {
                    request: SIGNED_AT.parse().unwrap(),
                    server: now,
                })
            };
            assert_eq!(verdict, expected, "{apart_s}");
        }
    }
}

#[test]
fn another_secret_is_a_mismatch() {
    is_mismatch(&rpc().signed("other"));
    is_mismatch(&acs3().signed("other"));
    is_mismatch(&tc3().signed("other"));
    is_mismatch(&old().signed("other"));
}

/// A day before midnight and the time after it do not go together.
#[test]
fn a_tc3_key_is_good_for_its_day_and_product() {
    let header = tc3().header("authorization").unwrap().to_owned();
    for (from, to) in [
        ("2026-01-02", "2026-01-01"),
        ("/vpc/", "/cvm/"),
        ("tc3_request", "tc3_requests"),
        ("/tc3_request", ""),
    ] {
        let other = tc3().setting("authorization", &header.replace(from, to));
        is_mismatch(&other);
        is_mismatch(&other.signed(TENCENT.1));
    }
}

/// The order of checks: a bad signature spends no nonce.
#[test]
fn only_what_is_believed_spends_a_nonce() {
    let credentials = ours();
    let mut replays = Replays::default();
    for sample in [rpc(), acs3(), old()] {
        let mut judge = |sample: &Sample, now: &str| {
            let verdict = sample.verify(&credentials, now, &mut replays);
            verdict.map(|_| ())
        };
        let denied = judge(&sample.unsigned(), SIGNED_AT);
        assert!(matches!(denied, Err(Denial::Mismatch { .. })));
        let late = judge(&sample, "2027-01-01T00:00:00Z");
        assert!(matches!(late, Err(Denial::TimeExpired { .. })));
        let tokened = sample.clone();
        let tokened = match tokened.scheme() {
            (_, Scheme::AlibabaV3) => tokened,
            (_, Scheme::TencentOld) => tokened.changing("&Nonce", "&Token=t&Nonce"),
            _ => tokened.changing("&PageSize", "&SecurityToken=t&PageSize"),
        };
        if tokened.target != sample.target {
            let secret = if tokened.target.contains("SecretId") {
                TENCENT.1
            } else {
                ALIBABA.1
            };
            let denied = judge(&tokened.signed(secret), SIGNED_AT);
            assert_eq!(denied, Err(Denial::TokenMismatch));
        }
        // RPC and ACS3 share the nonce.
        let is_new = sample.scheme().1 != Scheme::AlibabaV3;
        let expected = if is_new {
            Ok(())
        } else {
            Err(Denial::NonceUsed)
        };
        assert_eq!(judge(&sample, SIGNED_AT), expected);
        assert_eq!(judge(&sample, SIGNED_AT), Err(Denial::NonceUsed));
    }
    assert_eq!(replays.len(), 2);
}

/// Alibaba: a nonce is unique within the window, even of a request that was
/// dated back. Tencent: with another time it is another.
#[test]
fn a_nonce_is_spent_for_the_window() {
    let credentials = ours();
    let mut replays = Replays::default();
    let mut judge = |sample: &Sample, now_s: i64| {
        let now = Timestamp::from_second(now_s).unwrap().to_string();
        let verdict = sample.verify(&credentials, &now, &mut replays);
        verdict.map(|_| ())
    };
    assert_eq!(judge(&rpc(), SIGNED_AT_S + 900), Ok(()));
    let later = rpc().changing("03%3A04%3A05Z", "03%3A34%3A05Z");
    let later = later.signed_at(ALIBABA.1, "2026-01-02T03:34:05Z");
    assert_eq!(judge(&later, SIGNED_AT_S + 1800), Err(Denial::NonceUsed));
    assert_eq!(judge(&later, SIGNED_AT_S + 1801), Ok(()));
    assert_eq!(judge(&old(), SIGNED_AT_S), Ok(()));
    assert_eq!(judge(&old(), SIGNED_AT_S + 300), Err(Denial::NonceUsed));
    let later = old().changing("1767323045", "1767323046").signed(TENCENT.1);
    assert_eq!(judge(&later, SIGNED_AT_S), Ok(()));
}

#[test]
fn a_key_without_nonces_left_is_throttled() {
    let credentials = ours();
    let mut replays = Replays::new(1);
    let mut judge = |sample: &Sample| {
        let verdict = sample.verify(&credentials, SIGNED_AT, &mut replays);
        verdict.map(|_| ())
    };
    let other = rpc().changing("n-1", "n-2").signed(ALIBABA.1);
    assert_eq!(judge(&rpc()), Ok(()));
    assert_eq!(judge(&other), Err(Denial::Throttled));
    assert_eq!(judge(&rpc()), Err(Denial::NonceUsed));
    assert_eq!(judge(&old()), Ok(()));
}
