//! A request as it came, read whole.

use std::borrow::Cow;
use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use bytes::Bytes;

use super::Rejection;
use crate::api::auth::{Arrived, parameters};
use crate::api::guard;

/// A request's head and body, with its parameters unescaped.
#[derive(Debug)]
pub(in crate::api) struct Raw {
    method: String,
    path: String,
    raw_query: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// Query, then form.
    params: Vec<(String, String)>,
    body: Bytes,
    /// Host and port of a target that has them.
    authority: Option<String>,
    /// Who sent it, if the server knows.
    pub(in crate::api) from: Option<SocketAddr>,
    /// Whether all headers are UTF-8.
    is_text: bool,
}

impl Raw {
    /// Takes a request's head, as far as it is text.
    pub(super) fn new(parts: &Parts) -> Self {
        let mut is_text = true;
        let headers = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            is_text &= !value.contains(char::REPLACEMENT_CHARACTER);
            (name.as_str().to_owned(), value.into_owned())
        });
        let headers = headers.collect();
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            raw_query: parts.uri.query().unwrap_or_default().to_owned(),
            headers,
            params: Vec::new(),
            body: Bytes::new(),
            authority: parts.uri.authority().map(ToString::to_string),
            from: from.map(|ConnectInfo(from)| *from),
            is_text,
        }
    }

    /// Reads the query.
    ///
    /// # Errors
    /// It or a header is no text, or there are too many parameters.
    pub(super) fn read_query(&mut self) -> Result<(), Rejection> {
        let query = std::mem::take(&mut self.raw_query);
        let read = self.read(&query);
        self.raw_query = query;
        read?;
        self.is_text.then_some(()).ok_or(Rejection::NotText)
    }

    /// Takes the body, whose parameters follow those of the query if it is a
    /// form.
    ///
    /// # Errors
    /// It is no text, or there are too many parameters.
    pub(super) fn read_body(&mut self, body: Bytes) -> Result<(), Rejection> {
        let mut read = Ok(());
        if self.is_form() {
            let form = String::from_utf8_lossy(&body);
            read = self.read(&form);
            if matches!(form, Cow::Owned(_)) {
                read = Err(Rejection::NotText);
            }
        }
        self.body = body;
        read
    }

    /// Takes parameters, also of a text that is refused, as far as they go: a
    /// refusal is to be in the API that the request speaks.
    fn read(&mut self, text: &str) -> Result<(), Rejection> {
        let mut read = Ok(());
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if self.params.len() >= PARAMETERS_MAX {
                return Err(Rejection::TooMany);
            }
            match parameters(pair) {
                Ok(parameter) => self.params.extend(parameter),
                Err(_) => read = Err(Rejection::NotText),
            }
        }
        read
    }

    /// What is signed of it.
    pub(in crate::api) fn arrived(&self) -> Arrived<'_> {
        Arrived {
            method: &self.method,
            path: &self.path,
            raw_query: &self.raw_query,
            headers: &self.headers,
            params: &self.params,
            body: &self.body,
        }
    }

    /// A header that came once and is not empty.
    pub(in crate::api) fn header(&self, name: &str) -> Option<&str> {
        self.arrived().header(name)
    }

    /// Whether the body is a form.
    pub(in crate::api) fn is_form(&self) -> bool {
        self.is_of_type(FORM)
    }

    /// Whether the body is of a type, whatever its charset is said to be: all
    /// that is signed is UTF-8.
    pub(in crate::api) fn is_of_type(&self, wanted: &str) -> bool {
        let media_type = self.header("content-type").unwrap_or_default();
        let name = media_type.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(wanted)
    }

    /// Whether a page of another site could have had a browser send it.
    ///
    /// Browsers name the page in a header, or at least say that there is one;
    /// and a name that is not known may be anybody's that points here. Some
    /// clients write the Host as a URL.
    pub(super) fn may_be_forged(&self) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name.as_str());
        let host = self.header("host").unwrap_or_default();
        let bare = host.strip_prefix("http://");
        let bare = bare.or_else(|| host.strip_prefix("https://"));
        let bare = bare.unwrap_or(host).trim_end_matches('/');
        let target = self.authority.as_deref().unwrap_or(bare);
        names.any(|name| BROWSERS.contains(&name))
            || !guard::is_known(bare)
            || !guard::is_known(target)
    }
}

/// Content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// What browsers send, and no client of these APIs.
const BROWSERS: [&str; 3] = ["origin", "referer", "sec-fetch-site"];

/// Parameters of a request: the longest list that a product has is of 100 ids.
pub(in crate::api) const PARAMETERS_MAX: usize = 1_000;
