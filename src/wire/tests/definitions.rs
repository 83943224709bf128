//! Template Sets and Options Template Sets.

use super::*;
use crate::element::V9_SCOPE_PEN;

fn invalid(id: u16, offset: usize, reason: Reason) -> Result<Definition, WireError> {
    let error = error(offset, reason);
    Ok(Definition::Invalid { id, error })
}

/// RFC 7011 §3.4.1: Template ids start at 256.
#[test]
fn a_template_may_not_take_a_set_id() {
    #[rustfmt::skip]
    let datagram = ipfix(&[
        0x00, 0x02, 0x00, 0x0c, // Template Set, length 12
        0x00, 0xff, 0x00, 0x01, // template 255, one field
        0x00, 0x08, 0x00, 0x04, // sourceIPv4Address
    ]);
    let refusal = error(20, Reason::ReservedTemplateId(255));
    assert_eq!(definitions(&datagram), [Err(refusal)]);
}

#[test]
fn a_set_holds_many_templates_and_padding() {
    #[rustfmt::skip]
    let datagram = ipfix(&[
        0x00, 0x02, 0x00, 0x1b, // Template Set, length 27
        0x01, 0x00, 0x00, 0x01, // template 256, one field
        0x00, 0x08, 0x00, 0x04,
        0x01, 0x01, 0x00, 0x01, // template 257, one field
        0x80, 0x05, 0xff, 0xff, // enterprise bit, 5, variable
        0x00, 0x00, 0x72, 0x79, // PEN 29305
        0x61, 0x6e, 0x65,       // padding need not be zero
    ]);
    let reverse = FieldSpecifier {
        element: ElementId { pen: 29305, id: 5 },
        length: VARIABLE,
    };
    let expected = [
        Ok(Definition::Define(template(
            Version::Ipfix,
            256,
            &[field(8, 4)],
        ))),
        Ok(Definition::Define(template(
            Version::Ipfix,
            257,
            &[reverse],
        ))),
    ];
    assert_eq!(definitions(&datagram), expected);
}

/// P-027: Cisco ASA sends 33000 and 40005; nothing follows them.
#[test]
fn v9_has_no_enterprise_bit() {
    #[rustfmt::skip]
    let datagram = v9(&[
        0x00, 0x00, 0x00, 0x10, // Template FlowSet, length 16
        0x01, 0x00, 0x00, 0x02, // template 256, two fields
        0x9c, 0x45, 0x00, 0x01, // 40005
        0x00, 0x08, 0x00, 0x04, // IP_SRC_ADDR
    ]);
    let fields = [field(40005, 1), field(8, 4)];
    let expected = Definition::Define(template(Version::V9, 256, &fields));
    assert_eq!(definitions(&datagram), [Ok(expected)]);
}

/// P-031…P-034.
#[test]
fn v9_scopes_have_their_own_namespace() {
    #[rustfmt::skip]
    let datagram = v9(&[
        0x00, 0x01, 0x00, 0x18, // Options Template FlowSet, length 24
        0x01, 0x01, 0x00, 0x04, // template 257, scope length 4
        0x00, 0x08, 0x00, 0x02, // option length 8; scope Interface
        0x00, 0x04, 0x00, 0x52, // 4 octets; IF_NAME
        0x00, 0x20, 0x00, 0x0a, // 32 octets; INPUT_SNMP
        0x00, 0x02, 0x00, 0x00, // 2 octets; padding
    ]);
    let scope = FieldSpecifier {
        element: ElementId {
            pen: V9_SCOPE_PEN,
            id: 2,
        },
        length: 4,
    };
    let fields = Box::new([scope, field(82, 32), field(10, 2)]);
    let names = Template::new(Version::V9, 257, TemplateKind::Options, 1, fields);
    assert_eq!(definitions(&datagram), [Ok(Definition::Define(names))]);
}

/// P-031: lengths count octets of 4-octet definitions; CVE-2026-48684.
#[test]
fn v9_option_lengths_are_multiples_of_four_within_the_set() {
    let with_lengths = |scope: u8, option: u8| {
        v9(&[
            0, 1, 0, 18, 1, 1, 0, scope, 0, option, 0, 1, 0, 4, 0, 34, 0, 4,
        ])
    };
    let cases = [
        (3, 4, Reason::OptionLength(3, 4)),
        (4, 1, Reason::OptionLength(4, 1)),
        (8, 8, Reason::OptionTooLong(16, 8)),
        (0, 252, Reason::OptionTooLong(252, 8)),
    ];
    for (scope, option, reason) in cases {
        let found = definitions(&with_lengths(scope, option));
        assert_eq!(found, [invalid(257, 26, reason)]);
    }
}

/// P-033.
#[test]
fn v9_options_may_lack_a_scope() {
    let datagram = v9(&[0, 1, 0, 14, 1, 1, 0, 0, 0, 4, 0, 34, 0, 4]);
    let fields = Box::new([field(34, 4)]);
    let sampling = Template::new(Version::V9, 257, TemplateKind::Options, 0, fields);
    assert_eq!(definitions(&datagram), [Ok(Definition::Define(sampling))]);
}

