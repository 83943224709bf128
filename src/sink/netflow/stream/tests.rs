//! Messages as they are sent, read again by our own way in.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use proptest::prelude::*;

use super::*;
use crate::element::ElementId;
use crate::flow::Counters;
use crate::flow::Detail;
use crate::flow::Event;
use crate::flow::FlowRecord;
use crate::flow::Origin;
use crate::flow::Plan;
use crate::flow::PlanSettings;
use crate::flow::Presence;
use crate::session::Arrival;
use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::ExporterView;
use crate::session::Known;
use crate::session::Limits;
use crate::session::Peer;
use crate::session::SamplingRate;
use crate::session::Scope;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::session::SetOutcome;
use crate::wire::Messages;
use crate::wire::SetKind;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::WireError;

const UNIX_MS: u64 = 1_795_000_000_123;
const VERSIONS: [Version; 3] = [Version::V5, Version::V9, Version::Ipfix];

fn at(ms: u64) -> Moment {
    Moment {
        unix_ms: UNIX_MS + ms,
        monotonic_ms: 5_000 + ms,
    }
}

fn settings(version: Version, message_bytes: usize) -> StreamSettings {
    StreamSettings {
        export: ExportSettings {
            version,
            origin: Origin::Omitted,
            counters: Counters::AsMetered,
            wide: true,
            reasons: true,
            absolute: false,
            boot_ms: UNIX_MS - 20 * 86_400_000,
            templates_max: 1_024,
            samplers_max: 16,
        },
        domains: ExportedDomains::One(7),
        message_bytes,
        refresh: Some(RefreshEvery {
            ms: 600_000,
            messages: 20,
        }),
    }
}

fn flow(number: u32) -> FlowRecord {
    let mut record = FlowRecord {
        octets: 1_000 + u64::from(number),
        packets: 10,
        start_ms: UNIX_MS - 2_000,
        end_ms: UNIX_MS - 1_000,
        ..FlowRecord::default()
    };
    record.key.src = Ipv4Addr::from(0x0a00_0000 + number)
        .to_ipv6_mapped()
        .octets();
    record.key.dst = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets();
    record.key.protocol = 17;
    record.key.present = Presence::SRC | Presence::DST | Presence::PROTOCOL;
    record
}

fn exporter(last: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, last).into()
}

fn batch(rows: impl IntoIterator<Item = FlowRecord>) -> FlowBatch {
    let mut batch = FlowBatch::default();
    for row in rows {
        batch.push(&row, None, exporter(1), 3);
    }
    batch
}

fn add_all(stream: &mut Stream, batch: &FlowBatch, now: Moment) {
    for row in 0..batch.len() {
        stream.add(batch, row, now).unwrap();
    }
}

fn ready(stream: &mut Stream) -> Vec<Message> {
    std::iter::from_fn(|| stream.take()).collect()
}

/// Reads messages, and keeps their flows.
#[derive(Default)]
struct Reader {
    flows: Vec<FlowRecord>,
    unreadable: usize,
}

impl Consumer<Plan> for Reader {
    fn is_listed(&self, _exporter: IpAddr) -> bool {
        true
    }

    fn data(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        if known.template.kind == TemplateKind::Data {
            for record in known.template.split(set.body) {
                let mut emit = |flow: &FlowRecord, _: Option<&Detail>| self.flows.push(*flow);
                known.plan.decode(scope, record.unwrap(), &mut emit);
            }
        }
    }

    fn set(&mut self, _id: u16, outcome: SetOutcome) {
        self.unreadable += usize::from(!matches!(outcome, SetOutcome::Ok(_)));
    }

    fn fault(&mut self, error: WireError) {
        panic!("{error}");
    }
}

/// Flows of messages, Sets that could not be read, and what was reported lost.
fn read(messages: &[Message]) -> (Vec<FlowRecord>, usize, u64) {
    let (reader, views) = collect(messages);
    // Nothing late will fill the gaps that are held open.
    let missing = |view: &ExporterView| view.sequence.lost + view.sequence_pending;
    let lost = views.iter().map(missing).sum();
    (reader.flows, reader.unreadable, lost)
}

