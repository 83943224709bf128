//! Signatures of the control APIs: which scheme a request uses, and whether it
//! is to be believed.
//!
//! Checks come in the vendors' order: what the scheme needs is there, the key
//! is known, the time is near, the signature and then the token are right, the
//! request was not heard before. So a request with a bad signature consumes no
//! nonce, and a stranger learns no more than whether a key exists.

use jiff::Timestamp;

use super::replay::{Nonce, Refused};
use super::{Arrived, Credential, Credentials, Product, Replays, Secret};
use super::{alibaba, tencent};

/// Whose API a request speaks: decides the shape of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Api {
    /// Alibaba Cloud, RPC style.
    Alibaba,
    /// Tencent Cloud API 3.0.
    TencentV3,
    /// Tencent Cloud API 2.0, under `/v2/index.php`.
    TencentV2,
}

/// How a request is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// RPC signature 1.0: HMAC-SHA1 over all parameters.
    AlibabaRpc,
    /// `ACS3-HMAC-SHA256` over query, headers and body.
    AlibabaV3,
    /// `TC3-HMAC-SHA256` over query, headers and body.
    TencentV3,
    /// HmacSHA1 or HmacSHA256 over host and parameters.
    TencentOld,
}

impl Scheme {
    /// API and scheme of a request; what no other claims is Alibaba's RPC.
    ///
    /// An unsigned request of Alibaba's newer style is known by its headers: it
    /// has no parameter `Action`, which RPC clients send beside the header.
    pub fn of(arrived: &Arrived<'_>) -> (Api, Self) {
        let authorization = arrived.header("authorization").unwrap_or_default();
        let names_action = |header| arrived.header(header).is_some();
        if arrived.path == tencent::V2_PATH {
            (Api::TencentV2, Self::TencentOld)
        } else if authorization.starts_with("TC3-") || names_action("x-tc-action") {
            (Api::TencentV3, Self::TencentV3)
        } else if arrived.path == "/" && arrived.parameter("SecretId").is_some() {
            (Api::TencentV3, Self::TencentOld)
        } else if authorization.starts_with("ACS3-")
            || names_action("x-acs-action") && arrived.parameter("Action").is_none()
        {
            (Api::Alibaba, Self::AlibabaV3)
        } else {
            (Api::Alibaba, Self::AlibabaRpc)
        }
    }

    /// The action asked for, from where this scheme has it and nowhere else.
    ///
    /// All but [`TencentV3`](Self::TencentV3) sign it there; that one's clients
    /// do not, so that its signature holds for every action with that body.
    pub fn action<'a>(self, arrived: &Arrived<'a>) -> Option<&'a str> {
        match self {
            Self::AlibabaRpc | Self::TencentOld => arrived.parameter("Action"),
            Self::AlibabaV3 => arrived.header("x-acs-action"),
            Self::TencentV3 => arrived.header("x-tc-action"),
        }
    }

    /// The version of the API asked for, from where this scheme has it.
    pub fn version<'a>(self, arrived: &Arrived<'a>) -> Option<&'a str> {
        match self {
            Self::AlibabaRpc | Self::TencentOld => arrived.parameter("Version"),
            Self::AlibabaV3 => arrived.header("x-acs-version"),
            Self::TencentV3 => arrived.header("x-tc-version"),
        }
    }
}

/// What requests are held against.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Window {
    /// Seconds that an Alibaba request's time may be from ours.
    pub alibaba_s: u64,
    /// Seconds that a Tencent request's time may be from ours.
    pub tencent_s: u64,
    /// Names under which Tencent clients may know this server, besides the
    /// `Host` they send: what they sign is the name they believe in.
    pub hosts: Vec<String>,
}

impl Default for Window {
    /// 15 minutes, 5 minutes, and the names that Tencent's SDKs have built in.
    fn default() -> Self {
        let hosts = ["vpc.api.qcloud.com", "vpc.tencentcloudapi.com"];
        Self {
            alibaba_s: 15 * 60,
            tencent_s: 5 * 60,
            hosts: hosts.map(str::to_owned).to_vec(),
        }
    }
}

/// A request that is to be believed.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// Who signed it; nobody in particular when the server is open.
    pub credential: Option<&'a Credential>,
}

impl Proof<'_> {
    /// Whether the caller may call this action, spelled as documented.
    pub fn may(&self, product: Product, action: &str) -> bool {
        let credential = self.credential;
        credential.is_none_or(|credential| credential.may(product, action))
    }
}

