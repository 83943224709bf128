//! Templates: whose they are, how long they live, what waits for them.

use proptest::prelude::*;

use crate::session::Limits;
use crate::session::Outcome;
use crate::session::ScopeMode;
use crate::session::SetOutcome;
use crate::session::Transport;
use crate::session::testing::Bench;
use crate::session::testing::EXPORT_MS;
use crate::session::testing::EXPORT_SECS;
use crate::session::testing::ipfix;
use crate::session::testing::ipfix_at;
use crate::session::testing::options_template;
use crate::session::testing::peer;
use crate::session::testing::set;
use crate::session::testing::template;
use crate::session::testing::v9;
use crate::session::testing::v9_at;

const LIFETIME_MS: u64 = 5_400_000;

/// A Template Set of one Template with so many 4-octet fields.
fn define(id: u16, fields: usize) -> Vec<u8> {
    set(2, &template(id, &vec![(8, 4); fields]))
}

fn stream() -> Bench {
    let mut bench = Bench::default();
    bench.sessions = bench.sessions.over(Transport::Stream);
    bench
}

/// Outcome of a Data Set of 8 octets.
fn data(bench: &mut Bench, id: u16) -> SetOutcome {
    let sequence = u32::try_from(bench.recorder.sets.len()).unwrap();
    bench.send(&ipfix(1, 1000 + sequence, &[set(id, &[1; 8])]));
    bench.recorder.sets.last().unwrap().1
}

#[test]
fn ports_of_an_exporter_share_templates_unless_told_otherwise() {
    for (mode, expected) in [
        (ScopeMode::Strict, SetOutcome::NoTemplate),
        (ScopeMode::Fallback, SetOutcome::Ok(2)),
        (ScopeMode::IpOnly, SetOutcome::Ok(2)),
    ] {
        let mut bench = Bench::new(Limits::default(), mode);
        bench.send(&ipfix(1, 0, &[define(300, 1)]));
        bench.send_from(peer(1, 4000), &ipfix(1, 0, &[set(300, &[1; 8])]));
        assert_eq!(bench.recorder.sets[1], (300, expected), "{mode:?}");
        // Neither another exporter nor another domain does.
        bench.send_from(peer(2, 2055), &ipfix(1, 0, &[set(300, &[1; 8])]));
        bench.send(&ipfix(2, 0, &[set(300, &[1; 8])]));
        assert_eq!(bench.recorder.sets[2].1, SetOutcome::NoTemplate);
        assert_eq!(bench.recorder.sets[3].1, SetOutcome::NoTemplate);
    }
}

/// P-403.
#[test]
fn ports_that_disagree_help_no_other_port() {
    let mut bench = Bench::default();
    bench.send_from(peer(1, 1), &ipfix(1, 0, &[define(300, 1)]));
    bench.send_from(peer(1, 2), &ipfix(1, 0, &[define(300, 2)]));
    bench.send_from(peer(1, 3), &ipfix(1, 0, &[set(300, &[1; 8])]));
    assert_eq!(bench.recorder.sets[2], (300, SetOutcome::NoTemplate));
    assert_eq!(bench.sessions.stats().templates.conflicts, 1);
    // Each of them still uses its own.
    bench.send_from(peer(1, 1), &ipfix(1, 0, &[set(300, &[1; 8])]));
    bench.send_from(peer(1, 2), &ipfix(1, 0, &[set(300, &[1; 8])]));
    assert_eq!(bench.recorder.sets[3].1, SetOutcome::Ok(2));
    assert_eq!(bench.recorder.sets[4].1, SetOutcome::Ok(1));
}

/// P-810.
#[test]
fn a_forged_port_on_probation_cannot_make_established_ones_disagree() {
    let mut bench = Bench::default();
    bench.recorder.listed = true;
    bench.send_from(peer(1, 1), &ipfix(1, 0, &[define(300, 1)]));
    bench.recorder.listed = false;
    bench.send_from(peer(1, 666), &ipfix(1, 0, &[define(300, 2)]));
    bench.send_from(peer(1, 3), &ipfix(1, 0, &[set(300, &[1; 8])]));
    assert_eq!(bench.recorder.sets[2], (300, SetOutcome::Ok(2)));
}

