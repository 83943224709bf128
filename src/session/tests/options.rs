//! Options data through a lane's sessions.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::element::DataType;
use crate::element::ElementId;
use crate::session::Limits;
use crate::session::Options;
use crate::session::Outcome;
use crate::session::SamplerLookup;
use crate::session::SamplingRate;
use crate::session::ScopeMode;
use crate::session::testing::Bench;
use crate::session::testing::ipfix;
use crate::session::testing::options_template;
use crate::session::testing::peer;
use crate::session::testing::set;
use crate::session::testing::template;
use crate::session::testing::v5;
use crate::session::testing::v9;
use crate::session::testing::v9_options;

fn one_in(out_of: u32) -> (SamplingRate, bool) {
    (SamplingRate { out_of, picked: 1 }, true)
}

fn options(bench: &Bench) -> &Options {
    let source = bench.recorder.seen[0].source;
    bench.sessions.options(source).unwrap()
}

/// Defines an IPFIX options Template of one scope and sends its record.
fn teach(bench: &mut Bench, fields: &[(u16, u16)], record: &[u8]) {
    let definition = set(3, &options_template(400, 1, fields));
    let message = ipfix(1, 0, &[definition, set(400, record)]);
    assert_eq!(bench.send(&message), Outcome::Decoded);
}

/// P-216: ISS akvorado #89.
#[test]
fn options_and_data_of_one_message_apply_in_wire_order() {
    let mut bench = Bench::default();
    let data = set(300, &[1; 4]);
    let message = ipfix(
        1,
        0,
        &[
            set(2, &template(300, &[(8, 4)])),
            data.clone(),
            set(3, &options_template(400, 1, &[(149, 4), (34, 4)])),
            set(400, &[0, 0, 0, 1, 0, 0, 0, 100]),
            data,
        ],
    );
    assert_eq!(bench.send(&message), Outcome::Decoded);
    let rates: Vec<_> = bench
        .recorder
        .seen
        .iter()
        .map(|seen| seen.sampling)
        .collect();
    assert_eq!(rates[0], (SamplingRate::UNSAMPLED, false));
    assert_eq!(rates[2], one_in(100));
    assert_eq!(bench.sessions.stats().options_records, 1);
}

/// P-215: 302 is 8 octets, 48 is 1, 2 or 4.
#[test]
fn a_selector_is_found_whatever_its_width() {
    let mut bench = Bench::default();
    bench.recorder.lookup = SamplerLookup {
        selector: Some(5),
        ..SamplerLookup::default()
    };
    let record = [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 3, 231];
    teach(&mut bench, &[(302, 8), (305, 4), (306, 4)], &record);
    bench.send(&ipfix(1, 1, &[set(400, &record)]));
    assert_eq!(bench.recorder.seen[1].sampling, one_in(1000));
}

/// P-211, P-212: 34 and 50 in one record, and one of them 0.
#[test]
fn of_two_intervals_the_one_that_is_not_zero_counts() {
    for (intervals, expected) in [([100, 0], 100), ([0, 100], 100), ([7, 9], 7)] {
        let mut bench = Bench::default();
        let [one, two] = intervals;
        let record = [0, 0, 0, 1, 0, 0, 0, one, 0, 0, 0, two];
        teach(&mut bench, &[(149, 4), (34, 4), (50, 4)], &record);
        let view = bench.sessions.exporters().next().unwrap();
        assert_eq!(view.sampling.map(|rate| rate.out_of), Some(expected));
        assert_eq!(bench.sessions.stats().rates_rejected, 0);
    }
    let mut bench = Bench::default();
    teach(&mut bench, &[(149, 4), (34, 4), (50, 4)], &[0; 12]);
    assert_eq!(bench.sessions.stats().rates_rejected, 1);
}

/// FX fortios_521: the scope has 2 octets, what follows is 40, 41, 42, 36, 37, 34, 35.
#[test]
fn v9_options_fields_start_after_the_scope_fields() {
    let mut bench = Bench::default();
    let fields = [
        (40, 8),
        (41, 8),
        (42, 8),
        (36, 2),
        (37, 2),
        (34, 4),
        (35, 1),
    ];
    let definition = set(1, &v9_options(256, &[(1, 2)], &fields));
    let mut record = vec![0xff, 0xff];
    for total in [6_871_319_015_u64, 2, 3] {
        record.extend(total.to_be_bytes());
    }
    record.extend([0x07, 0x08, 0, 15, 0, 0, 0, 1, 2]);
    let message = v9(0, 1, &[definition, set(256, &record)]);
    assert_eq!(bench.send(&message), Outcome::Decoded);
    let options = options(&bench);
    assert_eq!(
        (options.active_secs, options.inactive_secs),
        (Some(1800), Some(15))
    );
    assert_eq!(options.statistic(40), Some(6_871_319_015));
    assert_eq!(options.statistic(42), Some(3));
    assert_eq!(options.statistic(1), None);
    let view = bench.sessions.exporters().next().unwrap();
    assert_eq!(view.sampling, Some(SamplingRate::UNSAMPLED));
    assert_eq!(view.active_secs, Some(1800));
    let statistics = [(40, 6_871_319_015), (41, 2), (42, 3)];
    let statistics = statistics.map(|(id, value)| (ElementId::iana(id), value));
    assert_eq!(view.statistics, statistics);
}

