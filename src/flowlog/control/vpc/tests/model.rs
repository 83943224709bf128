//! Any calls in any order: what always holds of the store.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A call, about things by their places in short lists.
#[derive(Clone, Debug)]
enum Step {
    Create {
        account: usize,
        resource: usize,
        name: usize,
    },
    Rename {
        account: usize,
        log: usize,
        name: usize,
    },
    Enable {
        account: usize,
        logs: Vec<usize>,
        is_enabled: bool,
    },
    Delete {
        account: usize,
        log: usize,
    },
}

const ACCOUNTS: [Scope<'static>; 2] = [OURS, ANYBODYS];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const RESOURCES: [(&str, &str, &str); 6] = [
    ("vpc-a", "NETWORKINTERFACE", "eni-a"),
    ("vpc-b", "NETWORKINTERFACE", "eni-b"),
    ("vpc-a", "NAT", "nat-a"),
    ("", "CCN", "ccn-a"),
    ("vpc-a", "VPC", "vpc-a"),
    ("vpc-a", "SUBNET", "subnet-of-vpc-a"),
];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let account = 0..ACCOUNTS.len();
    // One log more than there may be: it is not there.
    let log = 0..8_usize;
    let name = 0..NAMES.len();
    let create = (account.clone(), 0..RESOURCES.len(), name.clone());
    let create = create.prop_map(|(account, resource, name)| Step::Create {
        account,
        resource,
        name,
    });
    let rename = (account.clone(), log.clone(), name);
    let rename = rename.prop_map(|(account, log, name)| Step::Rename { account, log, name });
    let logs = prop::collection::vec(log.clone(), 0..4);
    let enable = (account.clone(), logs, any::<bool>());
    let enable = enable.prop_map(|(account, logs, is_enabled)| Step::Enable {
        account,
        logs,
        is_enabled,
    });
    let delete = (account, log).prop_map(|(account, log)| Step::Delete { account, log });
    let step = prop_oneof![3 => create, 1 => rename, 2 => enable, 1 => delete];
    prop::collection::vec(step, 0..40)
}

/// The id of a flow log by its place, or one that there is not.
fn id_at(world: &World, place: usize) -> String {
    let log = world.store.flow_logs().nth(place);
    log.map_or_else(|| "fl-none".to_owned(), |log| log.id.clone())
}

/// Makes a call. Returns whether it succeeded.
fn take(world: &mut World, step: &Step) -> bool {
    match step {
        Step::Create {
            account,
            resource,
            name,
        } => {
            let (vpc, kind, id) = RESOURCES[*resource];
            let given = Given {
                vpc_id: Some(vpc),
                resource_type: Some(kind),
                resource_id: Some(id),
                ..interface(NAMES[*name])
            };
            world.create_as(ACCOUNTS[*account], &given).is_ok()
        }
        Step::Rename { account, log, name } => {
            let id = id_at(world, *log);
            let vpc = vpc_of(world, &id);
            let given = Given {
                vpc_id: vpc.as_deref(),
                name: Some(NAMES[*name]),
                ..Given::default()
            };
            let (scope, inventory) = (ACCOUNTS[*account], &world.inventory);
            world.store.modify(&scope, &id, &given, inventory).is_ok()
        }
        Step::Enable {
            account,
            logs,
            is_enabled,
        } => {
            let ids: Vec<_> = logs.iter().map(|log| id_at(world, *log)).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let scope = ACCOUNTS[*account];
            let is_done = world
                .store
                .enable(&scope, &ids, *is_enabled, &world.inventory)
                .is_ok();
            if is_done {
                assert!(ids.iter().all(|id| world.log(id).is_enabled == *is_enabled));
                assert_eq!(
                    world
                        .store
                        .enable(&scope, &ids, *is_enabled, &world.inventory),
                    Ok(false)
                );
            }
            is_done
        }
        Step::Delete { account, log } => {
            let id = id_at(world, *log);
            let vpc = vpc_of(world, &id);
            let (scope, inventory) = (ACCOUNTS[*account], &world.inventory);
            let deleted = world.store.delete(&scope, vpc.as_deref(), &id, inventory);
            deleted.is_ok()
        }
    }
}

fn vpc_of(world: &World, id: &str) -> Option<String> {
    let log = world.store.flow_logs.get(id);
    log.and_then(|log| log.attributes.vpc.clone())
}

fn check(world: &World) {
    let logs: Vec<_> = world.store.flow_logs().collect();
    let names: BTreeSet<_> = logs
        .iter()
        .map(|log| (&log.account, &log.attributes.name))
        .collect();
    assert_eq!(names.len(), logs.len(), "names are unique in an account");
    for log in &logs {
        assert_eq!(world.store.flow_logs[&log.id], **log);
        let resource = &log.attributes.resource;
        let same = logs.iter().filter(|it| it.attributes.resource == *resource);
        assert!(same.count() <= 2, "two flow logs of a resource at most");
        assert_eq!(
            log.attributes.vpc.is_none(),
            resource.kind == ResourceKind::Ccn
        );
    }
    for scope in &ACCOUNTS {
        assert!(world.store.of_scope(scope).count() <= world.quota);
    }
}

proptest! {
    #[test]
    fn no_calls_break_what_holds_of_the_store(steps in steps()) {
        let mut world = World::new();
        world.quota = 5;
        for step in &steps {
            let before = world.store.clone();
            let count = before.flow_logs().count();
            let is_done = take(&mut world, step);
            let expected = match step {
                _ if !is_done => {
                    prop_assert_eq!(&world.store, &before, "a refusal changes nothing");
                    count
                }
                Step::Create { .. } => count + 1,
                Step::Delete { .. } => count - 1,
                Step::Rename { .. } | Step::Enable { .. } => count,
            };
            prop_assert_eq!(world.store.flow_logs().count(), expected);
            check(&world);
        }
    }
}
