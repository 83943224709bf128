//! Requests of the control APIs: what real SDKs sent, and what others might.

mod captures;
mod denials;
mod hostile;
mod smuggling;
mod tampering;
mod tokens;
mod vectors;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use super::control::{Api, Denial, Proof, Scheme, Window, verify};
use super::digest::{hex, hmac_sha1, hmac_sha256};
use super::testing::{ALIBABA, CAPTURED_AT, STS, STS_TOKEN, TENCENT, credential, ours};
use super::*;

/// When the requests made here are signed.
const SIGNED_AT: &str = "2026-01-02T03:04:05Z";
const SIGNED_AT_S: i64 = 1_767_323_045;

/// A request as it is on the wire.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sample {
    fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter();
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    /// Of a line of the fixtures.
    pub(super) fn of(line: &Value) -> Self {
        let headers = line["headers"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            method: text(&line["method"]),
            target: text(&line["target"]),
            headers: headers
                .map(|pair| (text(&pair[0]).to_ascii_lowercase(), text(&pair[1])))
                .collect(),
            body: text(&line["body"]).into_bytes(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    /// Puts a header in the place of all of its name.
    fn setting(self, name: &str, value: &str) -> Self {
        self.without_header(name).with_header(name, value)
    }

    /// Puts another text into the target, which must have the first.
    fn changing(mut self, from: &str, to: &str) -> Self {
        assert!(self.target.contains(from), "{} in {}", from, self.target);
        self.target = self.target.replace(from, to);
        self
    }

    /// As a front hands it on; none where it would refuse the parameters.
    pub(super) fn arrived<T>(&self, look: impl FnOnce(&Arrived<'_>) -> T) -> Option<T> {
        let (path, raw_query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut params = parameters(raw_query).ok()?;
        let form = "application/x-www-form-urlencoded";
        if self.header("content-type").is_some_and(|it| it == form) {
            params.extend(parameters(std::str::from_utf8(&self.body).ok()?).ok()?);
        }
        Some(look(&Arrived {
            method: &self.method,
            path,
            raw_query,
            headers: &self.headers,
            params: &params,
            body: &self.body,
        }))
    }

    fn scheme(&self) -> (Api, Scheme) {
        self.arrived(Scheme::of).unwrap()
    }

    fn verify<'a>(
        &self,
        credentials: &'a Credentials,
        now: &str,
        replays: &mut Replays,
    ) -> Result<Proof<'a>, Denial> {
        let now = now.parse().unwrap();
        let window = Window::default();
        let verified = self.arrived(|arrived| {
            let (_, scheme) = Scheme::of(arrived);
            verify(arrived, scheme, credentials, &window, now, replays)
        });
        verified.unwrap()
    }

    /// The verdict of a server that has not heard anything before.
    fn verdict(&self, credentials: &Credentials, now: &str) -> Result<(), Denial> {
        let mut replays = Replays::default();
        self.verify(credentials, now, &mut replays).map(|_| ())
    }

    /// The verdict of the server that knows our keys, when we sign.
    fn judged(&self) -> Result<(), Denial> {
        self.verdict(&ours(), SIGNED_AT)
    }

    /// With another signature than the one it has.
    fn unsigned(&self) -> Self {
        let mut unsigned = self.clone();
        unsigned.put_signature("bad");
        unsigned
    }

    /// Signed by us: what the server would have signed, with the scheme's key.
    #[track_caller]
    fn signed(&self, secret: &str) -> Self {
        self.signed_at(secret, SIGNED_AT)
    }

    #[track_caller]
    fn signed_at(&self, secret: &str, now: &str) -> Self {
        let text = match self.unsigned().verdict(&ours(), now) {
            Err(Denial::Mismatch { string_to_sign }) => string_to_sign,
            other => panic!("{other:?}"),
        };
        let (_, scheme) = self.scheme();
        let is_sha256 = self.target.contains("HmacSHA256");
        let mut signed = self.clone();
        signed.put_signature(&match scheme {
            Scheme::AlibabaRpc => {
                let key = format!("{secret}&");
                escaped(&STANDARD.encode(hmac_sha1(key.as_bytes(), &[&text])))
            }
            Scheme::AlibabaV3 => hex(&hmac_sha256(secret.as_bytes(), &[&text])),
            Scheme::TencentV3 => {
                let key = hmac_sha256(format!("TC3{secret}").as_bytes(), &["2026-01-02"]);
                let key = hmac_sha256(&hmac_sha256(&key, &["vpc"]), &["tc3_request"]);
                hex(&hmac_sha256(&key, &[&text]))
            }
            Scheme::TencentOld if is_sha256 => {
                escaped(&STANDARD.encode(hmac_sha256(secret.as_bytes(), &[&text])))
            }
            Scheme::TencentOld => escaped(&STANDARD.encode(hmac_sha1(secret.as_bytes(), &[&text]))),
        });
        signed
    }

    /// Puts a signature where this request has one.
    fn put_signature(&mut self, signature: &str) {
        let put = |text: &str| {
            let (before, after) = text.split_once("Signature=")?;
            let rest = after.split_once('&').map_or("", |(_, rest)| rest);
            let end = if rest.is_empty() { "" } else { "&" };
            Some(format!("{before}Signature={signature}{end}{rest}"))
        };
        let mut headers = self.headers.iter_mut();
        let header = headers.find(|(name, _)| name == "authorization");
        if let Some((_, value)) = header {
            *value = put(value).unwrap();
        } else if let Some(target) = put(&self.target) {
            self.target = target;
        } else {
            let body = std::str::from_utf8(&self.body).unwrap();
            self.body = put(body).unwrap().into_bytes();
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    escape::push(&mut escaped, text.as_bytes());
    escaped
}

/// The lines of a fixture.
pub(super) fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// One well signed request of each scheme, with its secret.
fn each() -> [(Sample, &'static str); 4] {
    [
        (rpc(), ALIBABA.1),
        (acs3(), ALIBABA.1),
        (tc3(), TENCENT.1),
        (old(), TENCENT.1),
    ]
}

/// An RPC request that is well signed.
fn rpc() -> Sample {
    let target = "/?Action=DescribeFlowLogs&Version=2018-03-13&AccessKeyId=LTAItestAccessKeyId\
        &SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=n-1\
        &Timestamp=2026-01-02T03%3A04%3A05Z&PageSize=10&Signature=bad";
    Sample::new("GET", target, &[("host", "127.0.0.1:8099")], "").signed(ALIBABA.1)
}

/// An ACS3 request with a form, well signed.
fn acs3() -> Sample {
    unsigned_acs3().signed(ALIBABA.1)
}

fn unsigned_acs3() -> Sample {
    let body = "ClientToken=t-1&DryRun=True";
    let authorization = "ACS3-HMAC-SHA256 Credential=LTAItestAccessKeyId,SignedHeaders=\
        content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;\
        x-acs-version,Signature=bad";
    let headers = [
        ("host", "127.0.0.1:8099"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-acs-action", "DeleteFlowlog"),
        ("x-acs-version", "2023-09-01"),
        ("x-acs-date", SIGNED_AT),
        ("x-acs-signature-nonce", "n-1"),
        ("x-acs-content-sha256", &digest::sha256_hex(body.as_bytes())),
        ("authorization", authorization),
    ];
    Sample::new("POST", "/?FlowLogId=ecr-flog-1", &headers, body)
}

/// A TC3 request, well signed.
fn tc3() -> Sample {
    let authorization = "TC3-HMAC-SHA256 Credential=AKIDtestSecretId/2026-01-02/vpc/tc3_request, \
        SignedHeaders=content-type;host, Signature=bad";
    let headers = [
        ("host", "127.0.0.1:8099"),
        ("content-type", "application/json"),
        ("x-tc-action", "DeleteFlowLog"),
        ("x-tc-version", "2017-03-12"),
        ("x-tc-timestamp", "1767323045"),
        ("authorization", authorization),
    ];
    Sample::new("POST", "/", &headers, r#"{"FlowLogId":"fl-1"}"#).signed(TENCENT.1)
}

/// A request of Tencent's API 2.0, well signed.
fn old() -> Sample {
    let target = "/v2/index.php?Action=DescribeFlowLogs&SecretId=AKIDtestSecretId\
        &Nonce=9223372036854775807&Timestamp=1767323045&SignatureMethod=HmacSHA256\
        &Signature=bad";
    Sample::new("GET", target, &[("host", "127.0.0.1:8443")], "").signed(TENCENT.1)
}
