//! The cache against a naive one that looks at every flow on every tick (P-907).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::traces::Step;
use super::traces::Trace;
use super::traces::play;
use super::traces::traces;
use super::*;

/// Source, route, source port and protocol: all that differs between keys of a trace.
type Name = (u32, u16, u16, u8);

fn name(record: &FlowRecord) -> Name {
    let key = &record.key;
    (key.source.0, key.route, key.src_port, key.protocol)
}

struct Flow {
    record: FlowRecord,
    first_ms: u64,
    last_ms: u64,
    ended: Option<(u64, EndReason)>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open(RouteTimers),
    Closed,
}

fn merges(timers: &RouteTimers) -> bool {
    timers.kind != CacheType::Immediate
}

/// What a natural cache makes of a record of TCP that shows an end.
fn natural(timers: RouteTimers, record: &FlowRecord) -> FlowRecord {
    let ends = timers.kind == CacheType::Natural
        && record.key.protocol == 6
        && record.tcp_flags & 0b101 != 0
        && record.end_reason == EndReason::Unknown;
    FlowRecord {
        end_reason: if ends {
            EndReason::End
        } else {
            record.end_reason
        },
        ..*record
    }
}

#[derive(Default)]
struct Model {
    flows: BTreeMap<Name, Flow>,
    routes: BTreeMap<u16, State>,
    told_ms: BTreeMap<u32, u64>,
    closing: Vec<u32>,
    /// What left since, with its reason.
    out: Vec<FlowRecord>,
}

const TICK_MS: u64 = 100;
const LINGER_MS: u64 = 2_000;
const SLACK_MS: u64 = 5_000;

impl Model {
    fn play(&mut self, now_ms: u64, step: &Step) {
        match step {
            Step::Record(record, _) => self.insert(now_ms, record),
            Step::Tick => self.tick(now_ms / TICK_MS * TICK_MS),
            Step::Timers(route, timers) => {
                self.routes.insert(*route, State::Open(*timers));
            }
            Step::CloseRoute(route) => {
                if let Some(state) = self.routes.get_mut(route) {
                    *state = State::Closed;
                }
            }
            Step::CloseSource(source) => {
                self.closing.push(*source);
            }
            Step::Learned(source, active_ms) => {
                self.told_ms.insert(*source, *active_ms);
            }
        }
        self.end_closed_sources();
    }

    fn end_closed_sources(&mut self) {
        let live: Vec<u32> = self.flows.keys().map(|name| name.0).collect();
        for source in self.closing.extract_if(.., |source| !live.contains(source)) {
            self.told_ms.remove(&source);
        }
    }

    fn insert(&mut self, now_ms: u64, record: &FlowRecord) {
        let name = name(record);
        let timers = match self.routes.get(&name.1) {
            Some(State::Open(timers)) if merges(timers) && record.event.is_none() => *timers,
            _ if record.event.is_some() => return self.out.push(*record),
            Some(State::Closed) => return self.leave(*record, EndReason::Forced),
            _ => return self.out.push(*record),
        };
        if self.closing.contains(&name.0) {
            return self.leave(*record, EndReason::Forced);
        }
        let record = &natural(timers, record);
        let ended = match record.end_reason {
            EndReason::Idle | EndReason::End => Some((now_ms, record.end_reason)),
            EndReason::Unknown | EndReason::Active | EndReason::Forced | EndReason::Resources => {
                None
            }
        };
        let mut new = Flow {
            record: *record,
            first_ms: now_ms,
            last_ms: now_ms,
            ended,
        };
        if let Some(old) = self.flows.remove(&name) {
            let start_ms = old.record.start_ms.min(record.start_ms);
            let span_ms = old.record.end_ms.max(record.end_ms) - start_ms;
            let active_ms = timers.timers.active_ms;
            let mut sum = old.record;
            if active_ms > 0 && span_ms > active_ms + SLACK_MS {
                self.leave(old.record, EndReason::Active);
            } else if sum.absorb(record).is_err() {
                self.leave(old.record, EndReason::Resources);
            } else {
                new.record = sum;
                new.first_ms = old.first_ms;
                new.ended = old.ended.or(ended);
            }
        }
        self.flows.insert(name, new);
    }

    fn tick(&mut self, tick_ms: u64) {
        let names: Vec<Name> = self.flows.keys().copied().collect();
        for name in names {
            if let Some(reason) = self.verdict(name, tick_ms) {
                let flow = self.flows.remove(&name).unwrap();
                self.leave(flow.record, reason);
            }
        }
    }

    fn verdict(&self, name: Name, tick_ms: u64) -> Option<EndReason> {
        let flow = &self.flows[&name];
        let timers = match self.routes[&name.1] {
            State::Open(timers) if merges(&timers) && !self.closing.contains(&name.0) => timers,
            State::Open(_) | State::Closed => return Some(EndReason::Forced),
        };
        let told_ms = self.told_ms.get(&name.0).copied().unwrap_or(0);
        let inactive_ms = match timers.timers.inactive {
            Inactive::Fixed(ms) => ms,
            Inactive::Auto { floor_ms: 0 } => 0,
            Inactive::Auto { floor_ms } => floor_ms.max(told_ms * 3 / 2),
        };
        let never_if_0 = |ms: u64| if ms == 0 { u64::MAX / 2 } else { ms };
        let mut due = vec![(
            flow.first_ms + never_if_0(timers.timers.active_ms),
            EndReason::Active,
        )];
        match flow.ended {
            Some((at_ms, reason)) => {
                let linger_ms = LINGER_MS.min(never_if_0(inactive_ms));
                due.insert(0, (at_ms + linger_ms, reason));
            }
            None => due.push((flow.last_ms + never_if_0(inactive_ms), EndReason::Idle)),
        }
        let &(due_ms, reason) = due.iter().min_by_key(|it| it.0).unwrap();
        (due_ms <= tick_ms).then_some(reason)
    }

    fn leave(&mut self, record: FlowRecord, end_reason: EndReason) {
        self.out.push(FlowRecord {
            end_reason,
            ..record
        });
    }
}

/// What left in one step, in an order both agree on.
fn sorted(mut rows: Vec<FlowRecord>) -> Vec<FlowRecord> {
    rows.sort_by_key(|row| (name(row), row.start_ms, row.octets));
    rows
}

fn agree(trace: &Trace, begin_ms: u64) -> Result<(), TestCaseError> {
    let mut cache = Cache::new(Settings::default());
    let (mut model, mut out, mut now_ms) = (Model::default(), Rows::default(), begin_ms);
    for step in trace {
        // Told timers keep the cache from learning by itself.
        for source in (0..3)
            .filter(|source| !model.told_ms.contains_key(source))
            .collect::<Vec<_>>()
        {
            cache.learned(SourceId(source), 1);
            model.told_ms.insert(source, 1);
        }
        play(&mut cache, &mut now_ms, step, &mut out);
        model.play(now_ms, &step.1);
        let left = out.rows.drain(..).map(|row| row.0).collect();
        prop_assert_eq!(sorted(left), sorted(std::mem::take(&mut model.out)));
        prop_assert_eq!(cache.live(), model.flows.len());
        cache.check();
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_cache_does_what_a_naive_one_does(trace in traces()) {
        agree(&trace, 5_000_000)?;
    }

    #[test]
    fn the_cache_does_so_while_its_32_bit_times_wrap(trace in traces()) {
        agree(&trace, u64::from(u32::MAX) - 20_000)?;
    }
}
