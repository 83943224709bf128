//! The vectors of the vendor's SDKs, and their captured requests.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

const KEY: &str = "LTAIfakeAccessKeyId";
const SECRET: &str = "fakeAccessKeySecret0123456789";

/// 2026-01-01T00:00:00Z, the pinned clock of the vectors.
const NEW_YEAR: u64 = 1_767_225_600;

/// 2022-08-08T03:23:30Z, the clock of the Go SDK's vectors.
const GO_TIME: u64 = 1_659_929_010;

fn fixture(name: &str) -> Option<Value> {
    let folder = std::env::var_os("FLOWLOGD_FIXTURES").map(PathBuf::from);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = folder.unwrap_or_else(|| root.join("../shared/fixtures"));
    let path = folder.join("sls").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn credentials(token: Option<&str>) -> Credentials {
    Credentials::new(KEY, SECRET, token)
}

fn octets(hex: &Value) -> Vec<u8> {
    let (pairs, _) = hex.as_str().unwrap().as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

type Pairs = Vec<(Cow<'static, str>, Cow<'static, str>)>;

fn pairs(map: &Value) -> Pairs {
    let text = |value: &Value| {
        let plain = value.as_str().map(str::to_owned);
        plain.unwrap_or_else(|| value.to_string())
    };
    let pair = |(name, value): (&String, &Value)| (name.clone().into(), text(value).into());
    map.as_object().unwrap().iter().map(pair).collect()
}

fn value<'a>(headers: &'a [(&'static str, String)], wanted: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, value)| value.as_str())
}

/// Headers of a vector that its signature does not make.
fn own_headers(vector: &Value) -> Pairs {
    const MADE: [&str; 7] = [
        "authorization",
        "content-md5",
        "date",
        "x-acs-security-token",
        "x-log-content-sha256",
        "x-log-date",
        "x-log-signaturemethod",
    ];
    let mut headers = pairs(&vector["headers_after_sign"]);
    headers.retain(|(name, _)| !MADE.contains(&name.to_ascii_lowercase().as_str()));
    headers
}

#[test]
fn the_python_sdks_vectors_come_out_the_same() {
    let Some(vectors) = fixture("signature_vectors.json") else {
        return;
    };
    for name in [
        "v1_putlogs_lb",
        "v1_putlogs_route_sts",
        "v1_getlogs_get",
        "v4_putlogs_lb",
        "v4_putlogs_route_sts",
        "v4_getlogs_get",
    ] {
        let vector = &vectors[name];
        let expected = &vector["headers_after_sign"];
        let method = vector["method"].as_str().unwrap();
        let body = match method {
            "POST" => octets(&vectors["lz4_block_hex"]),
            _ => Vec::new(),
        };
        let headers = own_headers(vector);
        let query = pairs(&vector["params"]);
        let request = Unsigned {
            method,
            path: vector["resource"].as_str().unwrap(),
            query: &query,
            headers: &headers,
            body: &body,
        };
        let by = credentials(expected["x-acs-security-token"].as_str());
        let signed = match name.starts_with("v4") {
            true => v4(&request, &by, "cn-hangzhou", NEW_YEAR),
            false => v1(&request, &by, v1::Algorithm::HmacSha1, NEW_YEAR),
        };
        for (wire, ours) in [
            ("Authorization", "authorization"),
            ("Content-MD5", "content-md5"),
            ("Date", "date"),
            ("x-acs-security-token", "x-acs-security-token"),
            ("x-log-content-sha256", "x-log-content-sha256"),
        ] {
            assert_eq!(
                value(&signed, ours),
                expected[wire].as_str(),
                "{name} {wire}"
            );
        }
        verifies(name, vector, &query, &body);
    }
}

/// A server that sees the vector's headers gets the same texts to sign.
#[track_caller]
fn verifies(name: &str, vector: &Value, query: &Pairs, body: &[u8]) {
    let headers = pairs(&vector["headers_after_sign"]);
    let request = Unsigned {
        method: vector["method"].as_str().unwrap(),
        path: vector["resource"].as_str().unwrap(),
        query,
        headers: &headers,
        body,
    };
    let expected = vector["string_to_sign"].as_str().unwrap();
    let to_sign = if name.starts_with("v4") {
        let canonical = v4::canonical_request(&request, &v4::content_sha256(body));
        assert_eq!(canonical, vector["canonical_request"], "{name}");
        v4::string_to_sign(&canonical, "20260101T000000Z", "cn-hangzhou")
    } else {
        v1::string_to_sign(&request, v1::LogDate::Unsigned)
    };
    assert_eq!(to_sign, expected, "{name}");
}

#[test]
fn the_go_sdks_vectors_come_out_the_same() {
    let Some(vectors) = fixture("signature_vectors.json") else {
        return;
    };
    let all = &vectors["go_sdk_official_v4_vectors"];
    let by = Credentials::new(
        all["ak"].as_str().unwrap(),
        all["sk"].as_str().unwrap(),
        None,
    );
    let first = &all["case1"];
    let mut headers = pairs(&first["headers"]);
    headers.retain(|(name, _)| name != "x-log-date");
    let query = pairs(&first["params"]);
    for (case, headers, query) in [
        (first, headers.as_slice(), query.as_slice()),
        (&all["case2_no_params_no_headers"], &[], &[]),
    ] {
        let request = Unsigned {
            method: "POST",
            path: "/logstores",
            query,
            headers,
            body: all["body"].as_str().unwrap().as_bytes(),
        };
        let signed = v4(&request, &by, case["region"].as_str().unwrap(), GO_TIME);
        assert_eq!(value(&signed, "x-log-date"), all["date"].as_str());
        let authorization = value(&signed, "authorization").unwrap();
        let (_, signature) = authorization.split_once("Signature=").unwrap();
        assert_eq!(signature, case["signature"]);
    }

    let vector = &vectors["go_sdk_official_v1_vector"];
    let request = Unsigned {
        method: "GET",
        path: "/logstores",
        query: &[],
        headers: &pairs(&vector["headers"]),
        body: b"",
    };
    let to_sign = v1::string_to_sign(&request, v1::LogDate::Signed);
    let secret = Secret::new(vector["sk"].as_str().unwrap());
    let signature = v1::signature(&secret, v1::Algorithm::HmacSha1, &to_sign);
    assert_eq!(signature, vector["signature"]);
}

/// What real clients sent verifies with the steps a server takes.
#[test]
fn captured_requests_verify() {
    for name in [
        "python_get_logs_v1_get",
        "python_get_logs_v3_post",
        "python_pull_logs_lz4",
        "python_put_logs_v1_lz4",
        "python_put_logs_v1_route_uncompressed",
        "python_put_logs_v4_sts_lz4",
        "rust_producer_put_logs_v1_zstd",
        "sls20201230_put_logs_v1_sha256",
        "sls20201230_put_logs_v4_zstd",
    ] {
        let Some(captured) = fixture(&format!("{name}.json")) else {
            return;
        };
        assert!(is_authentic(&captured), "{name}");
    }
}

fn is_authentic(captured: &Value) -> bool {
    let line = captured["request_line"].as_str().unwrap();
    let mut words = line.split(' ');
    let method = words.next().unwrap();
    let url = reqwest::Url::parse(words.next().unwrap()).unwrap();
    let query: Pairs = url
        .query_pairs()
        .map(|(name, value)| (name.into_owned().into(), value.into_owned().into()))
        .collect();
    let headers: Pairs = captured["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            let text = |at: usize| pair[at].as_str().unwrap().to_owned();
            (text(0).into(), text(1).into())
        })
        .collect();
    let body = octets(&captured["body_hex"]);
    let request = Unsigned {
        method,
        path: url.path(),
        query: &query,
        headers: &headers,
        body: &body,
    };
    let authorization = header(&request, "authorization");
    let secret = Secret::new(SECRET);
    if let Some(theirs) = authorization.strip_prefix("LOG ") {
        let method = header(&request, "x-log-signaturemethod");
        let algorithm = v1::Algorithm::of_name(method).unwrap();
        [v1::LogDate::Unsigned, v1::LogDate::Signed]
            .into_iter()
            .any(|log_date| {
                let to_sign = v1::string_to_sign(&request, log_date);
                theirs == format!("{KEY}:{}", v1::signature(&secret, algorithm, &to_sign))
            })
    } else {
        let date = header(&request, "x-log-date");
        let canonical = v4::canonical_request(&request, &v4::content_sha256(&body));
        let to_sign = v4::string_to_sign(&canonical, date, "cn-hangzhou");
        let ours = v4::signature(&secret, date, "cn-hangzhou", &to_sign);
        authorization.ends_with(&format!("Signature={ours}"))
    }
}

#[test]
fn a_changed_octet_breaks_either_signature() {
    let headers = [(Cow::from("Host"), Cow::from("p.example"))];
    let sign = |body: &[u8], scheme: &Scheme| {
        let request = Unsigned {
            method: "POST",
            path: "/logstores/flows",
            query: &[],
            headers: &headers,
            body,
        };
        let signed = scheme.sign(&request, &credentials(None), NEW_YEAR);
        value(&signed, "authorization").unwrap().to_owned()
    };
    let schemes = [
        Scheme::of_region(Some("cn-shanghai")),
        Scheme::of_region(None),
        Scheme::V1(v1::Algorithm::HmacSha256),
    ];
    for scheme in schemes {
        assert_eq!(sign(b"flows", &scheme), sign(b"flows", &scheme));
        assert_ne!(sign(b"flows", &scheme), sign(b"flowz", &scheme));
    }
}

#[test]
fn percent_encoding_is_that_of_rfc_3986() {
    assert_eq!(
        v4::percent_encoded("a-Z_0.9~ /?*你"),
        "a-Z_0.9~%20%2F%3F%2A%E4%BD%A0"
    );
}

#[test]
fn a_short_date_is_signed_as_it_is() {
    assert_eq!(v4::scope("2026", "r"), "2026/r/sls/aliyun_v4_request");
}
