use serde_json::{Value, json};

use super::*;
use crate::element::ElementId;
use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::MessageWriter;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::VARIABLE;
use crate::wire::Version;
use crate::wire::put_record;

fn template(version: Version, id: u16, fields: &[(u16, u16)]) -> Template {
    let fields = fields.iter().map(|(id, length)| FieldSpecifier {
        element: ElementId::iana(*id),
        length: *length,
    });
    Template::new(version, id, TemplateKind::Data, 0, fields.collect())
}

fn writer(version: Version) -> MessageWriter {
    MessageWriter::new(Header::new(version, 1_795_255_200, 7, 5))
}

fn captured(frame: u64, payload: Vec<u8>) -> Captured {
    Captured {
        frame,
        time: std::time::Duration::from_secs(1_795_255_200 + frame),
        source: "192.0.2.10:2055".parse().unwrap(),
        destination: "192.0.2.1:9995".parse().unwrap(),
        payload,
    }
}

fn lines(decoder: &mut Decoder, payloads: &[Vec<u8>]) -> Vec<Value> {
    let mut out = Vec::new();
    for (frame, payload) in (1..).zip(payloads) {
        decoder
            .print(&captured(frame, payload.clone()), &mut out)
            .unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Data of Template 300, and the Template after it.
fn data_before_template() -> Vec<Vec<u8>> {
    let template = template(Version::V9, 300, &[(8, 4), (1, 2)]);
    let mut record = Vec::new();
    put_record(&mut record, &template, [&[10, 0, 0, 1][..], &[1, 0]]).unwrap();
    let mut data = writer(Version::V9);
    data.record(&template, &record);
    let mut definition = writer(Version::V9);
    definition.define(&template);
    vec![data.finish().unwrap(), definition.finish().unwrap()]
}

#[test]
fn early_data_is_named_and_left_out() {
    let lines = lines(&mut Decoder::new(false), &data_before_template());
    let sets = json!([{"id": 300, "kind": "data", "status": "no-template", "records": 0}]);
    assert_eq!(lines[0]["sets"], sets);
    assert_eq!(
        lines[1]["templates"],
        json!([{"id": 300, "kind": "data", "fields": 2}])
    );
    assert_eq!(lines[1]["records"], json!([]));
}

#[test]
fn early_data_that_is_kept_comes_with_its_template() {
    let mut decoder = Decoder::new(true);
    let lines = lines(&mut decoder, &data_before_template());
    let fields = json!({"sourceIPv4Address": "10.0.0.1", "octetDeltaCount": 256});
    let record = json!({"template": 300, "kind": "data", "replayed": true, "fields": fields});
    assert_eq!(lines[1]["records"], json!([record]));
    assert_eq!(decoder.summary(None), "2 datagrams, 1 records, 0 faults");
}

#[test]
fn lists_are_decoded_beside_their_octets() {
    let template = template(Version::Ipfix, 256, &[(291, VARIABLE), (292, VARIABLE)]);
    // allOf, two interfaceNames of 2 octets; a subTemplateList of Template 999, unknown.
    let basic = [3, 0, 82, 0, 2, b'a', b'b', b'c', b'd'];
    let sub = [255, 0x03, 0xe7, 1, 2, 3];
    let mut record = Vec::new();
    put_record(&mut record, &template, [&basic[..], &sub[..]]).unwrap();
    let mut message = writer(Version::Ipfix);
    message.define(&template);
    message.record(&template, &record);
    let lines = lines(&mut Decoder::new(false), &[message.finish().unwrap()]);
    let record = &lines[0]["records"][0];
    assert_eq!(record["fields"]["basicList"], "hex:030052000261626364");
    let basic = json!({"semantic": "allOf", "element": "interfaceName", "values": ["ab", "cd"]});
    assert_eq!(record["lists"]["basicList"], basic);
    let part = json!({"template": 999, "octets": "hex:010203"});
    assert_eq!(
        record["lists"]["subTemplateList"],
        json!({"semantic": "undefined", "parts": [part]})
    );
}

#[test]
fn a_refused_message_shows_its_header_and_the_byte() {
    let mut message = writer(Version::Ipfix);
    message.define(&template(Version::Ipfix, 256, &[(8, 4)]));
    let mut octets = message.finish().unwrap();
    octets[3] += 1;
    let lines = lines(&mut Decoder::new(false), &[octets]);
    assert_eq!(
        (&lines[0]["sequence"], &lines[0]["domain"]),
        (&json!(7), &json!(5))
    );
    assert_eq!(lines[0]["errors"][0]["offset"], 2);
    assert_eq!(lines[0]["errors"][0]["reason"], "message-too-long");
}

#[test]
fn known_versions_have_a_line_and_what_is_no_netflow_is_counted() {
    let mut decoder = Decoder::new(false);
    let lines = lines(
        &mut decoder,
        &[vec![0, 1, 0, 0], b"GET / HTTP/1.1".to_vec()],
    );
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["version"], &lines[0]["export_time"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(lines[0]["errors"][0]["reason"], "unsupported-version");
    let summary = "1 datagrams, 0 records, 1 faults; 1 datagrams were not NetFlow; frames left out: 3 not UDP";
    assert_eq!(decoder.summary(Some("3 not UDP".to_owned())), summary);
}
