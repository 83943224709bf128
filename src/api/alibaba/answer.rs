//! Answers in JSON and XML, from one tree.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::failure::{Denied, Failure};
use super::{Tree, xml};
use crate::api::auth::Arrived;
use crate::api::auth::control::Scheme;
use crate::api::control::RequestId;

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Format {
    /// The default: this product's clients send no `Format` where they want it.
    #[default]
    Json,
    Xml,
}

impl Format {
    /// The format that a request asks for; none if there is no such.
    ///
    /// The older scheme has a parameter for it, which an old client fills with
    /// `None`; the newer one has `Accept`.
    pub(super) fn of(scheme: Scheme, arrived: &Arrived<'_>) -> Option<Self> {
        if scheme == Scheme::AlibabaV3 {
            return Some(Self::accepted(arrived.header("accept").unwrap_or_default()));
        }
        let format = arrived.parameter("Format").unwrap_or_default();
        match format.to_ascii_lowercase().as_str() {
            "" | "none" | "json" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            _ => None,
        }
    }

    fn accepted(accept: &str) -> Self {
        let mut kinds = accept.split(',');
        let has = |name| accept.to_ascii_lowercase().contains(name);
        let is_xml = kinds.any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            ["text/xml", "application/xml"].contains(&kind)
        });
        if is_xml && !has("json") {
            Self::Xml
        } else {
            Self::Json
        }
    }

    /// To the letter: clients compare it, and take another one for nothing.
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// What all answers to one request have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) format: Format,
    pub(super) request: RequestId,
    /// The `Host` that was asked, which failures repeat.
    pub(super) host: &'a str,
    /// As failures name it, if it is known.
    pub(super) product: Option<&'static str>,
}

impl Frame<'_> {
    /// Success.
    pub(super) fn answer(&self, action: &str, tree: Tree) -> Response {
        let mut body = Tree::new();
        body.insert("RequestId".to_owned(), self.request.to_string().into());
        body.extend(tree);
        self.response(StatusCode::OK, &format!("{action}Response"), body)
    }

    /// Failure, under its own status.
    pub(super) fn failure(&self, failure: Failure) -> Response {
        let Failure { status, code, .. } = failure;
        let product = self.product.map(|product| format!("&product={product}"));
        let recommend = format!(
            "https://api.aliyun.com/troubleshoot?q={code}{}&requestId={}",
            product.unwrap_or_default(),
            self.request
        );
        let host: String = self.host.chars().take(HOST_CHARACTERS).collect();
        let fields = [
            ("RequestId", self.request.to_string()),
            ("HostId", host),
            ("Code", code.into_owned()),
            ("Message", failure.message.into_owned()),
            ("Recommend", recommend),
        ];
        let fields = fields.map(|(name, text)| (name.to_owned(), text.into()));
        let mut body = Tree::from_iter(fields);
        body.extend(*failure.rest);
        if let Some(denied) = failure.denied {
            body.insert("AccessDeniedDetail".to_owned(), detail(&denied));
        }
        self.response(status, "Error", body)
    }

    fn response(&self, status: StatusCode, root: &str, body: Tree) -> Response {
        let body = Value::Object(body);
        let body = match self.format {
            Format::Json => body.to_string(),
            Format::Xml => xml::document(root, &body),
        };
        let content_type = HeaderValue::from_static(self.format.content_type());
        (status, [(CONTENT_TYPE, content_type)], body).into_response()
    }
}

/// Which right was missing, as the vendor tells it.
fn detail(denied: &Denied) -> Value {
    let fields = [
        ("AuthAction", denied.action.as_str()),
        ("AuthPrincipalDisplayName", denied.key_id.as_str()),
        ("NoPermissionType", "ImplicitDeny"),
    ];
    let fields = fields.map(|(name, text)| (name.to_owned(), text.into()));
    Value::Object(Tree::from_iter(fields))
}

/// Characters of a `Host` that an answer repeats: the longest name has 255.
const HOST_CHARACTERS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_is_for_those_who_ask_for_it_and_for_nothing_else() {
        for (accept, format) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("application/json", Format::Json),
            ("text/xml", Format::Xml),
            ("application/xml;q=0.9, */*", Format::Xml),
            ("text/xml, application/json", Format::Json),
            ("text/html", Format::Json),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
