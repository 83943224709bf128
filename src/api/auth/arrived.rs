//! A request of a control API as it came, before it is believed.

use std::collections::BTreeMap;

/// The signed parts of a request, as they arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path, still escaped.
    pub path: &'a str,
    /// What stands behind the `?`, still escaped; empty without one.
    pub raw_query: &'a str,
    /// All headers in order; names in lower case, values as they came.
    pub headers: &'a [(String, String)],
    /// Query, then form: [`parameters`](super::parameters) of each, in order.
    pub params: &'a [(String, String)],
    /// The body as it came.
    pub body: &'a [u8],
}

impl<'a> Arrived<'a> {
    /// A header's value without the blanks around it.
    ///
    /// None when it is missing or empty, and when it came more than once: who
    /// reads one of two may read another one than was signed.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut named = self.headers.iter().filter(|(key, _)| key == name);
        let (_, value) = named.next()?;
        let value = value.trim_ascii();
        (named.next().is_none() && !value.is_empty()).then_some(value)
    }

    /// A parameter's value, the later one's of two; none when it is missing.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut named = self.params.iter().rev().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Each parameter once: of two with one name the later, in the order sent.
    ///
    /// This is what the schemes that sign parameters sign, as their SDKs do
    /// (`sign_params = query; sign_params.update(body)`), and what a front has
    /// to act on: the earlier of two is neither signed nor heard.
    pub fn merged(&self) -> BTreeMap<&'a str, &'a str> {
        let params = self.params.iter();
        params
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_parameters_the_later_counts_and_of_two_headers_none() {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let headers = own(&[("host", " a "), ("x", "1"), ("x", "1"), ("empty", " ")]);
        let params = own(&[("Name", "query"), ("Empty", ""), ("Name", "form")]);
        let arrived = Arrived {
            method: "POST",
            path: "/",
            raw_query: "",
            headers: &headers,
            params: &params,
            body: b"",
        };
        assert_eq!(arrived.header("host"), Some("a"));
        assert_eq!(arrived.header("x"), None);
        assert_eq!(arrived.header("empty"), None);
        assert_eq!(arrived.parameter("Name"), Some("form"));
        assert_eq!(arrived.parameter("Empty"), Some(""));
        assert_eq!(arrived.parameter("name"), None);
        let merged = BTreeMap::from([("Name", "form"), ("Empty", "")]);
        assert_eq!(arrived.merged(), merged);
    }
}
