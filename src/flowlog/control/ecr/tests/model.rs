//! Any sequence of calls, against a list of what they should have done.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const ROUTERS: [&str; 2] = [HOME, "ecr-other"];
const NAMES: [&str; 2] = ["one", "two"];
const TOKENS: [&str; 3] = ["a", "b", "c"];
const QUOTA: usize = 3;
const TOKENS_MAX: usize = 100;

/// What a call does. Flow logs are counted in the order in which they were
/// made, those that are gone too.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create { name: usize },
    Edit { log: usize, edit: Edit },
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Modify { name: usize },
    Delete,
    Activate,
    Deactivate,
}

#[derive(Clone, Copy, Debug)]
struct Called {
    step: Step,
    router: usize,
    token: Option<usize>,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let edit = prop_oneof![
        name.clone().prop_map(|name| Edit::Modify { name }),
        Just(Edit::Delete),
        Just(Edit::Activate),
        Just(Edit::Deactivate),
    ];
    prop_oneof![
        1 => name.prop_map(|name| Step::Create { name }),
        4 => (0..5_usize, edit).prop_map(|(log, edit)| Step::Edit { log, edit }),
    ]
}

fn called() -> impl Strategy<Value = Called> {
    let token = prop::option::of(0..TOKENS.len());
    (step(), 0..ROUTERS.len(), token).prop_map(|(step, router, token)| Called {
        step,
        router,
        token,
    })
}

/// A flow log as it should be; none once it is gone.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    router: usize,
    name: usize,
    is_active: bool,
}

#[derive(Default)]
struct Model {
    made: Vec<(String, Option<Expected>)>,
    /// By action and token: what was asked for, and answered.
    tokens: BTreeMap<(&'static str, usize), (String, Option<String>)>,
}

/// What a call should come to; a new flow log has no id yet.
#[derive(Debug)]
enum Due {
    Repeated(Option<String>),
    Refused(Refused),
    Made(Expected),
    Edited(usize, Option<Expected>),
}

impl Model {
    fn due(&self, called: Called) -> Due {
        let Called { step, router, .. } = called;
        let (action, digest) = (action(step), digest(called));
        let known = called.token.and_then(|it| self.tokens.get(&(action, it)));
        match known {
            Some((asked, answered)) if *asked == digest => {
                return Due::Repeated(answered.clone());
            }
            Some(_) => return Due::Refused(Refused::Reused),
            None => {}
        }
        let (log, edit) = match step {
            Step::Create { .. } if self.count() >= QUOTA => return Due::Refused(Refused::Quota),
            Step::Create { name } => {
                return Due::Made(Expected {
                    router,
                    name,
                    is_active: true,
                });
            }
            Step::Edit { log, edit } => (log, edit),
        };
        let found = self.made.get(log).and_then(|(_, it)| it.clone());
        let Some(found) = found.filter(|it| it.router == router) else {
            return Due::Refused(Refused::NoFlowLog);
        };
        let is_active = found.is_active;
        match edit {
            Edit::Delete => Due::Edited(log, None),
            Edit::Modify { name } => Due::Edited(log, Some(Expected { name, ..found })),
            Edit::Activate if is_active => Due::Refused(Refused::State),
            Edit::Deactivate if !is_active => Due::Refused(Refused::State),
            Edit::Activate | Edit::Deactivate => {
                let is_active = !is_active;
                Due::Edited(log, Some(Expected { is_active, ..found }))
            }
        }
    }

    /// Flow logs that are not gone.
    fn count(&self) -> usize {
        self.made.iter().filter(|(_, it)| it.is_some()).count()
    }
}

fn action(step: Step) -> &'static str {
    match step {
        Step::Create { .. } => "CreateFlowLog",
        Step::Edit { edit, .. } => match edit {
            Edit::Modify { .. } => "ModifyFlowLogAttribute",
            Edit::Delete => "DeleteFlowlog",
            Edit::Activate => "ActivateFlowLog",
            Edit::Deactivate => "DeactivateFlowLog",
        },
    }
}

fn digest(called: Called) -> String {
    format!("{:?} {}", called.step, called.router)
}

/// The call itself.
fn call(world: &mut World, model: &Model, called: Called) -> Result<Outcome, Refused> {
    let id = |log: usize| model.made.get(log).map_or("ecr-flog-none", |(id, _)| id);
    let named = |name: usize| Given {
        flow_log_name: Some(NAMES[name]),
        ..Given::default()
    };
    let change = match called.step {
        Step::Create { name } => Change::Create(Wanted {
            given: named(name),
            instance_id: ["vbr-a", "vbr-other"][called.router],
            ..wanted()
        }),
        Step::Edit { log, edit } => match edit {
            Edit::Modify { name } => Change::Modify(id(log), named(name)),
            Edit::Delete => Change::Delete(id(log)),
            Edit::Activate => Change::Activate(id(log)),
            Edit::Deactivate => Change::Deactivate(id(log)),
        },
    };
    let digest = digest(called);
    let token = called.token.map(|token| {
        let token = TOKENS[token];
        Token::new("1234", action(called.step), token, &digest).unwrap()
    });
    world.call(&change, ROUTERS[called.router], token.as_ref())
}

proptest! {
    #[test]
    fn any_calls_do_what_they_should_and_each_token_once(
        calls in prop::collection::vec(called(), 1..60),
    ) {
        let mut world = World::new();
        (world.quota, world.tokens_max) = (QUOTA, TOKENS_MAX);
        let mut model = Model::default();
        for called in calls {
            let due = model.due(called);
            let done = call(&mut world, &model, called);
            world.now_ms += 1;
            let answered = match due {
                Due::Repeated(flow_log) => {
                    prop_assert_eq!(done, Ok(Outcome { flow_log, is_new: false }));
                    None
                }
                Due::Refused(refused) => {
                    prop_assert_eq!(done, Err(refused));
                    None
                }
                Due::Made(expected) => {
                    let done = done.unwrap();
                    prop_assert!(done.is_new);
                    let id = done.flow_log.unwrap();
                    prop_assert!(model.made.iter().all(|(other, _)| *other != id));
                    model.made.push((id.clone(), Some(expected)));
                    Some(Some(id))
                }
                Due::Edited(log, expected) => {
                    prop_assert_eq!(done, Ok(Outcome { flow_log: None, is_new: true }));
                    model.made[log].1 = expected;
                    Some(None)
                }
            };
            if let (Some(answered), Some(token)) = (answered, called.token) {
                let key = (action(called.step), token);
                model.tokens.insert(key, (digest(called), answered));
            }
            let kept = world.store.flow_logs().map(|log| {
                let expected = Expected {
                    router: ROUTERS.iter().position(|it| *it == log.router).unwrap(),
                    name: NAMES.iter().position(|it| *it == log.attributes.name).unwrap(),
                    is_active: log.is_active,
                };
                (log.id.clone(), expected)
            });
            let kept: BTreeMap<_, _> = kept.collect();
            let made = model.made.iter();
            let made = made.filter_map(|(id, it)| Some((id.clone(), it.clone()?)));
            prop_assert_eq!(kept, made.collect::<BTreeMap<_, _>>());
            prop_assert_eq!(world.store.tokens.len(), model.tokens.len());
        }
    }
}