#[test]
fn by_address_alone_the_latest_definition_counts() {
    let mut bench = Bench::new(Limits::default(), ScopeMode::IpOnly);
    bench.send_from(peer(1, 1), &ipfix(1, 0, &[define(300, 1)]));
    bench.now_ms += 1;
    bench.send_from(peer(1, 2), &ipfix(1, 0, &[define(300, 2)]));
    bench.send_from(peer(1, 1), &ipfix(1, 0, &[set(300, &[1; 8])]));
    assert_eq!(bench.recorder.sets[2], (300, SetOutcome::Ok(1)));
}

/// P-404, P-405.
#[test]
fn withdrawals_count_on_a_stream_only() {
    let withdraw = set(2, &[1, 44, 0, 0]);
    let mut udp = Bench::default();
    udp.send(&ipfix(1, 0, &[define(300, 1), withdraw.clone()]));
    assert_eq!(data(&mut udp, 300), SetOutcome::Ok(2));
    assert_eq!(udp.sessions.stats().templates.withdrawals_ignored, 1);
    let mut stream = stream();
    let message = ipfix(1, 0, &[define(300, 1), withdraw, set(300, &[1; 8])]);
    assert_eq!(stream.send(&message), Outcome::Decoded);
    assert_eq!(stream.recorder.sets[2], (300, SetOutcome::NoTemplate));
    assert_eq!(stream.sessions.stats().templates.withdrawn, 1);
    // Defined again it is a new Template, not a change.
    stream.send(&ipfix(1, 0, &[define(300, 2)]));
    assert_eq!(data(&mut stream, 300), SetOutcome::Ok(1));
    assert_eq!(stream.sessions.stats().templates.redefined, 0);
}

/// RFC 7011 §8.1.
#[test]
fn a_withdrawal_of_all_ends_one_kind_in_one_domain() {
    let mut bench = stream();
    let options = set(3, &options_template(301, 1, &[(149, 4)]));
    bench.send(&ipfix(1, 0, &[define(300, 1), options]));
    bench.send(&ipfix(2, 0, &[define(300, 1)]));
    bench.send(&ipfix(1, 0, &[set(2, &[0, 2, 0, 0])]));
    assert_eq!(data(&mut bench, 300), SetOutcome::NoTemplate);
    assert_eq!(data(&mut bench, 301), SetOutcome::Ok(2));
    bench.send(&ipfix(2, 0, &[set(300, &[1; 8])]));
    assert_eq!(bench.recorder.sets.last().unwrap().1, SetOutcome::Ok(2));
}

/// P-408: ISS go-ipfix #383.
#[test]
fn an_invalid_definition_ends_the_use_of_the_old_one() {
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    // An options Template without scopes, RFC 7011 §3.4.2.2.
    let invalid = set(3, &options_template(300, 0, &[(8, 4)]));
    assert_eq!(bench.send(&ipfix(1, 0, &[invalid])), Outcome::Decoded);
    assert_eq!(data(&mut bench, 300), SetOutcome::NoTemplate);
    assert_eq!(bench.sessions.stats().templates.invalidated, 1);
    assert_eq!(bench.sessions.stats().orphans.kept, 0);
}

/// P-044, P-412.
#[test]
fn a_template_is_used_for_its_lifetime_and_no_longer() {
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    bench.now_ms += LIFETIME_MS;
    assert_eq!(data(&mut bench, 300), SetOutcome::Ok(2));
    bench.now_ms += 1;
    assert_eq!(data(&mut bench, 300), SetOutcome::NoTemplate);
    bench.sessions.tick(bench.now_ms);
    assert_eq!(bench.sessions.stats().templates.expired, 1);
    assert_eq!(bench.sessions.templates_held().0, 0);
    // The same definition again brings back what waited for it.
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    assert_eq!(bench.sessions.stats().orphans.replayed_records, 2);
}