/// What a collector reads in messages, and what it knows of their domains.
fn collect(messages: &[Message]) -> (Reader, Vec<ExporterView>) {
    let limits = Limits {
        definitions_per_second: 1_000_000,
        ..Limits::default()
    };
    let mut sessions: Sessions<Plan> =
        Sessions::new(limits, ScopeMode::Strict, PlanSettings::default());
    let mut reader = Reader::default();
    let peer = Peer {
        exporter: Ipv4Addr::LOCALHOST.into(),
        port: 2055,
        local_port: 9995,
    };
    for (ms, message) in (0..).zip(messages) {
        let arrival = Arrival {
            monotonic_ms: 1_000 + ms,
            unix_ms: UNIX_MS + 1_000,
        };
        sessions.datagram(&message.octets, peer, arrival, &mut reader);
    }
    let views = sessions.exporters().collect();
    (reader, views)
}

fn sequences(messages: &[Message]) -> Vec<(u32, u32)> {
    let headers = messages.iter().map(|message| {
        let first = Messages::new(&message.octets).next().unwrap().unwrap();
        (first.header.domain, first.header.sequence)
    });
    headers.collect()
}

/// How many Template Sets and Data Sets a message has.
fn sets(message: &Message) -> (usize, usize) {
    let first = Messages::new(&message.octets).next().unwrap().unwrap();
    let kinds: Vec<_> = first.sets().map(|set| set.unwrap().kind).collect();
    let data = kinds.iter().filter(|kind| **kind == SetKind::Data).count();
    (kinds.len() - data, data)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_flow_arrives_once_in_messages_of_any_size(
        message_bytes in 512_usize..9_000,
        version in prop::sample::select(&VERSIONS[..]),
        kinds in prop::collection::vec(0_u8..6, 1..400),
    ) {
        let mut stream = Stream::new(settings(version, message_bytes));
        let rows = (0..).zip(&kinds).map(|(number, kind)| {
            let mut row = flow(number);
            row.src_as = u32::from(*kind) * 10;
            row.octets <<= 5 * *kind;
            if *kind == 5 && version != Version::V5 {
                row.key.src = Ipv6Addr::LOCALHOST.octets();
            }
            row
        });
        let rows: Vec<_> = rows.collect();
        for part in rows.chunks(50) {
            add_all(&mut stream, &batch(part.iter().copied()), at(0));
        }
        stream.flush(at(10));
        let messages = ready(&mut stream);
        prop_assert!(messages.iter().all(|message| message.octets.len() <= message_bytes));
        let (flows, unreadable, lost) = read(&messages);
        prop_assert_eq!((unreadable, lost), (0, 0));
        let octets = |flows: &[FlowRecord]| flows.iter().map(|flow| flow.octets).sum::<u64>();
        let packets = |flows: &[FlowRecord]| flows.iter().map(|flow| flow.packets).sum::<u64>();
        prop_assert_eq!(octets(&flows), octets(&rows));
        prop_assert_eq!(packets(&flows), packets(&rows));
        prop_assert!(flows.len() >= rows.len());
        prop_assert!(flows.iter().all(|flow| flow.end_ms == UNIX_MS - 1_000));
        let records: u64 = messages.iter().map(|message| message.records).sum();
        prop_assert_eq!(usize::try_from(records).unwrap(), flows.len());
        let amount = messages.iter().fold(Amount::default(), |sum, it| sum + it.amount);
        prop_assert_eq!(usize::try_from(amount.records).unwrap(), rows.len());
    }

    /// P-923: v5 and IPFIX miss records, v9 misses messages.
    #[test]
    fn what_is_lost_on_the_way_is_what_the_collector_misses(
        version in prop::sample::select(&VERSIONS[..]),
        kept in prop::collection::vec(any::<bool>(), 30),
    ) {
        let mut stream = Stream::new(settings(version, 600));
        let mut messages = Vec::new();
        while messages.len() < kept.len() + 6 {
            let mut row = flow(u32::try_from(messages.len()).unwrap());
            // A sampler is told by options, which count as records too.
            row.key.sampling = SamplingRate { out_of: 100, picked: 1 };
            add_all(&mut stream, &batch([row; 3]), at(0));
            messages.extend(ready(&mut stream));
        }
        let is_kept = |place: usize| kept.get(place.wrapping_sub(1)).is_none_or(|kept| *kept);
        let (arrived, gone): (Vec<_>, Vec<_>) =
            (0..).zip(messages).partition(|(place, _)| is_kept(*place));
        let missing: u64 = gone
            .iter()
            .map(|(_, message)| if version == Version::V9 { 1 } else { message.records })
            .sum();
        let arrived: Vec<_> = arrived.into_iter().map(|(_, message)| message).collect();
        let (_, _, lost) = read(&arrived);
        prop_assert_eq!(lost, missing);
    }
}

