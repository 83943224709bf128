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
    let made = document::read::<State>(&path).context("cannot read the flow logs of the APIs")?;
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
    /// in force.
    ///
    /// # Errors
    /// Those of `apply`; then the old one stays.
    pub(super) fn redefine<E>(
        &self,
        operators: &Definition,
        apply: impl FnOnce(&Definition) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut held = self.held();
        let next = Held::new(operators, Arc::clone(&held.made));
        apply(&next.joined())?;
        next.report_lost();
        *held = next;
        Ok(())
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
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
