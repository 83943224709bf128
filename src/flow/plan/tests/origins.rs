//! Which exporter a record names. P-223.

use super::*;
use crate::session::Origin;

/// What one record of these fields says.
fn origin(fields: &[Octets<'_>]) -> Option<Origin> {
    let fields: Vec<_> = BASE.iter().chain(fields).copied().collect();
    let length = |octets: &[u8]| u16::try_from(octets.len()).unwrap();
    let specifiers: Vec<_> = fields.iter().map(|(id, v)| (*id, length(v))).collect();
    let record: Vec<u8> = fields.iter().flat_map(|(_, v)| v.to_vec()).collect();
    origin_in(&plan_of(&template_of(&specifiers), &[]), &record)
}

fn origin_in(plan: &Plan, record: &[u8]) -> Option<Origin> {
    <Plan as session::Plan>::origin(plan, record)
}

fn has_origins(plan: &Plan) -> bool {
    <Plan as session::Plan>::has_origins(plan)
}

fn named(exporter: &str, domain: Option<u32>, is_original: bool) -> Option<Origin> {
    Some(Origin {
        exporter: exporter.parse().unwrap(),
        domain,
        is_original,
    })
}

const FOUR: [u8; 4] = [192, 0, 2, 7];
const SIX: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];

#[test]
fn either_pair_of_elements_names_an_exporter() {
    assert_eq!(origin(&[(ie(130), &FOUR)]), named("192.0.2.7", None, false));
    assert_eq!(
        origin(&[(ie(131), &SIX)]),
        named("2001:db8::7", None, false)
    );
    assert_eq!(origin(&[(ie(403), &FOUR)]), named("192.0.2.7", None, true));
    assert_eq!(origin(&[(ie(404), &SIX)]), named("2001:db8::7", None, true));
    let mapped = v4(192, 0, 2, 7);
    assert_eq!(
        origin(&[(ie(404), &mapped)]),
        named("192.0.2.7", None, true)
    );
}

#[test]
fn the_original_exporter_comes_before_the_exporter() {
    let both = [(ie(130), &[10, 0, 0, 9][..]), (ie(404), &SIX)];
    assert_eq!(origin(&both), named("2001:db8::7", None, true));
    let turned = [(ie(403), &FOUR[..]), (ie(131), &SIX)];
    assert_eq!(origin(&turned), named("192.0.2.7", None, true));
}

#[test]
fn an_address_of_zero_names_nobody() {
    let zero = [
        (ie(403), &[0; 4][..]),
        (ie(404), &[0; 16]),
        (ie(130), &FOUR),
        (ie(131), &[0; 16]),
    ];
    assert_eq!(origin(&zero), named("192.0.2.7", None, false));
    assert_eq!(origin(&[(ie(404), &v4(0, 0, 0, 0))]), None);
    assert_eq!(origin(&[(ie(130), &[0; 4]), (ie(405), &[0, 9])]), None);
    assert_eq!(origin(&[(ie(405), &[0, 9])]), None);
    assert_eq!(origin(&[]), None);
}

#[test]
fn the_domain_is_the_one_that_stands_beside_it() {
    let with = |domain| origin(&[(ie(405), domain), (ie(403), &FOUR)]);
    assert_eq!(with(&[0, 0, 1, 2]), named("192.0.2.7", Some(258), true));
    assert_eq!(with(&[7]), named("192.0.2.7", Some(7), true));
    // The domain of many a v5 exporter.
    assert_eq!(with(&[0; 4]), named("192.0.2.7", Some(0), true));
    let too_large = [0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(with(&too_large), named("192.0.2.7", None, true));
}

#[test]
fn a_name_is_found_behind_fields_of_variable_length() {
    let fields = [(ie(82), VARIABLE), (ie(403), 4), (ie(1), 4)];
    let plan = plan_of(&template_of(&fields), &[]);
    let record = [&[3, 1, 2, 3][..], &FOUR, &[0, 0, 0, 9]].concat();
    assert_eq!(origin_in(&plan, &record), named("192.0.2.7", None, true));
    assert_eq!(origin_in(&plan, &record[..6]), None);
}

#[test]
fn only_fields_of_data_records_name_an_exporter() {
    let fields = [(ie(8), 4), (ie(1), 4), (ie(130), 4)];
    assert!(has_origins(&plan_of(&template_of(&fields), &[])));
    assert!(!has_origins(&plan_of(&template_of(&fields[..2]), &[])));
    let reversed = [(ie(8), 4), (ie(1), 4), (reverse(130), 4)];
    assert!(!has_origins(&plan_of(&template_of(&reversed), &[])));
    let specifier = |&(element, length): &(ElementId, u16)| FieldSpecifier { element, length };
    let options = fields.iter().map(specifier).collect();
    let options = Template::new(Version::Ipfix, 256, TemplateKind::Options, 1, options);
    assert!(!has_origins(&plan_of(&options, &[])));
}

/// P-041.
#[test]
fn a_name_of_an_impossible_length_is_not_read() {
    let fields = [(ie(1), 4), (ie(130), 16), (ie(404), 4), (ie(405), VARIABLE)];
    let plan = plan_of(&template_of(&fields), &[]);
    assert!(!has_origins(&plan));
    assert_eq!(plan.faults().opaque, 3);
}