#[test]
fn sequence_numbers_count_what_their_version_says() {
    for (version, expected) in [
        (Version::V5, [(7, 0), (7, 4), (7, 8)]),
        (Version::V9, [(7, 0), (7, 1), (7, 2)]),
        (Version::Ipfix, [(7, 0), (7, 4), (7, 8)]),
    ] {
        let mut stream = Stream::new(settings(version, 1_400));
        for _ in 0..3 {
            add_all(&mut stream, &batch((0..4).map(flow)), at(0));
            stream.flush(at(0));
        }
        assert_eq!(sequences(&ready(&mut stream)), expected, "{version:?}");
    }
}

#[test]
fn a_row_waits_a_second_for_others_and_no_longer() {
    let mut stream = Stream::new(settings(Version::Ipfix, 1_400));
    assert_eq!(stream.due_ms(), None);
    add_all(&mut stream, &batch([flow(1)]), at(0));
    assert_eq!(stream.due_ms(), Some(5_000 + HELD_MS));
    stream.tick(at(HELD_MS - 1));
    assert_eq!(stream.take(), None);
    add_all(&mut stream, &batch([flow(2)]), at(HELD_MS - 1));
    stream.tick(at(HELD_MS));
    let message = stream.take().unwrap();
    assert_eq!((message.records, message.amount.records), (2, 2));
}

#[test]
fn a_template_is_told_twice_and_then_with_every_refresh() {
    let mut stream = Stream::new(settings(Version::V9, 1_400));
    let mut told = Vec::new();
    for second in 0..45 {
        add_all(&mut stream, &batch([flow(1)]), at(second * 1_000));
        stream.flush(at(second * 1_000));
        let messages = ready(&mut stream);
        assert_eq!(messages.len(), 1);
        let (templates, data) = sets(&messages[0]);
        assert_eq!(data, 1);
        if templates > 0 {
            told.push(second);
        }
    }
    assert_eq!(told, [0, 1, 20, 40]);
}

#[test]
fn templates_are_repeated_by_time_when_nothing_flows() {
    let mut stream = Stream::new(settings(Version::Ipfix, 1_400));
    add_all(&mut stream, &batch([flow(1)]), at(0));
    stream.flush(at(0));
    ready(&mut stream);
    assert_eq!(stream.due_ms(), Some(5_000 + 600_000));
    stream.tick(at(599_999));
    assert_eq!(stream.take(), None);
    stream.tick(at(600_000));
    let messages = ready(&mut stream);
    assert_eq!(messages.iter().map(sets).collect::<Vec<_>>(), [(1, 0)]);
    assert_eq!(messages[0].records, 0);
    assert_eq!(stream.due_ms(), Some(5_000 + 1_200_000));
    stream.tick(at(600_001));
    assert_eq!(stream.take(), None);
}

/// P-737.
#[test]
fn a_collector_is_told_what_did_not_reach_it() {
    let lost = Account {
        messages: 21,
        records: 400,
        octets: 30_000,
        unsent: Amount {
            records: 3,
            octets: 300,
            packets: 30,
        },
        ignored: 5,
    };
    let expected = [
        (40, 30_000),
        (41, 21),
        (42, 400),
        (166, 3),
        (167, 30),
        (168, 300),
    ];
    let expected = expected.map(|(id, value)| (ElementId::iana(id), value));
    for version in [Version::V9, Version::Ipfix] {
        for (domains, domain) in [
            (ExportedDomains::One(7), 7),
            (ExportedDomains::PerExporter, 0),
        ] {
            let mut stream = Stream::new(StreamSettings {
                domains,
                ..settings(version, 1_400)
            });
            stream.see(Account::default(), at(0));
            // Nobody knows of it yet.
            stream.tick(at(600_000));
            assert_eq!((stream.take(), stream.due_ms()), (None, None));
            add_all(&mut stream, &batch([flow(1)]), at(600_000));
            stream.see(lost, at(600_500));
            assert_eq!(stream.due_ms(), Some(0));
            stream.tick(at(600_500));
            stream.flush(at(601_000));
            let messages = ready(&mut stream);
            let (reader, views) = collect(&messages);
            assert_eq!((reader.flows.len(), reader.unreadable), (1, 0));
            let told: Vec<_> = views.iter().filter(|view| view.domain == domain).collect();
            assert_eq!((told.len(), &told[0].statistics[..]), (1, &expected[..]));
            let records: u64 = messages.iter().map(|message| message.records).sum();
            assert_eq!(records, 3);
            stream.see(lost, at(601_000));
            stream.tick(at(601_000));
            assert_eq!(stream.take(), None);
        }
    }
}