/// P-410: H3C allows a refresh of 60 hours.
/// P-411: RFC 6728's templateLifePacket, which is off unless it is set.
#[test]
fn a_template_may_live_for_a_number_of_messages() {
    let limits = Limits {
        template_messages_max: Some(3),
        ..Limits::default()
    };
    for (limits, transport, last) in [
        (limits, Transport::Datagrams, SetOutcome::NoTemplate),
        (limits, Transport::Stream, SetOutcome::Ok(2)),
        (Limits::default(), Transport::Datagrams, SetOutcome::Ok(2)),
    ] {
        let mut bench = Bench::new(limits, ScopeMode::Fallback);
        bench.sessions = bench.sessions.over(transport);
        bench.send(&ipfix(1, 0, &[define(300, 1), define(301, 1)]));
        for _ in 0..2 {
            assert_eq!(data(&mut bench, 300), SetOutcome::Ok(2));
        }
        // Other domains' Messages do not count, and a refresh begins anew.
        bench.send(&ipfix(2, 0, &[define(300, 1)]));
        bench.send(&ipfix(1, 1, &[define(301, 1)]));
        assert_eq!(data(&mut bench, 300), last);
        for _ in 0..2 {
            assert_eq!(data(&mut bench, 301), SetOutcome::Ok(2));
        }
        assert_eq!(data(&mut bench, 301), last);
    }
}

#[test]
fn a_slow_refresh_makes_a_long_life() {
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    bench.now_ms += 2 * LIFETIME_MS;
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    bench.now_ms += 6 * LIFETIME_MS;
    assert_eq!(data(&mut bench, 300), SetOutcome::Ok(2));
    bench.now_ms += 1;
    assert_eq!(data(&mut bench, 300), SetOutcome::NoTemplate);
}

/// P-418.
#[test]
fn a_restart_halves_the_life_of_templates_and_deletes_none() {
    let mut bench = Bench::default();
    let define = set(0, &template(300, &[(8, 4)]));
    let data = set(300, &[1; 8]);
    bench.send(&v9_at(1, 900, 10_000_000, EXPORT_SECS, &[define]));
    bench.send(&v9_at(
        1,
        0,
        5_000,
        EXPORT_SECS,
        std::slice::from_ref(&data),
    ));
    bench.send(&v9_at(
        1,
        1,
        6_000,
        EXPORT_SECS,
        std::slice::from_ref(&data),
    ));
    assert_eq!(bench.sessions.stats().restarts, 1);
    assert_eq!(bench.recorder.records(300), 4);
    bench.now_ms += LIFETIME_MS / 2;
    bench.send(&v9_at(
        1,
        2,
        7_000,
        EXPORT_SECS,
        std::slice::from_ref(&data),
    ));
    assert_eq!(bench.recorder.records(300), 6);
    bench.now_ms += 1;
    bench.send(&v9_at(1, 3, 8_000, EXPORT_SECS, &[data]));
    assert_eq!(bench.recorder.records(300), 6);
}

/// P-810.
#[test]
fn an_id_that_changes_more_than_four_times_a_minute_flaps() {
    let mut bench = Bench::default();
    for round in 0..6 {
        bench.send(&ipfix(1, 0, &[define(300, 1 + round % 2)]));
    }
    let stats = bench.sessions.stats().templates;
    assert_eq!((stats.redefined, stats.flaps), (5, 1));
}

