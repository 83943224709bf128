//! Flow logs that the APIs have made: kept on disk, and joined to those of the
//! configuration.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

use crate::config::Config;
use crate::daemon::start::state_directory;
use crate::flowlog::Definition;
use crate::flowlog::Problem;
use crate::flowlog::control::{Inventory, State};
use crate::logstore::document;

/// The file in the state directory.
const FILE: &str = "flow-logs.json";

/// What a configuration defines, joined by what the APIs have made so far.
///
/// # Errors
/// A later flowlogd wrote it, or it cannot be read.
pub fn joined_definition(config: &Config) -> Result<Definition> {
    let path = state_directory(config).join(FILE);
    let made = document::look::<State>(&path).context("cannot read the flow logs of the APIs")?;
    Ok(made.unwrap_or_default().joined_to(&config.definition))
}

/// All that the APIs have made. Changes come one after the other, and each is
/// durable before it is in force.
#[derive(Debug)]
pub(super) struct Register {
    path: PathBuf,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    /// What the configuration says.
    operators: Definition,
    /// What there is to be bound, by the configuration.
    inventory: Arc<Inventory>,
    made: Arc<State>,
}

/// Why a change did not come about; what was, still is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unchanged {
    /// The routing cannot be so.
    #[error("the flow logs contradict each other: {}", lines(.0))]
    Contradiction(Vec<Problem>),
    /// It cannot be kept.
    #[error("cannot write {}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Register {
    /// Reads what earlier runs have kept in a state directory.
    ///
    /// # Errors
    /// A later flowlogd wrote it, or it cannot be read.
    pub(super) fn open(state: &Path, operators: &Definition) -> Result<Self> {
        let path = state.join(FILE);
        let made = document::read(&path).context("cannot take up the flow logs of the APIs")?;
        let register = Self {
            path,
            held: Mutex::new(Held::new(operators, Arc::new(made.unwrap_or_default()))),
        };
        register.held().report_lost();
        Ok(register)
    }

    /// What the configuration says, joined by what the APIs have made.
    pub(super) fn definition(&self) -> Definition {
        self.held().joined()
    }

    /// What the APIs have made, and what they can bind it to.
    pub(super) fn look(&self) -> (Arc<State>, Arc<Inventory>) {
        let held = self.held();
        (Arc::clone(&held.made), Arc::clone(&held.inventory))
    }

    /// Joins what the APIs have made to a new configuration, which `apply` puts
    /// in force. What Tencent Cloud removes with a network interface is removed
    /// with it here, too (control-plane.md §8).
    ///
    /// # Errors
    /// Those of `apply`; then the old one stays.
    pub(super) fn redefine<E>(
        &self,
        operators: &Definition,
        apply: impl FnOnce(&Definition) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut held = self.held();
        let mut next = Held::new(operators, Arc::clone(&held.made));
        apply(&next.joined())?;
        self.forget_lost(&mut next);
        next.report_lost();
        *held = next;
        Ok(())
    }

    /// Removes flow logs of network interfaces that are there no more; what
    /// cannot be written stays until the next time.
    fn forget_lost(&self, held: &mut Held) {
        let mut made = State::clone(&held.made);
        let forgotten = made.vpc.forget(&held.inventory);
        if forgotten.is_empty() {
            return;
        }
        if let Err(error) = document::replace(&self.path, &made) {
            tracing::error!(%error, "cannot remove flow logs of network interfaces that are gone");
            return;
        }
        for flow_log in forgotten {
            tracing::warn!(
                flow_log,
                "removed with its network interface, which is no [[attachment]] any more"
            );
        }
        held.made = Arc::new(made);
    }

    /// Changes what the APIs have made, if `edit` says so: `prepare` looks
    /// whether the routing can be so, and what comes of it is put in force
    /// by `apply`. Blocks while the disk works.
    ///
    /// # Errors
    /// The change cannot be, or cannot be kept.
    pub(super) fn change<R>(
        &self,
        edit: impl FnOnce(&mut State, &Inventory) -> bool,
        prepare: impl FnOnce(&Definition) -> Result<R, Vec<Problem>>,
        apply: impl FnOnce(R),
    ) -> Result<(), Unchanged> {
        let mut held = self.held();
        let mut made = State::clone(&held.made);
        if !edit(&mut made, &held.inventory) {
            return Ok(());
        }
        let ready = prepare(&made.joined_to(&held.operators)).map_err(Unchanged::Contradiction)?;
        document::replace(&self.path, &made).map_err(|source| Unchanged::Disk {
            path: self.path.clone(),
            source,
        })?;
        held.made = Arc::new(made);
        apply(ready);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn new(operators: &Definition, made: Arc<State>) -> Self {
        Self {
            operators: operators.clone(),
            inventory: Arc::new(Inventory::new(operators)),
            made,
        }
    }

    fn joined(&self) -> Definition {
        self.made.joined_to(&self.operators)
    }

    /// Says in the log which gateways are bound and not in the configuration:
    /// they stay bound, and nothing comes from them.
    fn report_lost(&self) {
        let bindings = self.made.sag.bindings();
        for (gateway, flow_log) in bindings {
            if !self.inventory.gateways.contains_key(gateway) {
                tracing::warn!(
                    gateway,
                    flow_log,
                    "bound by the API, but no [[device]] has this instance-id"
                );
            }
        }
        for log in self.made.ecr.flow_logs() {
            let (vbr, flow_log) = (log.attributes.vbr.as_str(), log.id.as_str());
            if !self.inventory.attachments.contains_key(vbr) {
                tracing::warn!(
                    vbr,
                    flow_log,
                    "no [[attachment]] has the id of its border router"
                );
            }
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flowlog::Attachment;
    use crate::flowlog::AttachmentKind;
    use crate::flowlog::Device;
    use crate::flowlog::control::Ids;
    use crate::flowlog::control::sag::{Given, Policy, Scope};

    const HERE: Scope<'static> = Scope {
        account: "",
        region: "cn-shanghai",
    };

    fn make(made: &mut State, inventory: &Inventory) -> bool {
        let given = Given {
            output_type: Some("netflow"),
            netflow_server_ip: Some("192.0.2.9"),
            ..Given::default()
        };
        let policy = Policy {
            inventory,
            quota: 9,
            may_reactivate: true,
            destinations: &[],
            own: &[],
        };
        let mut random = |octets: &mut [u8]| getrandom::fill(octets).unwrap();
        let mut ids = Ids::new(&mut random);
        let log = made.sag.create(&HERE, &given, "", &policy, 0, &mut ids);
        log.is_ok()
    }

    fn open(dir: &Path) -> Register {
        Register::open(dir, &Definition::default()).unwrap()
    }

    fn count(register: &Register) -> usize {
        register.look().0.sag.flow_logs().count()
    }

    #[test]
    fn what_was_made_is_there_in_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let register = open(dir.path());
        let mut applied = 0;
        let seen = |definition: &Definition| Ok(definition.flow_logs.len());
        register.change(make, seen, |logs| applied = logs).unwrap();
        assert_eq!((applied, count(&register)), (1, 1));
        let next = open(dir.path());
        assert_eq!(next.look().0, register.look().0);
        assert_eq!(next.definition().flow_logs.len(), 1);
    }

    #[test]
    fn a_change_that_is_refused_leaves_all_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let register = open(dir.path());
        let never = |()| panic!("put in force");
        register
            .change(|_, _| false, |_| panic!("looked at"), never)
            .unwrap();
        let problem = || Problem::new("device", "too many", "");
        let refused = register.change(make, |_| Err(vec![problem()]), never);
        assert!(matches!(refused, Err(Unchanged::Contradiction(_))));
        assert_eq!((count(&register), count(&open(dir.path()))), (0, 0));
    }

    #[test]
    fn what_cannot_be_kept_is_not_put_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let register = open(dir.path());
        // A directory stands where the new file would be written.
        std::fs::create_dir(dir.path().join("flow-logs.json.new")).unwrap();
        let never = |()| panic!("put in force");
        let refused = register.change(make, |_| Ok(()), never);
        assert!(matches!(refused, Err(Unchanged::Disk { .. })));
        assert_eq!(count(&register), 0);
    }

    #[test]
    fn a_look_leaves_a_damaged_file_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.state.dir = Some(dir.path().to_owned());
        std::fs::write(dir.path().join(FILE), "damaged").unwrap();
        let joined = joined_definition(&config).unwrap();
        assert_eq!(joined, config.definition);
        assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), b"damaged");
        assert_eq!(count(&open(dir.path())), 0);
        assert!(!dir.path().join(FILE).exists());
    }

    #[test]
    fn a_damaged_file_costs_the_last_change_only() {
        let dir = tempfile::tempdir().unwrap();
        let register = open(dir.path());
        for _change in 0..3 {
            register.change(make, |_| Ok(()), |()| ()).unwrap();
        }
        std::fs::write(dir.path().join(FILE), "damaged").unwrap();
        for _start in 0..2 {
            assert_eq!(count(&open(dir.path())), 2);
        }
        let next = open(dir.path());
        next.change(make, |_| Ok(()), |()| ()).unwrap();
        assert_eq!(open(dir.path()).look().0, next.look().0);
    }

    #[test]
    fn a_new_configuration_keeps_what_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let register = open(dir.path());
        register.change(make, |_| Ok(()), |()| ()).unwrap();
        let operators = Definition {
            devices: vec![Device {
                instance_id: "sag-a".to_owned(),
                ..Device::default()
            }],
            ..Definition::default()
        };
        let refused: Result<(), ()> = register.redefine(&operators, |_| Err(()));
        assert_eq!(refused, Err(()));
        assert!(register.look().1.gateways.is_empty());
        let mut joined = 0;
        let taken: Result<(), ()> = register.redefine(&operators, |definition| {
            joined = definition.flow_logs.len();
            Ok(())
        });
        assert_eq!((taken, joined), (Ok(()), 1));
        assert!(register.look().1.gateways.contains_key("sag-a"));
    }

    #[test]
    fn flow_logs_of_a_network_interface_go_with_it_at_a_reload() {
        let dir = tempfile::tempdir().unwrap();
        let log = |id: &str, interface: &str| {
            json!({
                "id": id, "account": "", "created_ms": 1, "is_enabled": true,
                "attributes": {
                    "vpc": "vpc-1", "name": id, "description": "",
                    "resource": {"kind": "network-interface", "id": interface},
                    "traffic": "all", "topic": "topic", "topic_region": "", "period_s": null,
                    "tags": [],
                },
            })
        };
        let made = json!({"vpc": {"flow_logs": {
            "fl-1": log("fl-1", "eni-1"),
            "fl-2": log("fl-2", "eni-2"),
        }}});
        let made: State = serde_json::from_value(made).unwrap();
        document::replace(&dir.path().join(FILE), &made).unwrap();
        let operators = Definition {
            attachments: vec![Attachment {
                id: "eni-1".to_owned(),
                kind: AttachmentKind::NetworkInterface,
                ..Attachment::default()
            }],
            ..Definition::default()
        };
        // A start may find the file half written; only a reload is an act.
        let register = Register::open(dir.path(), &operators).unwrap();
        let ids = |register: &Register| {
            let made = register.look().0;
            let ids = made.vpc.flow_logs().map(|log| log.id.clone());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids(&register), ["fl-1", "fl-2"]);
        let taken: Result<(), ()> = register.redefine(&operators, |_| Ok(()));
        assert_eq!((taken, ids(&register)), (Ok(()), vec!["fl-1".to_owned()]));
        assert_eq!(ids(&open(dir.path())), ["fl-1"]);
    }
}