#[test]
fn v5_has_no_report_and_waits_for_none() {
    let mut stream = Stream::new(settings(Version::V5, 1_400));
    stream.see(Account::default(), at(0));
    add_all(&mut stream, &batch([flow(1)]), at(0));
    stream.flush(at(0));
    ready(&mut stream);
    let account = Account {
        messages: 1_000,
        ..Account::default()
    };
    stream.see(account, at(600_001));
    stream.tick(at(600_001));
    assert_eq!((stream.take(), stream.due_ms()), (None, None));
}

#[test]
fn over_tcp_templates_are_told_once_in_each_session() {
    let tcp = StreamSettings {
        refresh: None,
        ..settings(Version::Ipfix, 1_400)
    };
    let mut stream = Stream::new(tcp);
    for _ in 0..50 {
        add_all(&mut stream, &batch([flow(1)]), at(0));
        stream.flush(at(0));
    }
    let messages = ready(&mut stream);
    let told = |messages: &[Message]| messages.iter().filter(|it| sets(it).0 > 0).count();
    assert_eq!((messages.len(), told(&messages)), (50, 1));
    assert_eq!(stream.due_ms(), None);
    add_all(&mut stream, &batch([flow(2), flow(3)]), at(0));
    stream.flush(at(0));
    let lost = stream.restart(at(0));
    assert_eq!((lost.records, stream.take()), (2, None));
    for _ in 0..2 {
        add_all(&mut stream, &batch([flow(4)]), at(0));
        stream.flush(at(0));
    }
    let messages = ready(&mut stream);
    assert_eq!(sequences(&messages), [(7, 0), (7, 1)]);
    assert_eq!(
        messages.iter().map(sets).collect::<Vec<_>>(),
        [(1, 1), (0, 1)]
    );
}

#[test]
fn records_that_wait_for_a_new_session_have_their_templates_before_them() {
    let tcp = StreamSettings {
        refresh: None,
        ..settings(Version::Ipfix, 1_400)
    };
    let mut stream = Stream::new(tcp);
    add_all(&mut stream, &batch([flow(1)]), at(0));
    stream.flush(at(0));
    ready(&mut stream);
    add_all(&mut stream, &batch([flow(2), flow(3)]), at(0));
    assert_eq!(stream.restart(at(1)), Amount::default());
    add_all(&mut stream, &batch([flow(4)]), at(2));
    stream.flush(at(2));
    let messages = ready(&mut stream);
    assert_eq!(
        messages.iter().map(sets).collect::<Vec<_>>(),
        [(1, 0), (0, 1)]
    );
    assert_eq!(sequences(&messages), [(7, 0), (7, 0)]);
    let (flows, unreadable, lost) = read(&messages);
    assert_eq!((flows.len(), unreadable, lost), (3, 0, 0));
    assert_eq!(messages[1].amount.records, 3);
}

#[test]
fn a_collector_that_is_new_at_its_address_is_told_all_templates() {
    let mut stream = Stream::new(settings(Version::V9, 1_400));
    let mut told = Vec::new();
    for round in 0..6 {
        if round == 4 {
            stream.introduce(at(0));
        }
        add_all(&mut stream, &batch([flow(1)]), at(0));
        stream.flush(at(0));
        told.extend(ready(&mut stream).iter().map(|message| sets(message).0));
    }
    assert_eq!(told, [1, 1, 0, 0, 1, 1]);
}

#[test]
fn v5_has_an_engine_for_each_rate() {
    let mut stream = Stream::new(settings(Version::V5, 1_400));
    let rates = [1, 100, 1_000, 100];
    let rows = rates.map(|out_of| {
        let mut row = flow(1);
        row.key.sampling = SamplingRate { out_of, picked: 1 };
        row
    });
    add_all(&mut stream, &batch(rows), at(0));
    stream.flush(at(0));
    let messages = ready(&mut stream);
    assert_eq!(sequences(&messages), [(7, 0), (8, 0), (9, 0)]);
    let words = messages.iter().map(|message| {
        let first = Messages::new(&message.octets).next().unwrap().unwrap();
        first.header.sampling
    });
    assert_eq!(words.collect::<Vec<_>>(), [0, 0x4064, 0x43e8]);
    let (flows, _, _) = read(&messages);
    let read: Vec<_> = flows.iter().map(|flow| flow.key.sampling.out_of).collect();
    assert_eq!(read, [1, 100, 100, 1_000]);
}