/// P-415: data of the old layout that comes late.
#[test]
fn data_sent_before_a_redefinition_is_not_read_by_it() {
    let mut bench = Bench::default();
    bench.send(&ipfix_at(1, 0, EXPORT_SECS, &[define(300, 1)]));
    bench.send(&ipfix_at(1, 0, EXPORT_SECS + 5, &[define(300, 2)]));
    let data = |secs| ipfix_at(1, secs, secs, &[set(300, &[1; 8])]);
    bench.send(&data(EXPORT_SECS + 4));
    assert_eq!(bench.recorder.sets[2], (300, SetOutcome::NoTemplate));
    assert_eq!(bench.sessions.stats().orphans.late, 1);
    bench.send(&data(EXPORT_SECS + 5));
    assert_eq!(bench.recorder.sets[3], (300, SetOutcome::Ok(1)));
    // A minute later an early export time is a clock that was set back.
    bench.now_ms += 60_001;
    bench.send(&data(EXPORT_SECS + 3));
    assert_eq!(bench.recorder.sets[4], (300, SetOutcome::Ok(1)));
}

/// P-414.
#[test]
fn data_before_its_template_is_decoded_by_the_clock_of_its_own_message() {
    let mut bench = Bench::default();
    for second in 0..3_u8 {
        let secs = EXPORT_SECS + u32::from(second);
        let message = ipfix_at(1, u32::from(second), secs, &[set(300, &[second; 4])]);
        bench.send(&message);
    }
    bench.now_ms += 60_000;
    bench.send(&ipfix_at(1, 3, EXPORT_SECS + 60, &[define(300, 1)]));
    let seen = &bench.recorder.seen;
    let found: Vec<_> = seen
        .iter()
        .map(|seen| (seen.body[0], seen.replayed, seen.times.end_ms - EXPORT_MS))
        .collect();
    assert_eq!(found, [(0, true, 0), (1, true, 1000), (2, true, 2000)]);
    let stats = bench.sessions.stats().orphans;
    assert_eq!((stats.missing, stats.kept, stats.replayed), (3, 3, 3));
}

#[test]
fn data_waits_a_minute_for_its_template_and_no_longer() {
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[set(300, &[1; 4])]));
    bench.now_ms += 60_001;
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    assert!(bench.recorder.seen.is_empty());
    assert_eq!(bench.sessions.stats().orphans.aged, 1);
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[set(300, &[1; 4])]));
    bench.sessions.tick(bench.now_ms + 60_001);
    assert_eq!(bench.sessions.stats().orphans.aged, 1);
    let mut offline = Bench::new(Limits::offline(), ScopeMode::Strict);
    offline.send(&ipfix(1, 0, &[set(300, &[1; 4])]));
    offline.now_ms += 100_000_000;
    offline.send(&ipfix(1, 0, &[define(300, 1)]));
    assert_eq!(offline.recorder.records(300), 1);
}

/// P-925.
#[test]
fn data_waiting_under_an_old_layout_is_not_read_by_a_new_one() {
    let mut bench = Bench::default();
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    bench.now_ms += LIFETIME_MS + 1;
    assert_eq!(data(&mut bench, 300), SetOutcome::NoTemplate);
    bench.send(&ipfix(1, 0, &[define(300, 2)]));
    assert!(bench.recorder.seen.is_empty());
    let stats = bench.sessions.stats().orphans;
    assert_eq!((stats.kept, stats.superseded), (1, 1));
}

#[test]
fn data_of_one_port_may_be_explained_by_a_template_of_another() {
    let mut bench = Bench::default();
    bench.send_from(peer(1, 4000), &ipfix(1, 0, &[set(300, &[1; 4])]));
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    assert_eq!(bench.recorder.records(300), 1);
}

