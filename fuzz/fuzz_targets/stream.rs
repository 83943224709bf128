//! One lane fed with datagrams, several exporters and silences between them.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use flowlogd::flow::Plan;
use flowlogd::flow::PlanSettings;
use flowlogd::session::Arrival;
use flowlogd::session::Consumer;
use flowlogd::session::DataSet;
use flowlogd::session::Known;
use flowlogd::session::Limits;
use flowlogd::session::Peer;
use flowlogd::session::Scope;
use flowlogd::session::ScopeMode;
use flowlogd::session::Sessions;
use flowlogd::session::Transport;

/// Small, so that the tables fill up within one input.
fn limits() -> Limits {
    Limits {
        sessions_max: 2,
        probation_max: 2,
        sources_max: 8,
        domains_per_session_max: 3,
        templates_per_domain_max: 4,
        session_definition_bytes_max: 8 << 10,
        definition_bytes_max: 16 << 10,
        session_orphan_bytes_max: 4 << 10,
        orphan_bytes_max: 8 << 10,
        option_entries_max: 8,
        option_bytes_max: 4 << 10,
        template_lifetime_ms: 100_000,
        session_idle_ms: 200_000,
        ..Limits::default()
    }
}

/// Feeds `input`: a knob, then (length u16, port, seconds, datagram) again and
/// again. Every datagram gets `version`, so that few are refused for that.
pub fn feed(input: &[u8], version: u16) {
    let Some((&knob, mut rest)) = input.split_first() else {
        return;
    };
    let mode = match knob & 3 {
        0 => ScopeMode::Strict,
        1 => ScopeMode::IpOnly,
        _ => ScopeMode::Fallback,
    };
    let transport = if knob & 4 == 0 {
        Transport::Datagrams
    } else {
        Transport::Stream
    };
    let settings = PlanSettings::default;
    let mut sessions = Sessions::<Plan>::new(limits(), mode, settings()).over(transport);
    let mut seconds = 0;
    while let Some(([high, low, port, silence], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (datagram, after) = after.split_at(length);
        rest = after;
        seconds += u64::from(*silence);
        let mut datagram = datagram.to_vec();
        if let Some(first) = datagram.first_chunk_mut() {
            *first = version.to_be_bytes();
        }
        sessions.datagram(&datagram, peer(*port), now(seconds), &mut Checker);
        sessions.tick(now(seconds).monotonic_ms);
        check(&sessions);
    }
    sessions.recompile(settings());
    let image = sessions.export(now(seconds));
    let mut next = Sessions::<Plan>::new(limits(), mode, settings());
    let imported = next.import(&image, now(seconds));
    assert!(imported.is_ok(), "an image of our own can be read");
}

/// Four exporters with two ports each.
fn peer(port: u8) -> Peer {
    Peer {
        exporter: IpAddr::V4(Ipv4Addr::new(192, 0, 2, port & 3)),
        port: u16::from(port >> 2 & 1),
        local_port: 9995,
    }
}

fn now(seconds: u64) -> Arrival {
    Arrival {
        monotonic_ms: seconds * 1000,
        unix_ms: 1_700_000_000_000 + seconds * 1000,
    }
}

/// What holds after every datagram, whatever it was.
fn check(sessions: &Sessions<Plan>) {
    let stats = sessions.stats();
    let refused: u64 = stats.refused.iter().sum();
    assert_eq!(stats.datagrams, stats.decoded + refused);
    let orphans = stats.orphans;
    let came = orphans.kept + orphans.refused + orphans.late;
    assert_eq!(orphans.missing, came);
    let went = orphans.replayed + orphans.aged + orphans.displaced;
    assert!(orphans.kept >= went + orphans.superseded + orphans.abandoned);
    let (established, on_probation) = sessions.sessions();
    assert!(established <= 2 && on_probation <= 2);
    assert!(sessions.templates_held().1 <= 16 << 10);
}

/// Holds the sessions to what they promise of every Data Set.
struct Checker;

impl Consumer<Plan> for Checker {
    fn data(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        let mut octets = 0;
        let mut records = 0;
        let mut plain = Vec::new();
        for record in known.template.split(set.body) {
            let Ok(record) = record else {
                panic!("only well-formed records are handed on");
            };
            octets += record.len();
            records += 1;
            known.plan.decode(scope, record, &mut |flow, detail| {
                assert!(flow.start_ms <= flow.end_ms);
                plain.push((*flow, detail.cloned()));
            });
        }
        let mut all = Vec::new();
        let (template, body) = (&known.template, set.body);
        known.plan.decode_all(template, scope, body, &mut |flow, detail| {
            all.push((*flow, detail.cloned()));
        });
        assert_eq!(all, plain);
        assert_eq!(records, set.records);
        assert_eq!(octets, set.body.len());
    }
}