#[test]
fn each_domain_of_each_exporter_can_have_its_own() {
    let apart = StreamSettings {
        domains: ExportedDomains::PerExporter,
        ..settings(Version::V9, 1_400)
    };
    let mut stream = Stream::new(apart);
    let mut rows = FlowBatch::default();
    for (last, domain) in [(1, 0), (2, 0), (1, 5), (1, 0)] {
        rows.push(&flow(1), None, exporter(last), domain);
    }
    add_all(&mut stream, &rows, at(0));
    stream.flush(at(0));
    let mut messages: Vec<_> = ready(&mut stream);
    messages.sort_by_key(|message| sequences(std::slice::from_ref(message)));
    let records: Vec<_> = messages.iter().map(|message| message.records).collect();
    assert_eq!(sequences(&messages), [(1, 0), (2, 0), (3, 0)]);
    assert_eq!(records, [2, 1, 1]);
}

#[test]
fn beyond_the_limit_of_domains_rows_are_refused() {
    let apart = StreamSettings {
        domains: ExportedDomains::PerExporter,
        ..settings(Version::Ipfix, 1_400)
    };
    let mut stream = Stream::new(apart);
    let mut rows = FlowBatch::default();
    for domain in 0..=u32::try_from(DOMAINS_MAX).unwrap() {
        rows.push(&flow(1), None, exporter(1), domain);
    }
    let outcomes = (0..rows.len()).map(|row| stream.add(&rows, row, at(0)));
    let refused: Vec<_> = outcomes.filter_map(Result::err).collect();
    assert_eq!(refused, [Refused::Domains]);
}

#[test]
fn a_record_longer_than_a_message_is_refused_and_holds_up_nothing() {
    let mut stream = Stream::new(settings(Version::Ipfix, 512));
    let name = Box::from([b'n'; 600]);
    let long = Detail {
        extra: vec![(ElementId::iana(371), name)],
        ..Detail::default()
    };
    let event = FlowRecord {
        event: Some(Event::Other),
        ..flow(1)
    };
    let mut rows = batch([flow(1)]);
    rows.push(&event, Some(&long), exporter(1), 3);
    rows.push(&flow(2), None, exporter(1), 3);
    let outcomes: Vec<_> = (0..3)
        .map(|row| stream.add(&rows, row, at(0)).err())
        .collect();
    assert_eq!(outcomes, [None, Some(Refused::TooLong), None]);
    stream.flush(at(0));
    let messages = ready(&mut stream);
    let (flows, unreadable, lost) = read(&messages);
    assert_eq!((flows.len(), unreadable, lost), (2, 0, 0));
}

#[test]
fn the_export_time_never_goes_back() {
    let mut stream = Stream::new(settings(Version::Ipfix, 1_400));
    let mut times = Vec::new();
    for unix_ms in [UNIX_MS, UNIX_MS - 60_000, UNIX_MS + 5_000] {
        let now = Moment {
            unix_ms,
            monotonic_ms: 1,
        };
        add_all(&mut stream, &batch([flow(1)]), now);
        stream.flush(now);
        let message = stream.take().unwrap();
        let first = Messages::new(&message.octets).next().unwrap().unwrap();
        times.push(u64::from(first.header.export_secs));
    }
    let first = UNIX_MS / 1_000;
    assert_eq!(times, [first, first, first + 5]);
}

#[test]
fn v9_rounds_its_seconds_up_and_keeps_milliseconds() {
    let mut stream = Stream::new(settings(Version::V9, 1_400));
    let row = FlowRecord {
        start_ms: UNIX_MS - 7,
        end_ms: UNIX_MS,
        ..flow(1)
    };
    add_all(&mut stream, &batch([row]), at(0));
    stream.flush(at(0));
    let messages = ready(&mut stream);
    let first = Messages::new(&messages[0].octets).next().unwrap().unwrap();
    assert_eq!(u64::from(first.header.export_secs), UNIX_MS.div_ceil(1_000));
    let (flows, _, _) = read(&messages);
    assert_eq!((flows[0].start_ms, flows[0].end_ms), (UNIX_MS - 7, UNIX_MS));
}
