//! What a flow log of a Smart Access Gateway is told, and what it may be told.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use super::Param;
use super::Refused;
use crate::flowlog::ACTIVE_DEFAULT_S;
use crate::flowlog::API_ACTIVE_S;
use crate::flowlog::API_INACTIVE_S;
use crate::flowlog::INACTIVE_DEFAULT_S;
use crate::flowlog::NETFLOW_PORT;
use crate::flowlog::NetflowVersion;
use crate::flowlog::OutputType;
use crate::flowlog::check::DESCRIPTION_MAX;
use crate::flowlog::check::NAME_MAX;
use crate::flowlog::check::is_logstore;
use crate::flowlog::check::is_project;
use crate::flowlog::control::text::is_region;
use crate::flowlog::control::text::is_text;

/// Parameters of a call as they came: absent, or a text that may be empty.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub struct Given<'a> {
    pub name: Option<&'a str>,
    pub description: Option<&'a str>,
    pub output_type: Option<&'a str>,
    pub active_aging: Option<&'a str>,
    pub inactive_aging: Option<&'a str>,
    pub netflow_server_ip: Option<&'a str>,
    pub netflow_server_port: Option<&'a str>,
    pub netflow_version: Option<&'a str>,
    pub project_name: Option<&'a str>,
    pub logstore_name: Option<&'a str>,
    pub sls_region_id: Option<&'a str>,
}

/// What a flow log does. What its output does not need is kept, too, and told
/// when it is asked for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Attributes {
    /// At most 128 characters; may be empty.
    pub name: String,
    /// At most 256 characters; may be empty.
    pub description: String,
    /// Where flows go.
    pub output: OutputType,
    /// Active timer in seconds: [`API_ACTIVE_S`].
    pub active_s: u64,
    /// Inactive timer in seconds: [`API_INACTIVE_S`]; may be the longer one.
    pub inactive_s: u64,
    /// Collector to re-export to.
    pub server_ip: Option<IpAddr>,
    /// Its port.
    pub server_port: u16,
    /// What it is spoken to.
    pub version: NetflowVersion,
    /// SLS project; may be empty.
    pub project: String,
    /// Its logstore; may be empty.
    pub logstore: String,
    /// Its region; may be empty.
    pub sls_region: String,
}

impl Attributes {
    /// Those of a new flow log.
    ///
    /// # Errors
    /// The first value that is missing or none, in the order of §1.4.
    pub(super) fn new(given: &Given<'_>) -> Result<Self, Refused> {
        let output = output(given.output_type)?.ok_or(Refused::Illegal(Param::OutputType))?;
        let blank = Self {
            name: String::new(),
            description: String::new(),
            output,
            active_s: ACTIVE_DEFAULT_S,
            inactive_s: INACTIVE_DEFAULT_S,
            server_ip: None,
            server_port: NETFLOW_PORT,
            version: NetflowVersion::default(),
            project: String::new(),
            logstore: String::new(),
            sls_region: String::new(),
        };
        blank.with(given)
    }

    /// These with what is given; an empty text takes one back.
    ///
    /// # Errors
    /// As [`Self::new`], of the whole that comes of it.
    pub(super) fn with(&self, given: &Given<'_>) -> Result<Self, Refused> {
        let mut merged = self.clone();
        merged.output = output(given.output_type)?.unwrap_or(merged.output);
        let active = number(given.active_aging, API_ACTIVE_S, Param::ActiveAging)?;
        let inactive = number(given.inactive_aging, API_INACTIVE_S, Param::InactiveAging)?;
        merged.active_s = active.unwrap_or(merged.active_s);
        merged.inactive_s = inactive.unwrap_or(merged.inactive_s);
        let texts = [
            (&mut merged.name, given.name),
            (&mut merged.description, given.description),
            (&mut merged.project, given.project_name),
            (&mut merged.logstore, given.logstore_name),
            (&mut merged.sls_region, given.sls_region_id),
        ];
        for (kept, given) in texts {
            if let Some(given) = given {
                given.clone_into(kept);
            }
        }
        merged.check_texts()?;
        merged.check_logstore()?;
        merged.take_collector(given)?;
        Ok(merged)
    }

