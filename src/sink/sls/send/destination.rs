//! Where rows go, as the journal calls it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::sink::sls::request::is_name;

/// A Logstore of the cloud: a destination of the journal.
///
/// Its name there is `sls/REGION/ACCOUNT/PROJECT/LOGSTORE`, with `-` for a
/// region or account that is not told. Parts are names: letters of ASCII,
/// digits, `-` and `_`, at most 63. Endpoint and keys are looked up when
/// rows are sent, so that a backlog survives their change.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Destination {
    /// Region, such as `cn-hangzhou`; of the default endpoint if none.
    pub region: Option<String>,
    /// Account whose keys sign; the default keys if none.
    pub account: Option<String>,
    /// Project.
    pub project: String,
    /// Logstore.
    pub logstore: String,
}

impl Destination {
    /// Whether a destination of the journal is one of these, well-formed or not.
    pub fn is_meant(name: &str) -> bool {
        name.split_once('/').is_some_and(|(kind, _)| kind == KIND)
    }

    /// Whether it can be read again from its name.
    pub(super) fn is_named(&self) -> bool {
        self.to_string().parse().as_ref() == Ok(self)
    }

    /// Whose quota its project shares: project names differ per region only.
    pub(super) fn quota(&self) -> String {
        let text = self.to_string();
        text.rsplit_once('/')
            .map_or_else(String::new, |(project, _)| project.to_owned())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region.as_deref().unwrap_or(NONE);
        let account = self.account.as_deref().unwrap_or(NONE);
        let (project, logstore) = (&self.project, &self.logstore);
        write!(f, "{KIND}/{region}/{account}/{project}/{logstore}")
    }
}

impl FromStr for Destination {
    type Err = DestinationNameError;

    fn from_str(text: &str) -> Result<Self, DestinationNameError> {
        let error = || DestinationNameError(text.to_owned());
        let mut parts = text.split('/');
        let mut part = || parts.next().filter(|part| is_name(part)).ok_or_else(error);
        if part()? != KIND {
            return Err(error());
        }
        let (region, account) = (part()?, part()?);
        let (project, logstore) = (part()?, part()?);
        let is_over = parts.next().is_none() && project != NONE && logstore != NONE;
        let told = |part: &str| (part != NONE).then(|| part.to_owned());
        is_over
            .then(|| Self {
                region: told(region),
                account: told(account),
                project: project.to_owned(),
                logstore: logstore.to_owned(),
            })
            .ok_or_else(error)
    }
}

/// A name that is not of a destination of SLS.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{0:?} is not sls/REGION/ACCOUNT/PROJECT/LOGSTORE")]
pub struct DestinationNameError(String);

const KIND: &str = "sls";
const NONE: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for name in [
            "sls/cn-hangzhou/1234567890123456/flow-proj/flows",
            "sls/-/-/p/l_1",
            "sls/cn-hangzhou/-/p/l",
        ] {
            let destination: Destination = name.parse().unwrap();
            assert_eq!(destination.to_string(), name);
            assert!(destination.is_named());
        }
        let destination: Destination = "sls/-/7/p/l".parse().unwrap();
        assert_eq!(destination.region, None);
        assert_eq!(destination.account.as_deref(), Some("7"));
        assert_eq!(destination.quota(), "sls/-/7/p");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [
            "",
            "sls",
            "embedded/-/-/p/l",
            "sls/-/-/p",
            "sls/-/-/p/l/m",
            "sls//-/p/l",
            "sls/-/-/-/l",
            "sls/-/-/p/-",
            "sls/-/-/p/l?",
            "sls/-/-/../l",
        ] {
            let error = DestinationNameError(name.to_owned());
            assert_eq!(name.parse::<Destination>(), Err(error));
        }
        assert!(Destination::is_meant("sls/-/-/../l"));
        assert!(!Destination::is_meant("embedded/p/l"));
    }
}
