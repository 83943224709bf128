//! Which project a request is for: by `x-log-project`, or by the host name.

use std::net::{IpAddr, Ipv4Addr};

use super::Failure;

/// The names this server answers to, with and without a project before them.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// Lower case; `*` as the first label stands for any one label.
    bases: Vec<String>,
}

impl Hosts {
    /// Names that need no configuration.
    ///
    /// `sls.local` is for `http_proxy`, `*.log.aliyuncs.com` for a host table
    /// that sends the cloud's own names here.
    pub const DEFAULT: [&str; 4] = ["sls.local", "sls.test", "localhost", "*.log.aliyuncs.com"];

    /// A server with these base domains; addresses need not be named.
    pub fn new<T: AsRef<str>>(bases: impl IntoIterator<Item = T>) -> Self {
        let bases = bases.into_iter();
        Self {
            bases: bases
                .map(|base| base.as_ref().to_ascii_lowercase())
                .collect(),
        }
    }

    /// The project in a host, without which it is one of ours.
    ///
    /// # Errors
    /// `InvalidHost`: it is another server's name. A page of another site
    /// could have made its own name point here.
    pub fn project(&self, host: &str) -> Result<Option<String>, Failure> {
        let name = without_port(host).to_ascii_lowercase();
        if name.parse::<IpAddr>().is_ok() {
            return Ok(None);
        }
        let known = self.bases.iter().find_map(|base| split(&name, base));
        match known.or_else(|| split_address(&name)) {
            Some("") => Ok(None),
            Some(project) => Ok(Some(project.to_owned())),
            None => {
                let message = "the Host is not one of this server's base domains";
                Err(Failure::bad("InvalidHost", message))
            }
        }
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

/// Whether two hosts are the same but for their ports.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    without_port(one).eq_ignore_ascii_case(without_port(other))
}

fn without_port(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let name = name.strip_prefix('[').unwrap_or(name);
    name.strip_suffix(']').unwrap_or(name)
}

/// What stands before a base domain; nothing when it stands alone.
fn split<'a>(name: &'a str, base: &str) -> Option<&'a str> {
    let before = match base.strip_prefix('*') {
        None => name.strip_suffix(base)?,
        Some(rest) => {
            let name = name.strip_suffix(rest)?;
            let (before, label) = name.rsplit_once('.').map_or(("", name), |(before, label)| {
                (name.get(..=before.len()).unwrap_or_default(), label)
            });
            if label.is_empty() {
                return None;
            }
            before
        }
    };
    match before {
        "" => Some(""),
        before => before.strip_suffix('.').filter(|before| is_label(before)),
    }
}

/// What stands before an IPv4 address: `project.127.0.0.1`, as the Python SDK
/// writes it.
fn split_address(name: &str) -> Option<&str> {
    let (project, address) = name.split_once('.')?;
    address.parse::<Ipv4Addr>().ok()?;
    Some(project).filter(|project| is_label(project))
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(host: &str) -> Result<Option<String>, &'static str> {
        Hosts::default()
            .project(host)
            .map_err(|failure| failure.code)
    }

    #[test]
    fn the_project_stands_before_a_base_domain() {
        for host in [
            "flow-proj.sls.local",
            "flow-proj.sls.local:80",
            "Flow-Proj.SLS.local:9994",
            "flow-proj.127.0.0.1",
            "flow-proj.10.1.2.3:9994",
            "flow-proj.localhost:9994",
            "flow-proj.cn-hangzhou.log.aliyuncs.com",
            "flow-proj.cn-hangzhou-intranet.log.aliyuncs.com",
        ] {
            assert_eq!(project(host), Ok(Some("flow-proj".to_owned())), "{host}");
        }
    }

    #[test]
    fn a_bare_host_has_no_project() {
        for host in [
            "sls.local",
            "sls.local:80",
            "localhost:9994",
            "127.0.0.1:9994",
            "[::1]:9994",
            "cn-hangzhou.log.aliyuncs.com",
        ] {
            assert_eq!(project(host), Ok(None), "{host}");
        }
    }

    #[test]
    fn another_servers_name_is_refused() {
        for host in [
            "",
            "evil.example",
            "evilsls.local",
            "a.b.sls.local",
            ".sls.local",
            ".log.aliyuncs.com",
            "log.aliyuncs.com",
            "a.b.cn-hangzhou.log.aliyuncs.com",
            "sls.local.evil.example",
        ] {
            assert_eq!(project(host), Err("InvalidHost"), "{host}");
        }
    }
}