/// FX juniper_mx240: 160 of 2010, 130 set and 131 all zero.
#[test]
fn an_address_of_zeros_is_none() {
    let mut bench = Bench::default();
    let mut record = vec![0, 0, 0, 1, 198, 51, 100, 9];
    record.extend([0; 16]);
    teach(&mut bench, &[(144, 4), (130, 4), (131, 16)], &record);
    let address = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 9));
    assert_eq!(options(&bench).address, Some(address));
}

#[test]
fn interfaces_vrfs_and_applications_get_names() {
    let mut bench = Bench::default();
    let definitions = [
        options_template(400, 1, &[(10, 4), (82, 4), (83, 6)]),
        options_template(401, 1, &[(234, 4), (236, 4)]),
        options_template(402, 1, &[(95, 4), (96, 4), (94, 3)]),
    ];
    let mut sets = vec![set(3, &definitions.concat())];
    sets.push(set(400, b"\0\0\0\x07eth7uplink"));
    sets.push(set(401, b"\0\0\0\x01red\0"));
    sets.push(set(402, b"\x03\0\0\x50httpweb"));
    bench.send(&ipfix(1, 0, &sets));
    let options = options(&bench);
    assert_eq!(options.interfaces.get(&7), Some("eth7"));
    assert_eq!(options.descriptions.get(&7), Some("uplink"));
    assert_eq!(options.vrfs.get(&1), Some("red"));
    let http: Box<[u8]> = Box::new([3, 0, 0, 0x50]);
    assert_eq!(options.applications.get(&http), Some("http"));
}

/// RFC 5471 §3.4.6.
#[test]
fn flow_keys_need_a_template_with_these_fields() {
    let mut bench = Bench::default();
    let definitions = set(2, &template(300, &[(8, 4), (12, 4)]));
    bench.send(&ipfix(1, 0, &[definitions]));
    teach(
        &mut bench,
        &[(145, 2), (173, 8)],
        &[1, 44, 0, 0, 0, 0, 0, 0, 0, 2],
    );
    assert_eq!(options(&bench).flow_keys(300), Some(2));
    let too_many = [1, 44, 0, 0, 0, 0, 0, 0, 0, 4];
    let unknown = [1, 45, 0, 0, 0, 0, 0, 0, 0, 1];
    bench.send(&ipfix(1, 1, &[set(400, &[too_many, unknown].concat())]));
    assert_eq!(options(&bench).flow_keys(300), Some(2));
    assert_eq!(options(&bench).flow_keys(301), None);
    assert_eq!(bench.sessions.stats().flow_keys_rejected, 2);
}

/// RFC 5610: FX ixia.
#[test]
fn an_exporter_may_describe_elements_that_nobody_knows() {
    let mut bench = Bench::default();
    let fields = [(346, 4), (303, 2), (339, 1), (344, 1), (341, 4)];
    let mut record = 4_000_000_u32.to_be_bytes().to_vec();
    record.extend([0x80, 110, 3, 4]);
    record.extend(b"lat\0");
    teach(&mut bench, &fields, &record);
    let id = ElementId {
        pen: 4_000_000,
        id: 110,
    };
    let found = options(&bench).types.get(id).unwrap();
    assert_eq!(found.name.as_deref(), Some("lat"));
    assert_eq!(found.data_type, Some(DataType::Unsigned32));
}

/// P-013: Juniper MX sends mode 0 with an interval of 1000.
#[test]
fn the_interval_of_a_v5_header_counts_whatever_its_mode() {
    let mut bench = Bench::default();
    bench.send(&v5(0, 0, 1, 1000));
    bench.send(&v5(0, 1, 1, 0x4000 | 50));
    bench.send(&v5(0, 2, 1, 0));
    let rates: Vec<_> = bench
        .recorder
        .seen
        .iter()
        .map(|seen| seen.sampling)
        .collect();
    assert_eq!(rates, [one_in(1000), one_in(50), one_in(1)]);
}

#[test]
fn a_port_without_options_uses_those_of_its_exporters_other_port() {
    for (mode, expected) in [
        (ScopeMode::Fallback, one_in(100)),
        (ScopeMode::Strict, (SamplingRate::UNSAMPLED, false)),
    ] {
        let mut bench = Bench::new(Limits::default(), mode);
        teach(
            &mut bench,
            &[(149, 4), (34, 4)],
            &[0, 0, 0, 1, 0, 0, 0, 100],
        );
        let data = ipfix(
            1,
            0,
            &[set(2, &template(300, &[(8, 4)])), set(300, &[1; 4])],
        );
        bench.send_from(peer(1, 4000), &data);
        assert_eq!(bench.recorder.seen[1].sampling, expected);
    }
}

/// P-820.
#[test]
fn option_tables_end_at_their_limit() {
    let limits = Limits {
        option_entries_max: 3,
        ..Limits::default()
    };
    let mut bench = Bench::new(limits, ScopeMode::Fallback);
    let records: Vec<u8> = (0..10).flat_map(|id| [0, 0, 0, id, b'n', id]).collect();
    teach(&mut bench, &[(10, 4), (82, 2)], &records);
    assert_eq!(options(&bench).interfaces.len(), 3);
    assert_eq!(bench.sessions.stats().options_dropped, 7);
}
