//! Where the rows of a route go.

use crate::config::Keep;
use crate::config::Service;
use crate::config::Sls;
use crate::flowlog::Route;
use crate::journal::DestinationError;
use crate::journal::DestinationId;
use crate::journal::Journal;
use crate::logstore::LogstoreName;
use crate::sink::Destination;

/// Where rows go: into the log store, to the cloud, or both.
///
/// In the order of outlets, the rows of one logstore and the rows of one
/// destination are neighbours: with the same logstore first, and a destination
/// with one logstore only.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Outlet {
    /// Logstore of the embedded log store.
    pub store: Option<LogstoreName>,
    /// Logstore of the cloud.
    pub cloud: Option<Destination>,
}

/// What the configuration says of outlets.
#[derive(Clone, Debug)]
pub(in crate::daemon) struct Policy {
    /// Which rows the log store keeps.
    pub keep: Keep,
    /// Where the cloud is.
    pub sls: Sls,
}

impl Policy {
    /// Where the rows of a route go; nowhere if its names are none, which a
    /// checked definition does not have.
    pub(super) fn outlet(&self, route: &Route) -> Option<Outlet> {
        let cloud = self.cloud(route);
        let is_kept = cloud.is_none() || self.keep == Keep::Always;
        let store = is_kept.then(|| logstore(route));
        Some(Outlet {
            store: store.map_or(Some(None), |name| name.map(Some))?,
            cloud,
        })
    }

    fn cloud(&self, route: &Route) -> Option<Destination> {
        let log = &route.flow_log;
        let service = self.sls.service(log.region.as_deref());
        let is_sent = log.output.has_logstore() && matches!(service, Service::Cloud(_));
        let account = route.ali_uid.as_deref();
        is_sent.then(|| Destination {
            region: log.region.clone().or_else(|| self.sls.region.clone()),
            account: account
                .filter(|account| self.sls.accounts.contains_key(*account))
                .map(str::to_owned),
            project: log.project.clone(),
            logstore: log.logstore.clone(),
        })
    }
}

/// Where the log store keeps the rows of a route. A flow log that only
/// re-exports names no logstore, but what it exported can be asked for all the
/// same.
fn logstore(route: &Route) -> Option<LogstoreName> {
    let log = &route.flow_log;
    let (project, logstore) = match log.project.is_empty() || log.logstore.is_empty() {
        true => (UNNAMED_PROJECT, UNNAMED_LOGSTORE),
        false => (&*log.project, &*log.logstore),
    };
    LogstoreName::new(project, logstore).ok()
}

/// The journal's number of a logstore of the embedded log store, which delivers
/// its rows where they are appended.
///
/// # Errors
/// More destinations than the journal may have.
pub(super) fn register(
    journal: &Journal,
    name: &LogstoreName,
) -> Result<DestinationId, DestinationError> {
    let id = journal.destination(&embedded(name))?;
    journal.deliver_directly(id);
    Ok(id)
}

/// What the journal calls a logstore of the embedded log store.
fn embedded(name: &LogstoreName) -> String {
    format!("{EMBEDDED}{name}")
}

/// The logstore that the journal calls so.
pub(super) fn logstore_of(destination: &str) -> Option<LogstoreName> {
    let (project, logstore) = destination.strip_prefix(EMBEDDED)?.split_once('/')?;
    LogstoreName::new(project, logstore).ok()
}

const EMBEDDED: &str = "embedded/";
/// Project of flows whose flow log names none.
const UNNAMED_PROJECT: &str = "flowlogd";
/// Logstore of flows whose flow log names none.
const UNNAMED_LOGSTORE: &str = "netflow";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::flowlog::RoutingTable;

    /// Outlets of the routes of a configuration, in words.
    fn outlets(text: &str) -> Vec<(Option<String>, Option<String>)> {
        let config = Config::parse(text, "test").unwrap();
        let policy = Policy {
            keep: config.logstore.keep,
            sls: config.sls.clone(),
        };
        let table = RoutingTable::compile(&config.definition, None).unwrap();
        let words = |outlet: Outlet| {
            let store = outlet.store.map(|name| name.to_string());
            (store, outlet.cloud.map(|cloud| cloud.to_string()))
        };
        let routes = table.routes();
        let outlets = routes.map(|route| words(policy.outlet(route).unwrap()));
        outlets.collect()
    }

    const LOGS: &str = "\
        [default-flow-log]\naction = \"ignore\"\n\
        [[flow-log]]\nname = \"a\"\nproject = \"proj\"\nlogstore = \"flows\"\n\
        [[flow-log]]\nname = \"b\"\nproject = \"proj\"\nlogstore = \"flows\"\nregion = \"cn-x\"\n\
        [[device]]\ninstance-id = \"i\"\nali-uid = \"77\"\nexporters = [\"192.0.2.1\"]\n\
        flow-logs = [\"a\", \"b\"]\n";

    #[test]
    fn without_a_cloud_all_rows_stay_here() {
        let here = (Some("proj/flows".to_owned()), None);
        assert_eq!(outlets(LOGS), [here.clone(), here]);
    }

    #[test]
    fn a_region_with_an_endpoint_goes_to_the_cloud_and_is_kept() {
        let text = format!("{LOGS}[sls.region.cn-x]\nendpoint = \"127.0.0.1\"\n");
        let cloud = "sls/cn-x/-/proj/flows".to_owned();
        let here = Some("proj/flows".to_owned());
        assert_eq!(outlets(&text), [(here.clone(), None), (here, Some(cloud))]);
    }

    #[test]
    fn what_is_sent_need_not_be_kept() {
        let text = format!(
            "{LOGS}[sls]\nendpoint = \"127.0.0.1\"\n[sls.region.cn-x]\nendpoint = \"embedded\"\n\
             [sls.account.77]\naccess-key-file = \"/key\"\n\
             [logstore]\nkeep = \"embedded-only\"\n"
        );
        let cloud = "sls/-/77/proj/flows".to_owned();
        let here = Some("proj/flows".to_owned());
        assert_eq!(outlets(&text), [(None, Some(cloud)), (here, None)]);
    }

    #[test]
    fn a_name_in_the_journal_leads_back_to_its_logstore() {
        let name = LogstoreName::new("proj", "flows").unwrap();
        assert_eq!(logstore_of(&embedded(&name)), Some(name));
        assert_eq!(logstore_of("sls/-/-/proj/flows"), None);
        assert_eq!(logstore_of("embedded/../flows"), None);
    }
}
