//! The ways to the cloud, as the configuration has them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, Service, Sls};
use crate::flowlog::FlowLog;
use crate::sink::sls::{BuildError, Directory, Scheme, Skew, Transport, Unroutable, Way};
use crate::sink::sls::{Chain, Environment, Fetcher, Keeper, Origin};
use crate::sink::{Destination, Endpoint, FieldChoice};

/// What the configuration says of endpoints, keys and fields.
///
/// Keys and clocks outlast a reload: what is learned of them stays.
#[derive(Debug)]
pub(super) struct Cloud {
    sls: Sls,
    fields: BTreeMap<String, Arc<FieldChoice>>,
    usual: Arc<FieldChoice>,
    known: Arc<Known>,
}

/// What does not follow from the configuration alone.
#[derive(Debug)]
struct Known {
    environment: Environment,
    fetcher: Fetcher,
    /// By file; the vendor's chain without one.
    keepers: Mutex<BTreeMap<Option<PathBuf>, Arc<Keeper>>>,
    /// By endpoint.
    skews: Mutex<BTreeMap<String, Arc<Skew>>>,
}

impl Cloud {
    /// The ways of a configuration.
    ///
    /// # Errors
    /// Certificates or the proxy cannot be used.
    pub(super) fn new(config: &Config, transport: &Transport) -> Result<Self, BuildError> {
        let known = Arc::new(Known {
            environment: Environment::of_process(),
            fetcher: Fetcher::new(transport)?,
            keepers: Mutex::default(),
            skews: Mutex::default(),
        });
        Ok(Self::with(config, known))
    }

    /// The ways of another configuration, with what is known by now.
    pub(super) fn reloaded(&self, config: &Config) -> Self {
        let known = Arc::clone(&self.known);
        let before = self.fields.clone();
        let mut after = Self::with(config, known);
        // Rows of a flow log that is gone may still be on their way.
        for (name, fields) in before {
            after.fields.entry(name).or_insert(fields);
        }
        after
    }

    fn with(config: &Config, known: Arc<Known>) -> Self {
        let logs = config.definition.flow_logs.iter();
        Self {
            sls: config.sls.clone(),
            fields: logs.map(|log| (log.name.clone(), fields(log))).collect(),
            usual: Arc::default(),
            known,
        }
    }

    fn key_file(&self, account: Option<&str>) -> Option<&PathBuf> {
        let own = account.and_then(|account| self.sls.accounts.get(account));
        own.or(self.sls.key_file.as_ref())
    }
}

impl Directory for Cloud {
    fn route(&self, destination: &Destination) -> Result<Way, Unroutable> {
        let region = destination.region.as_deref();
        let Service::Cloud(template) = self.sls.service(region) else {
            let region = region.unwrap_or("any region");
            let why = format!("[sls] has no endpoint for {region} any more: rows wait for one");
            return Err(Unroutable(why));
        };
        let filled = template.contains('{').then_some(region).flatten();
        let endpoint =
            Endpoint::new(template, filled).map_err(|error| Unroutable(error.to_string()))?;
        let keys = self.key_file(destination.account.as_deref());
        Ok(Way {
            scheme: Scheme::of_region(region),
            keeper: self.known.keeper(keys),
            skew: self.known.skew(&endpoint),
            endpoint,
        })
    }

    fn fields(&self, flow_log: &str) -> Arc<FieldChoice> {
        let fields = self.fields.get(flow_log).unwrap_or(&self.usual);
        Arc::clone(fields)
    }
}

impl Known {
    fn keeper(&self, file: Option<&PathBuf>) -> Arc<Keeper> {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let keeper = keepers.entry(file.cloned()).or_insert_with(|| {
            let chain = match file {
                Some(path) => Chain::only(Origin::File(path.clone())),
                None => Chain::standard(),
            };
            let keeper = Keeper::new(chain, self.environment.clone(), self.fetcher.clone());
            Arc::new(keeper)
        });
        Arc::clone(keeper)
    }

    fn skew(&self, endpoint: &Endpoint) -> Arc<Skew> {
        let mut skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(skews.entry(endpoint.to_string()).or_default())
    }
}

/// The fields of a flow log; its own columns were checked when it was read.
fn fields(log: &FlowLog) -> Arc<FieldChoice> {
    let extra = log.fields.iter().map(String::as_str);
    Arc::new(FieldChoice::new(log.naming, extra).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowlog::Naming;

    fn cloud(text: &str) -> Cloud {
        let config = Config::parse(text, "test").unwrap();
        Cloud::new(&config, &Transport::default()).unwrap()
    }

    fn way(cloud: &Cloud, name: &str) -> Result<Way, Unroutable> {
        cloud.route(&name.parse().unwrap())
    }

    const TEXT: &str = "\
        [sls]\nendpoint = \"{region}.log.example\"\ndefault-region = \"cn-a\"\n\
        access-key-file = \"/key\"\n\
        [sls.region.cn-b]\nendpoint = \"embedded\"\n\
        [sls.region.cn-c]\nendpoint = \"127.0.0.1:81\"\n\
        [sls.account.77]\naccess-key-file = \"/key-77\"\n";

    #[test]
    fn a_region_fills_in_the_endpoint_and_signs() {
        let cloud = cloud(TEXT);
        let a = way(&cloud, "sls/cn-a/-/proj/flows").unwrap();
        assert_eq!(a.endpoint.to_string(), "https://cn-a.log.example");
        assert_eq!(a.scheme, Scheme::of_region(Some("cn-a")));
        let c = way(&cloud, "sls/cn-c/-/proj/flows").unwrap();
        assert_eq!(c.endpoint.to_string(), "http://127.0.0.1:81");
        let refused = way(&cloud, "sls/cn-b/-/proj/flows").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "[sls] has no endpoint for cn-b any more: rows wait for one"
        );
        assert!(way(&cloud, "sls/-/-/proj/flows").is_err(), "needs a region");
    }

    #[test]
    fn destinations_share_keys_and_clocks_where_these_are_the_same() {
        let cloud = cloud(TEXT);
        let way = |name| way(&cloud, name).unwrap();
        let (one, other) = (way("sls/cn-a/-/proj/flows"), way("sls/cn-a/-/proj/more"));
        assert!(Arc::ptr_eq(&one.keeper, &other.keeper) && Arc::ptr_eq(&one.skew, &other.skew));
        let account = way("sls/cn-c/77/proj/flows");
        assert!(!Arc::ptr_eq(&one.keeper, &account.keeper));
        assert!(!Arc::ptr_eq(&one.skew, &account.skew));
        let unknown = way("sls/cn-a/78/proj/flows");
        assert!(Arc::ptr_eq(&one.keeper, &unknown.keeper));
    }

    #[test]
    fn a_flow_log_that_is_gone_keeps_its_fields_while_rows_may_be_under_way() {
        let log = "[[flow-log]]\nname = \"a\"\nproject = \"proj\"\nlogstore = \"flows\"\n\
                   naming = \"vpc\"\nfields = [\"vlan\"]\n";
        let cloud = cloud(log).reloaded(&Config::default());
        let vpc = FieldChoice::new(Naming::Vpc, ["vlan"]).unwrap();
        assert_eq!(*cloud.fields("a"), vpc);
        assert_eq!(*cloud.fields("default"), FieldChoice::default());
    }
}