/// Why a request is not believed, in no vendor's words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Denial {
    /// A parameter or header that the scheme needs is missing, empty or, as a
    /// header, there more than once.
    #[error("{name} is missing")]
    MissingParam {
        /// As Alibaba's parameter is called, or as Tencent's header is.
        name: &'static str,
    },
    /// A parameter has a value that the scheme does not have.
    #[error("{name} is not valid")]
    InvalidParam {
        /// As the vendor calls it.
        name: &'static str,
    },
    /// The `Authorization` header cannot be read.
    #[error("the Authorization header is malformed")]
    Malformed,
    /// An algorithm that is not taken: SM3, RSA, a bearer's token.
    #[error("the signature method is not supported")]
    Method,
    /// The key is not one of ours.
    #[error("the access key is not known")]
    UnknownKey,
    /// The time is not written as the scheme writes it.
    #[error("the time is malformed")]
    TimeFormat,
    /// Signed too long ago, or in the future.
    #[error("signed at {request}, which is too far from {server}")]
    TimeExpired {
        /// When the request says it was signed.
        request: Timestamp,
        /// Our time.
        server: Timestamp,
    },
    /// The signature leaves out a header that must be signed.
    #[error("the signature leaves out what must be signed")]
    Incomplete {
        /// What the server would have signed, cut to [`STRING_TO_SIGN_MAX`].
        string_to_sign: String,
    },
    /// The signature is another's, or that of another request.
    #[error("the signature is not the one calculated")]
    Mismatch {
        /// What the server would have signed, cut to [`STRING_TO_SIGN_MAX`].
        string_to_sign: String,
    },
    /// The key needs a session token and none came.
    #[error("the session token is missing")]
    TokenMissing,
    /// The session token has characters that no token has.
    #[error("the session token is malformed")]
    TokenMalformed,
    /// The session token is not that of the key, or the key has none.
    #[error("the session token is not that of the key")]
    TokenMismatch,
    /// The request was heard before.
    #[error("the nonce was used before")]
    NonceUsed,
    /// The key has used up its nonces; some minutes later it has new ones.
    #[error("the key has used up its nonces")]
    Throttled,
}

impl Denial {
    pub(super) fn incomplete(string_to_sign: String) -> Self {
        Self::Incomplete {
            string_to_sign: cut(string_to_sign),
        }
    }

    pub(super) fn mismatch(string_to_sign: String) -> Self {
        Self::Mismatch {
            string_to_sign: cut(string_to_sign),
        }
    }
}

/// Octets of a string to sign that a denial repeats.
///
/// Clients compare it with their own; those of all captured requests are below
/// 2 KiB, while a hostile one's could be several MiB.
pub const STRING_TO_SIGN_MAX: usize = 16 * 1024;

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(STRING_TO_SIGN_MAX));
    text.shrink_to_fit();
    text
}

/// Finds out who signed a request.
///
/// # Errors
/// Why the request is not believed.
pub fn verify<'a>(
    arrived: &Arrived<'_>,
    scheme: Scheme,
    credentials: &'a Credentials,
    window: &Window,
    now: Timestamp,
    replays: &mut Replays,
) -> Result<Proof<'a>, Denial> {
    if credentials.is_open() {
        return Ok(Proof { credential: None });
    }
    let claim: Box<dyn Claim + '_> = match scheme {
        Scheme::AlibabaRpc => Box::new(alibaba::Rpc::read(arrived)?),
        Scheme::AlibabaV3 => Box::new(alibaba::V3::read(arrived)?),
        Scheme::TencentV3 => Box::new(tencent::Tc3::read(arrived)?),
        Scheme::TencentOld => Box::new(tencent::Old::read(arrived)?),
    };
    let credential = credentials.find(claim.key_id()).ok_or(Denial::UnknownKey)?;
    let apart_max_s = match scheme {
        Scheme::AlibabaRpc | Scheme::AlibabaV3 => window.alibaba_s,
        Scheme::TencentV3 | Scheme::TencentOld => window.tencent_s,
    };
    let signed_at = claim.signed_at().ok_or(Denial::TimeFormat)?;
    if signed_at.as_second().abs_diff(now.as_second()) > apart_max_s {
        return Err(Denial::TimeExpired {
            request: signed_at,
            server: now,
        });
    }
    claim.check(&credential.secret, window)?;
    check_token(credential, claim.token())?;
    if let Some(nonce) = claim.nonce() {
        // While the request's own time is near, and for the whole window: a
        // nonce is unique within it even if the request was dated back.
        let latest_s = signed_at.as_second().max(now.as_second());
        let end_s = latest_s.saturating_add_unsigned(apart_max_s);
        replays
            .note(&credential.id, nonce, end_s, now.as_second())
            .map_err(|refused| match refused {
                Refused::Used => Denial::NonceUsed,
                Refused::Full => Denial::Throttled,
            })?;
    }
    Ok(Proof {
        credential: Some(credential),
    })
}

/// Held against the credential's after the signature: only who knows the secret
/// learns anything of the token.
fn check_token(credential: &Credential, given: Option<&str>) -> Result<(), Denial> {
    let given = given.filter(|token| !token.is_empty());
    let is_plain = |token: &str| token.bytes().all(|octet| octet.is_ascii_graphic());
    match (&credential.token, given) {
        (None, None) => Ok(()),
        (Some(_), None) => Err(Denial::TokenMissing),
        (_, Some(given)) if !is_plain(given) => Err(Denial::TokenMalformed),
        (Some(token), Some(given)) if *token == Secret::new(given) => Ok(()),
        (None | Some(_), Some(_)) => Err(Denial::TokenMismatch),
    }
}

/// What a request says of itself in one scheme, not yet believed.
pub(super) trait Claim {
    /// Who is said to have signed it.
    fn key_id(&self) -> &str;

    /// When it is said to have been signed; none if that cannot be read.
    fn signed_at(&self) -> Option<Timestamp>;

    /// Whether the holder of the secret signed it.
    ///
    /// # Errors
    /// It leaves out what must be signed, or its signature is another.
    fn check(&self, secret: &Secret, window: &Window) -> Result<(), Denial>;

    /// The session token that came with it.
    fn token(&self) -> Option<&str>;

    /// What makes it the only one of its key; none in a scheme without.
    fn nonce(&self) -> Option<Nonce>;
}