/// P-452, P-453, P-454: v9 knows no withdrawal.
#[test]
fn a_v9_template_without_fields_is_empty() {
    for (set, octets) in [(0, &[1, 0, 0, 0][..]), (1, &[1, 0, 0, 0, 0, 0])] {
        let length = u8::try_from(4 + octets.len()).unwrap();
        let datagram = v9(&[&[0, set, 0, length], octets].concat());
        let found = definitions(&datagram).remove(0).unwrap();
        let Definition::Define(template) = found else {
            panic!("{found:?}");
        };
        assert_eq!((template.id, template.layout), (256, Layout::Empty));
    }
}

/// P-106.
#[test]
fn ipfix_options_need_a_scope_and_no_more_than_fields() {
    #[rustfmt::skip]
    let with_scopes = |scopes: u8| ipfix(&[
        0x00, 0x03, 0x00, 0x1e,       // Options Template Set, length 30
        0x01, 0x00, 0x00, 0x02,       // template 256, two fields
        0x00, scopes,
        0x00, 0x95, 0x00, 0x04,       // observationDomainId
        0x00, 0x22, 0x00, 0x04,       // samplingInterval
        0x01, 0x01, 0x00, 0x01,       // template 257 can still be read
        0x00, 0x01,
        0x00, 0x95, 0x00, 0x04,
        0x00, 0x00,
    ]);
    for scopes in [0, 3] {
        let found = definitions(&with_scopes(scopes));
        let reason = Reason::ScopeCount(scopes.into(), 2);
        assert_eq!(found[0], invalid(256, 24, reason));
        assert!(matches!(&found[1], Ok(Definition::Define(next)) if next.id == 257));
    }
    let found = definitions(&with_scopes(2));
    assert!(matches!(&found[0], Ok(Definition::Define(options)) if options.scopes == 2));
}

/// P-108, P-122: four octets in both kinds of Set.
#[test]
fn a_withdrawal_has_no_scope_count() {
    for (set, kind) in [(2, TemplateKind::Data), (3, TemplateKind::Options)] {
        let datagram = ipfix(&[0, set, 0, 16, 1, 0, 0, 0, 1, 1, 0, 0, 0, set, 0, 0]);
        let expected = [
            Ok(Definition::Withdraw(256)),
            Ok(Definition::Withdraw(257)),
            Ok(Definition::WithdrawAll(kind)),
        ];
        assert_eq!(definitions(&datagram), expected);
    }
}

#[test]
fn only_the_sets_own_id_withdraws_all() {
    for (set, id) in [(2, 3), (3, 2), (2, 4)] {
        let datagram = ipfix(&[0, set, 0, 8, 0, id, 0, 0]);
        let refusal = error(20, Reason::ReservedTemplateId(id.into()));
        assert_eq!(definitions(&datagram), [Err(refusal)]);
    }
}

#[test]
fn zeros_in_a_template_set_are_padding() {
    assert_eq!(definitions(&v9(&[0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0])), []);
    assert_eq!(definitions(&ipfix(&[0, 2, 0, 9, 0, 0, 0, 0, 0])), []);
}

#[test]
fn a_field_count_beyond_the_set_invalidates_its_id() {
    // RFC 5471 §3.6.4 b: count 2, one field.
    let datagram = ipfix(&[0, 2, 0, 12, 1, 0, 0, 2, 0, 8, 0, 4]);
    let reason = Reason::FieldCountTooLong(2, 4);
    assert_eq!(definitions(&datagram), [invalid(256, 22, reason)]);
    // Room for the specifiers, but not for an enterprise number.
    let datagram = ipfix(&[0, 2, 0, 12, 1, 0, 0, 1, 0x80, 8, 0, 4]);
    let reason = Reason::FieldCountTooLong(1, 4);
    assert_eq!(definitions(&datagram), [invalid(256, 22, reason)]);
    let datagram = v9(&[0, 0, 0, 12, 1, 0, 0, 2, 0, 8, 0, 4]);
    let reason = Reason::FieldCountTooLong(2, 4);
    assert_eq!(definitions(&datagram), [invalid(256, 26, reason)]);
}

/// P-117, P-820.
#[test]
fn a_template_may_have_16370_fields_and_no_more_than_allowed() {
    let mut set = vec![0, 2, 0xff, 0xd4, 1, 0, 0x3f, 0xf2];
    for _ in 0..16_370 {
        set.extend([0, 4, 0, 1]);
    }
    set.resize(0xffd4, 0);
    let datagram = ipfix(&set);
    let found = definitions(&datagram).remove(0).unwrap();
    assert!(matches!(found, Definition::Define(wide) if wide.layout == Layout::Fixed(16_370)));

    let set = sets(&datagram).remove(0).unwrap();
    let found: Vec<_> = set.definitions(16_369).collect();
    let reason = Reason::TooManyFields(16_370, 16_369);
    assert_eq!(found, [invalid(256, 22, reason)]);
}

#[test]
fn what_a_definition_is_charged_grows_with_its_fields() {
    let narrow = template(Version::Ipfix, 256, &[field(8, 4)]).definition_bytes();
    let wide = template(Version::Ipfix, 256, &[field(8, 4); 101]).definition_bytes();
    assert_eq!(wide - narrow, 100 * size_of::<FieldSpecifier>());
}