    fn check_texts(&self) -> Result<(), Refused> {
        let is_fine = is_text(&self.name, NAME_MAX) && is_text(&self.description, DESCRIPTION_MAX);
        is_fine.then_some(()).ok_or(Refused::Invalid)
    }

    /// Whether the logstore is named where it is needed, and is one.
    fn check_logstore(&self) -> Result<(), Refused> {
        let texts = [
            (&self.project, Param::ProjectName),
            (&self.logstore, Param::LogstoreName),
            (&self.sls_region, Param::SlsRegionId),
        ];
        let missing = texts.iter().find(|(text, _)| text.is_empty());
        match missing {
            Some((_, param)) if self.output.has_logstore() => Err(Refused::Missing(*param)),
            _ if !self.sls_region.is_empty() && !is_region(&self.sls_region) => {
                Err(Refused::Illegal(Param::SlsRegionId))
            }
            _ if !self.output.has_logstore() => Ok(()),
            _ if is_project(&self.project) && is_logstore(&self.logstore) => Ok(()),
            _ => Err(Refused::Invalid),
        }
    }

    /// Takes over what is said of the collector: an empty text is missing where
    /// a collector is needed, and the default elsewhere.
    fn take_collector(&mut self, given: &Given<'_>) -> Result<(), Refused> {
        let is_needed = self.output.has_netflow();
        let missing = |param| Err(Refused::Missing(param));
        match given.netflow_server_ip {
            Some("") => self.server_ip = None,
            Some(ip) => self.server_ip = Some(parsed(ip, Param::NetflowServerIp)?),
            None => {}
        }
        if is_needed && self.server_ip.is_none() {
            return missing(Param::NetflowServerIp);
        }
        match given.netflow_server_port {
            Some("") if is_needed => return missing(Param::NetflowServerPort),
            Some("") => self.server_port = NETFLOW_PORT,
            Some(_) | None => {
                let range = (1, u64::from(u16::MAX));
                let port = number(given.netflow_server_port, range, Param::NetflowServerPort)?;
                let port = port.and_then(|port| u16::try_from(port).ok());
                self.server_port = port.unwrap_or(self.server_port);
            }
        }
        match given.netflow_version {
            Some("") if is_needed => return missing(Param::NetflowVersion),
            Some("") => self.version = NetflowVersion::default(),
            Some("V5") => self.version = NetflowVersion::V5,
            Some("V9") => self.version = NetflowVersion::V9,
            Some("V10") => self.version = NetflowVersion::V10,
            Some(_) => return Err(Refused::Illegal(Param::NetflowVersion)),
            None => {}
        }
        Ok(())
    }
}

/// The word of the API for an output.
pub const fn output_word(output: OutputType) -> &'static str {
    match output {
        OutputType::Sls => "sls",
        OutputType::Netflow => "netflow",
        OutputType::All => "all",
    }
}

/// An output by its word, which is in small letters.
pub(super) fn output(word: Option<&str>) -> Result<Option<OutputType>, Refused> {
    let outputs = [OutputType::Sls, OutputType::Netflow, OutputType::All];
    let Some(word) = word else { return Ok(None) };
    let found = outputs.into_iter().find(|it| output_word(*it) == word);
    found.map(Some).ok_or(Refused::Illegal(Param::OutputType))
}

fn parsed<T: FromStr>(text: &str, param: Param) -> Result<T, Refused> {
    text.parse().map_err(|_| Refused::Illegal(param))
}

/// A number; empty is absent.
fn number(
    text: Option<&str>,
    (least, most): (u64, u64),
    param: Param,
) -> Result<Option<u64>, Refused> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = parsed(text, param)?;
    let is_within = (least..=most).contains(&number);
    is_within
        .then_some(Some(number))
        .ok_or(Refused::Illegal(param))
}
