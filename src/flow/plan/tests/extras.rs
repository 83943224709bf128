//! Details, and Templates with variable-length fields.

use super::*;

fn detail(fields: &[Octets<'_>]) -> Detail {
    one(decode(&[&BASE[..], fields].concat())).1.unwrap()
}

#[test]
fn a_plain_flow_has_no_detail() {
    assert_eq!(one(decode(&BASE)).1, None);
}

#[test]
fn details_are_read_from_either_element() {
    let six = [7; 16];
    let expected = Detail {
        nat_dst: Some(IpAddr::from(six)),
        nat_dst_port: Some(80),
        src_mac: Some([1; 6]),
        dst_mac: Some([2; 6]),
        mpls_label: Some(0x12345),
        layer2_octets: Some(300),
        next_hop_v6: Some(six),
        ..Detail::default()
    };
    let first = detail(&[
        (ie(282), &six),
        (ie(228), &[0, 80]),
        (ie(56), &[1; 6]),
        (ie(80), &[2; 6]),
        (ie(70), &[0x12, 0x34, 0x5f]),
        (ie(352), &[1, 44]),
        (ie(62), &six),
    ]);
    assert_eq!(first, expected);
    let second = detail(&[
        (ie(226), &[0; 4]),
        (ie(282), &six),
        (ie(228), &[0, 80]),
        (ie(81), &[1; 6]),
        (ie(57), &[2; 6]),
        (ie(70), &[0x12, 0x34, 0x5f]),
        (ie(352), &[1, 44]),
        (ie(62), &[0; 16]),
        (ie(63), &six),
    ]);
    assert_eq!(second, expected);
}

#[test]
fn layer_2_octets_do_not_count_as_octets() {
    let (record, _) = one(decode(&[&BASE[..], &[(ie(352), &[9, 9])]].concat()));
    assert_eq!(record.octets, 256);
}

#[test]
fn wanted_elements_are_kept_in_template_order() {
    let fields = [
        (ie(82), &b"eth0"[..]),
        (ie(96), &b"http"[..]),
        (ie(95), &[3, 0, 80]),
    ];
    let all = [&BASE[..], &fields[..]].concat();
    let (_, detail) = one(decode_wanting(&all, &[ie(95), ie(82)]));
    let kept = [
        (ie(82), b"eth0".as_slice().into()),
        (ie(95), [3, 0, 80].as_slice().into()),
    ];
    assert_eq!(detail.unwrap().extra, kept);
}

/// P-417, RFC 5473: the id of common properties is a value as others.
#[test]
fn the_id_of_common_properties_stays_in_the_record() {
    let id: Octets<'_> = (ie(137), &[0, 0, 0, 0, 0, 0, 0, 5]);
    let fields = [&[id], &BASE[..]].concat();
    let (record, detail) = one(decode_wanting(&fields, &[ie(137)]));
    assert_eq!((record.octets, record.event), (256, None));
    assert_eq!(detail.unwrap().extra, [(ie(137), id.1.into())]);
    let (plain, detail) = one(decode(&fields));
    assert_eq!((plain, detail), (record, None));
}

/// P-029, P-113: fields behind variable-length ones are found in every record.
#[test]
fn variable_lengths_move_what_follows() {
    let template = template_of(&[
        (ie(8), 4),
        (ie(236), VARIABLE),
        (ie(12), 4),
        (ie(0), 0),
        (ie(82), VARIABLE),
        (ie(1), 4),
    ]);
    let plan = plan_of(&template, &[ie(236)]);
    let mut long = vec![255, 1, 44];
    long.extend([b'x'; 300]);
    for (name, value) in [(&[0][..], 0), (&[2, b'a', b'b'], 2), (&long, 300)] {
        let record = [
            &[10, 0, 0, 1],
            name,
            &[10, 0, 0, 2],
            &[1, b'e'],
            &[0, 0, 0, 5],
        ]
        .concat();
        let (flow, detail) = one(run(&template, &plan, &record));
        assert_eq!(
            (flow.key.src, flow.key.dst),
            (v4(10, 0, 0, 1), v4(10, 0, 0, 2))
        );
        assert_eq!(flow.octets, 5);
        assert_eq!(detail.unwrap().extra[0].1.len(), value);
    }
}

#[test]
fn a_counter_of_variable_length_is_not_read() {
    let template = template_of(&[(ie(8), 4), (ie(12), 4), (ie(1), VARIABLE), (ie(2), 1)]);
    let plan = plan_of(&template, &[]);
    assert_eq!(plan.faults().opaque, 1);
    let (record, _) = one(run(&template, &plan, &[1, 1, 1, 1, 2, 2, 2, 2, 2, 9, 9, 3]));
    assert_eq!((record.octets, record.packets), (0, 3));
}

#[test]
fn fields_behind_too_many_variable_ones_are_counted() {
    let mut fields = vec![(ie(236), VARIABLE); 70];
    fields.push((ie(8), 4));
    let plan = plan_of(&template_of(&fields), &[]);
    assert_eq!(plan.faults().unkept, 7);
}

/// An event of more elements than a record may keep.
#[test]
fn extra_elements_end_at_their_maximum() {
    let fields: Vec<_> = (1_000..1_200).map(|id| (ie(id), 1)).collect();
    let template = template_of(&fields);
    let plan = plan_of(&template, &[]);
    assert_eq!(plan.faults().unkept, 72);
    assert_eq!(
        one(run(&template, &plan, &[1; 200])).1.unwrap().extra.len(),
        128
    );
}

#[test]
fn padding_is_not_kept() {
    let (_, detail) = one(decode(&[
        BASE[0],
        BASE[1],
        (ie(210), &[0, 0]),
        (ie(210), &[0]),
    ]));
    assert_eq!(detail.unwrap().extra.len(), 2);
}
