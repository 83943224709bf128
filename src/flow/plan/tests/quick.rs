//! The quick way beside the plain one.

use super::*;
use crate::session::SamplerScope;

/// Whether a Template of [`BASE`] and these fields has a quick way.
fn is_quick(fields: &[(u16, u16)]) -> bool {
    let base = [(8, 4), (12, 4), (1, 4), (2, 4)];
    let fields = base.iter().chain(fields);
    let fields: Vec<_> = fields.map(|&(id, length)| (ie(id), length)).collect();
    plan_of(&template_of(&fields), &[]).quick.is_some()
}

/// On any processor that has the instruction, as those have that build this.
#[test]
fn what_routers_send_is_read_quickly() {
    let common = [7, 11, 4, 5, 6, 10, 14, 61, 58, 89, 136, 16, 17, 9, 13];
    let common: Vec<_> = common.map(|id| (id, 2)).to_vec();
    let and = |more: &[(u16, u16)]| is_quick(&[&common[..], more].concat());
    assert!(and(&[]));
    assert!(and(&[(22, 4), (21, 4), (48, 1)]));
    assert!(and(&[(152, 8), (153, 8), (302, 4)]));
    assert!(and(&[(150, 4), (151, 4), (34, 4)]));
    assert!(and(&[(154, 8), (155, 8), (210, 3), (82, VARIABLE)]));
}

#[test]
fn what_needs_more_than_moving_octets_is_not() {
    // A second element for one place, a time that is not both ends, counters
    // behind a middlebox, a field behind one of variable length.
    for fields in [
        &[(58, 2), (59, 2)][..],
        &[(234, 4), (235, 4)],
        &[(10, 4), (252, 4)],
        &[(27, 16)],
        &[(152, 8)],
        &[(22, 4), (21, 4), (152, 8), (153, 8)],
        &[(23, 4)],
        &[(230, 1)],
        &[(82, VARIABLE), (7, 2)],
    ] {
        assert!(!is_quick(fields), "{fields:?}");
    }
}

/// Elements that have a place, and some that have none.
const ELEMENTS: [u16; 40] = [
    8, 12, 27, 28, 4, 7, 11, 32, 5, 10, 14, 252, 234, 235, 58, 59, 61, 89, 1, 2, 85, 86, 23, 6, 15,
    16, 17, 9, 13, 3, 136, 22, 21, 152, 153, 150, 151, 48, 56, 210,
];

/// Fields with the width that addresses and times must have, and any other
/// width for numbers.
fn field() -> impl Strategy<Value = (ElementId, u16)> {
    (prop::sample::select(&ELEMENTS[..]), 1_u16..=8).prop_map(|(id, width)| {
        let width = match id {
            8 | 12 | 15 | 22 | 21 | 150 | 151 => 4,
            27 | 28 => 16,
            152 | 153 => 8,
            56 => 6,
            _ => width,
        };
        (ie(id), width)
    })
}

/// Octets of which many are 0, as exporters send them.
fn octet() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0), Just(1), Just(58), any::<u8>()]
}

proptest! {
    #[test]
    fn both_ways_make_the_same_flows(
        fields in prop::collection::vec(field(), 1..24),
        octets in prop::collection::vec(octet(), 400),
        interfaces: bool,
    ) {
        let template = template_of(&fields);
        let plan = plan_of(&template, &[]);
        let clock = clock();
        let mut sampling = Samplers::new(SamplingPolicy::default());
        if interfaces {
            let rate = SamplingRate::new(100, 1).unwrap();
            sampling.learn(SamplerScope::Interface(1), rate, true);
        }
        let scope = scope(&clock, &sampling);
        let extent = template.validate(&octets);
        let body = &octets[..extent.octets];
        let mut plain: Decoded = Vec::new();
        for record in template.split(body) {
            plan.decode(&scope, record.unwrap(), &mut |flow, detail| {
                plain.push((*flow, detail.cloned()));
            });
        }
        let mut quick: Decoded = Vec::new();
        plan.decode_all(&template, &scope, body, &mut |flow, detail| {
            quick.push((*flow, detail.cloned()));
        });
        prop_assert_eq!(quick, plain);
    }

    /// However many there are of either, every place gets all of its record.
    #[test]
    fn places_are_filled_with_what_is_read_one_by_one(
        records in 0_usize..70,
        batches in prop::collection::vec(1_usize..40, 70),
        seed in prop::collection::vec(octet(), 70),
        rest in 0_usize..18,
    ) {
        let fields = [(8, 4), (12, 4), (4, 1), (1, 4), (2, 4), (136, 1)];
        let template = template_of(&fields.map(|(id, length)| (ie(id), length)));
        let plan = plan_of(&template, &[]);
        let (clock, sampling) = (clock(), Samplers::new(SamplingPolicy::default()));
        let scope = scope(&clock, &sampling);
        let octets = seed.iter().cycle().take(records * 18 + rest);
        let octets: Vec<u8> = octets.copied().collect();
        let mut expected = Vec::new();
        plan.decode_all(&template, &scope, &octets[..records * 18], &mut |flow, _| {
            let mut flow = *flow;
            flow.key.route = 5;
            expected.push(flow);
        });
        let mut bare = plan.bare(&template, &scope, &octets, 5).unwrap();
        let mut filled = Vec::new();
        for places in batches {
            let event = Some(Event::Other);
            let mut places = vec![FlowRecord { event, ..FlowRecord::default() }; places];
            let count = bare.fill(&mut places);
            prop_assert_eq!(count, places.len().min(records - filled.len()));
            filled.extend_from_slice(&places[..count]);
            prop_assert_eq!(bare.is_empty(), filled.len() == records);
        }
        prop_assert_eq!(filled, expected);
    }
}
