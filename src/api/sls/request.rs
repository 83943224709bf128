//! A request, read and judged: what the handlers see of it.

use axum::http::request::Parts;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::host::is_same;
use super::{Failure, Hosts, Place};
use crate::api::auth;
use crate::api::auth::sls::Head;
use crate::api::auth::{Access, Caller};

/// A request's head, unescaped but not yet believed.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    project: Option<String>,
}

impl Raw {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// It is not for this server, or not text.
    pub(super) fn new(parts: &Parts, hosts: &Hosts) -> Result<Self, Failure> {
        let headers = parts.headers.iter().map(|(name, value)| {
            let not_text = || Failure::parameter(format!("the header {name} is not UTF-8"));
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| not_text())?;
            Ok((name.as_str().to_owned(), value.to_owned()))
        });
        let headers = headers.collect::<Result<Vec<_>, Failure>>()?;
        let query = parts.uri.query().unwrap_or_default();
        let mut raw = Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: parameters(query)?,
            headers,
            project: None,
        };
        raw.project = raw.find_project(parts, hosts)?;
        Ok(raw)
    }

    /// The project meant, by header before host. Both forms of a target name
    /// the same host, as only one of them is signed.
    fn find_project(&self, parts: &Parts, hosts: &Hosts) -> Result<Option<String>, Failure> {
        let head = self.head();
        let missing = || Failure::bad("MissingHost", "Host does not exist in http header");
        let host = head.header("host").ok_or_else(missing)?;
        let target = parts.uri.authority();
        if target.is_some_and(|target| !is_same(target.as_str(), host)) {
            let message = "the Host is not that of the request's target";
            return Err(Failure::bad("InvalidHost", message));
        }
        if let Some(origin) = head.header("origin")
            && origin.split_once("://").map(|(_, site)| site) != Some(host)
        {
            return Err(Failure::forbidden("the Origin header names another site"));
        }
        let by_host = hosts.project(host)?;
        Ok(head.header("x-log-project").map(str::to_owned).or(by_host))
    }

    pub(super) fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        }
    }
}

/// A request of a caller who is known, with its body.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) raw: &'a Raw,
    pub(super) caller: Caller<'a>,
    pub(super) body: Bytes,
    pub(super) now: Timestamp,
}

impl<'a> Request<'a> {
    /// A header's value; none when it is missing or empty.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.raw.head().header(name)
    }

    /// The project, when the caller may do this there.
    ///
    /// # Errors
    /// `MissingParameter` where there is none, `Unauthorized`.
    pub(super) fn project(&self, access: Access) -> Result<&'a str, Failure> {
        let missing = || {
            let message = "no project: put it before the host name, or into x-log-project";
            Failure::bad("MissingParameter", message)
        };
        let project = self.raw.project.as_deref().ok_or_else(missing)?;
        self.permit(access, project)?;
        Ok(project)
    }

    /// A logstore of the project, when the caller may do this there.
    ///
    /// # Errors
    /// As of [`project`](Self::project).
    pub(super) fn place<'b>(&self, access: Access, logstore: &'b str) -> Result<Place<'b>, Failure>
    where
        'a: 'b,
    {
        let project = self.project(access)?;
        Ok(Place { project, logstore })
    }

    /// Whether the request names a project at all.
    pub(super) const fn has_project(&self) -> bool {
        self.raw.project.is_some()
    }

    /// Refuses what the caller may not do.
    ///
    /// # Errors
    /// `Unauthorized`.
    pub(super) fn permit(&self, access: Access, project: &str) -> Result<(), Failure> {
        if self.caller.may(access, project) {
            return Ok(());
        }
        let verb = match access {
            Access::Read => "read",
            Access::Write => "write",
        };
        let name = self.caller.name();
        let message = format!("AccessKeyId {name} may not {verb} in project {project}");
        Err(Failure::forbidden(message))
    }

    /// The parameters of the target.
    pub(super) fn parameters(&self) -> Parameters {
        Parameters(self.raw.query.clone())
    }

    /// The body as a JSON object's members, taken as parameters.
    ///
    /// # Errors
    /// `PostBodyInvalid`.
    pub(super) fn json_parameters(&self) -> Result<Parameters, Failure> {
        let members = self.object()?;
        let text = |value: Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Some(value.to_string())
            }
        };
        let members = members.into_iter();
        let members = members.filter_map(|(name, value)| Some((name, text(value)?)));
        Ok(Parameters(members.collect()))
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// `PostBodyInvalid`.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, Failure> {
        let object = serde_json::from_slice(&self.body);
        object.map_err(|why| Failure::bad("PostBodyInvalid", format!("no JSON object: {why}")))
    }
}

/// Named texts, from the target or from a JSON body.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The first of this name; none when it is missing or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        let value = named.next().map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The text of this name.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        let missing = || Failure::bad("MissingParameter", format!("{name} is missing"));
        self.text(name).ok_or_else(missing)
    }

    /// A number of this name.
    ///
    /// # Errors
    /// `ParameterInvalid`: it is none, or too large.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let invalid = |_| Failure::parameter(format!("{name} must be a number in its range"));
        text.parse().map(Some).map_err(invalid)
    }

    /// The number of this name.
    ///
    /// # Errors
    /// `MissingParameter`, `ParameterInvalid`.
    pub(super) fn required_number<T: std::str::FromStr>(&self, name: &str) -> Result<T, Failure> {
        let number = self.number(name)?;
        number.ok_or_else(|| Failure::bad("MissingParameter", format!("{name} is missing")))
    }

    /// Whether a flag of this name is set: `true`, as Python writes `True`.
    ///
    /// # Errors
    /// `ParameterInvalid`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name) {
            None | Some("false" | "False" | "0") => Ok(false),
            Some("true" | "True" | "1") => Ok(true),
            Some(_) => Err(Failure::parameter(format!("{name} must be true or false"))),
        }
    }
}

/// Splits and unescapes the query of a target.
fn parameters(query: &str) -> Result<Vec<(String, String)>, Failure> {
    let ill_formed = |_| Failure::parameter("the query string is not well-formed");
    auth::parameters(query).map_err(ill_formed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_unescaped() {
        let pairs = parameters("query=src_addr%3A+10.0.0.1&topic&q=%E4%BD%A0&a=b=c").unwrap();
        let expected = [
            ("query", "src_addr: 10.0.0.1"),
            ("topic", ""),
            ("q", "你"),
            ("a", "b=c"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);
    }

    #[test]
    fn half_an_escape_is_refused() {
        for query in ["a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff"] {
            let refusal = parameters(query).unwrap_err();
            assert_eq!(refusal.code, "ParameterInvalid", "{query}");
        }
    }

    #[test]
    fn flags_are_written_as_python_and_json_do() {
        let flag = |text: &str| Parameters(vec![("f".to_owned(), text.to_owned())]).flag("f");
        assert_eq!(flag("True"), Ok(true));
        assert_eq!(flag("true"), Ok(true));
        assert_eq!(flag("False"), Ok(false));
        assert_eq!(flag(""), Ok(false));
        assert_eq!(flag("yes").unwrap_err().code, "ParameterInvalid");
        assert_eq!(Parameters::default().flag("f"), Ok(false));
    }
}