/// P-820.
#[test]
fn waiting_data_stays_within_its_bytes_and_the_oldest_gives_way() {
    let limits = Limits {
        session_orphan_bytes_max: 10_000,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    for round in 0..100_u8 {
        bench.send(&ipfix(1, u32::from(round), &[set(300, &[round; 1000])]));
        assert!(bench.sessions.orphan_bytes.0 <= 10_000);
    }
    let stats = bench.sessions.stats().orphans;
    assert_eq!(stats.kept - stats.displaced, 8);
    bench.send(&ipfix(1, 0, &[set(300, &[1; 10_000])]));
    assert_eq!(bench.sessions.stats().orphans.refused, 1);
    bench.send(&ipfix(1, 0, &[define(300, 1)]));
    assert_eq!(bench.recorder.seen[0].body[0], 92);
    assert_eq!(bench.sessions.orphan_bytes.0, 0);
}

#[test]
fn keeping_data_for_later_can_be_turned_off() {
    let limits = Limits {
        session_orphan_bytes_max: 0,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    bench.send(&ipfix(1, 0, &[set(300, &[1; 4]), define(300, 1)]));
    assert!(bench.recorder.seen.is_empty());
    assert_eq!(bench.sessions.stats().orphans.refused, 1);
}

/// P-042, P-105.
#[test]
fn data_and_options_templates_share_their_ids() {
    let mut bench = Bench::default();
    let options = set(
        1,
        &crate::session::testing::v9_options(300, &[(1, 4)], &[(34, 4)]),
    );
    let define = set(0, &template(300, &[(8, 4)]));
    bench.send(&v9(1, 0, &[define, options, set(300, &[1; 8])]));
    assert_eq!(bench.recorder.sets[2], (300, SetOutcome::Ok(1)));
    assert_eq!(bench.sessions.stats().options_records, 1);
}

#[test]
fn a_change_of_settings_recompiles_every_plan() {
    let mut bench = Bench::default();
    let message = ipfix(1, 0, &[define(300, 1), set(300, &[1; 4])]);
    bench.send(&message);
    bench.sessions.recompile(7);
    bench.send(&ipfix(1, 1, &[set(300, &[1; 4])]));
    bench.send(&crate::session::testing::v5(0, 0, 1, 0));
    let stamps: Vec<u32> = bench.recorder.seen.iter().map(|seen| seen.stamp).collect();
    assert_eq!(stamps, [1, 7, 7]);
}

/// What an exporter may do, for the model.
#[derive(Clone, Copy, Debug)]
enum Action {
    Define { domain: u32, id: u16, shape: usize },
    Invalid { domain: u32, id: u16 },
    Withdraw { domain: u32, id: u16 },
    WithdrawAll { domain: u32, options: bool },
    Pass { ms: u64 },
    Tick,
    Data { domain: u32, id: u16 },
}

/// What the model knows of one Template.
#[derive(Clone, Copy, Debug)]
struct Modelled {
    shape: usize,
    received_ms: u64,
}

/// Fields of a shape; odd ones are options.
const SHAPES: [usize; 4] = [1, 1, 2, 3];
/// Octets of every Data Set: all shapes' records fit without rest.
const BODY: [u8; 24] = [1; 24];

fn shape_set(id: u16, shape: usize) -> Vec<u8> {
    let fields = vec![(8, 4); SHAPES[shape]];
    if shape % 2 == 1 {
        set(3, &options_template(id, 1, &fields))
    } else {
        set(2, &template(id, &fields))
    }
}

fn action() -> impl Strategy<Value = Action> {
    let at = || (0..2_u32, 256..259_u16);
    prop_oneof![
        4 => (at(), 0..SHAPES.len())
            .prop_map(|((domain, id), shape)| Action::Define { domain, id, shape }),
        1 => at().prop_map(|(domain, id)| Action::Invalid { domain, id }),
        1 => at().prop_map(|(domain, id)| Action::Withdraw { domain, id }),
        1 => (0..2_u32, any::<bool>())
            .prop_map(|(domain, options)| Action::WithdrawAll { domain, options }),
        1 => (0..4_000_000_u64).prop_map(|ms| Action::Pass { ms }),
        1 => Just(Action::Tick),
        5 => at().prop_map(|(domain, id)| Action::Data { domain, id }),
    ]
}

/// The Sets an action sends.
fn sets(action: Action) -> Option<(u32, Vec<u8>)> {
    Some(match action {
        Action::Define { domain, id, shape } => (domain, shape_set(id, shape)),
        Action::Invalid { domain, id } => (domain, set(3, &options_template(id, 0, &[(8, 4)]))),
        Action::Withdraw { domain, id } => {
            let [high, low] = id.to_be_bytes();
            (domain, set(2, &[high, low, 0, 0]))
        }
        Action::WithdrawAll { domain, options } => {
            let id = if options { 3 } else { 2 };
            (domain, set(id.into(), &[0, id, 0, 0]))
        }
        Action::Data { domain, id } => (domain, set(id, &BODY)),
        Action::Pass { .. } | Action::Tick => return None,
    })
}

/// Templates by domain and id, as RFC 7011 has them.
#[derive(Default)]
struct Model(std::collections::BTreeMap<(u32, u16), Modelled>);

impl Model {
    fn apply(&mut self, action: Action, is_stream: bool, now_ms: u64) {
        match action {
            Action::Define { domain, id, shape } => {
                let known = self.0.get(&(domain, id)).copied();
                if is_stream && known.is_some_and(|known| known.shape != shape) {
                    // A change without withdrawal: neither is used (P-407).
                    self.0.remove(&(domain, id));
                    return;
                }
                let known = Modelled {
                    shape,
                    received_ms: now_ms,
                };
                self.0.insert((domain, id), known);
            }
            Action::Invalid { domain, id } => {
                self.0.remove(&(domain, id));
            }
            Action::Withdraw { domain, id } if is_stream => {
                self.0.remove(&(domain, id));
            }
            Action::WithdrawAll { domain, options } if is_stream => self
                .0
                .retain(|key, known| key.0 != domain || (known.shape % 2 == 1) != options),
            Action::Withdraw { .. }
            | Action::WithdrawAll { .. }
            | Action::Pass { .. }
            | Action::Tick
            | Action::Data { .. } => {}
        }
    }

    fn data(&self, domain: u32, id: u16, is_stream: bool, now_ms: u64) -> SetOutcome {
        let known = self
            .0
            .get(&(domain, id))
            .filter(|known| is_stream || now_ms - known.received_ms <= LIFETIME_MS);
        known.map_or(SetOutcome::NoTemplate, |known| {
            let length = SHAPES[known.shape] * 4;
            SetOutcome::Ok(u32::try_from(BODY.len() / length).unwrap())
        })
    }
}

proptest! {
    /// P-924: {define, same, redefine, invalid, withdraw, withdraw-all, expire,
    /// data} × {UDP, stream} × domains, against a map.
    #[test]
    fn templates_behave_as_the_model_says(
        actions in prop::collection::vec(action(), 1..120),
        is_stream in any::<bool>(),
    ) {
        let limits = Limits {
            template_lifetime_max_ms: LIFETIME_MS,
            session_idle_ms: u64::MAX,
            session_orphan_bytes_max: 0,
            definitions_per_second: 1 << 20,
            ..Limits::default()
        };
        let mut bench = Bench::new(limits, ScopeMode::Strict);
        if is_stream {
            bench.sessions = bench.sessions.over(Transport::Stream);
        }
        let mut model = Model::default();
        for (sequence, action) in (0_u32..).zip(actions) {
            if let Some((domain, set)) = sets(action) {
                let message = ipfix(domain, sequence, &[set]);
                prop_assert_eq!(bench.send(&message), Outcome::Decoded);
            }
            match action {
                Action::Pass { ms } => bench.now_ms += ms,
                Action::Tick => bench.sessions.tick(bench.now_ms),
                Action::Data { domain, id } => {
                    let expected = model.data(domain, id, is_stream, bench.now_ms);
                    prop_assert_eq!(bench.recorder.sets.last(), Some(&(id, expected)));
                }
                Action::Define { .. }
                | Action::Invalid { .. }
                | Action::Withdraw { .. }
                | Action::WithdrawAll { .. } => {}
            }
            model.apply(action, is_stream, bench.now_ms);
        }
    }
}
