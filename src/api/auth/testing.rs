//! The keys that captured requests and published vectors are signed with.

use super::{Credential, Credentials, Pattern, Product, Secret};

/// Id and secret of an Alibaba Cloud key.
pub(in crate::api) const ALIBABA: (&str, &str) = ("LTAItestAccessKeyId", "testAccessKeySecret");
/// Id and secret of a Tencent Cloud key.
pub(in crate::api) const TENCENT: (&str, &str) = ("AKIDtestSecretId", "testSecretKey");
/// Id and secret of a temporary key, and its token.
pub(in crate::api) const STS: (&str, &str) = ("STS.testAk", "stsSecret");
pub(in crate::api) const STS_TOKEN: &str = "tok/en+==";

/// In the middle of the captured requests.
pub(in crate::api) const CAPTURED_AT: &str = "2026-11-21T02:01:00Z";

/// A key that may do everything.
pub(in crate::api) fn credential((id, secret): (&str, &str), token: Option<&str>) -> Credential {
    Credential {
        id: id.to_owned(),
        secret: Secret::new(secret),
        token: token.map(Secret::new),
        account_uid: None,
        products: Product::ALL.to_vec(),
        actions: vec![Pattern::new("*")],
    }
}

/// All of them.
pub(in crate::api) fn ours() -> Credentials {
    Credentials::new([
        credential(ALIBABA, None),
        credential(TENCENT, None),
        credential(STS, Some(STS_TOKEN)),
    ])
}
