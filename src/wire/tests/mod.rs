//! Octets in, octets out: what the formats demand, and what they must survive.

mod definitions;
mod framing;
mod golden;
mod hostile;
mod lists;
mod records;
mod round_trip;
mod seeds;

use std::collections::HashMap;

use crate::element::ElementId;
use crate::wire::*;

/// As many fields as a Template may have (P-820).
const FIELDS_MAX: usize = 16_370;

/// A field of IANA's registry.
fn field(id: u16, length: u16) -> FieldSpecifier {
    FieldSpecifier {
        element: ElementId::iana(id),
        length,
    }
}

fn template(version: Version, id: u16, fields: &[FieldSpecifier]) -> Template {
    Template::new(version, id, TemplateKind::Data, 0, fields.into())
}

fn error(offset: usize, reason: Reason) -> WireError {
    WireError { offset, reason }
}

/// An IPFIX Message around Sets, with export time, sequence and domain 0.
fn ipfix(sets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(16 + sets.len()).unwrap();
    let mut message = vec![0, 10];
    message.extend(length.to_be_bytes());
    message.resize(16, 0);
    message.extend(sets);
    message
}

/// A v9 Message around FlowSets, all else 0.
fn v9(sets: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 9];
    message.resize(20, 0);
    message.extend(sets);
    message
}

/// A v5 Message that claims `count` records and has `octets` after its header.
fn v5(count: u16, octets: usize) -> Vec<u8> {
    let mut message = vec![0, 5];
    message.extend(count.to_be_bytes());
    message.resize(24 + octets, 0);
    message
}

fn sets(datagram: &[u8]) -> Vec<Result<Set<'_>, WireError>> {
    Message::parse(datagram).unwrap().sets().collect()
}

fn definitions(datagram: &[u8]) -> Vec<Result<Definition, WireError>> {
    let set = sets(datagram).remove(0).unwrap();
    set.definitions(FIELDS_MAX).collect()
}

/// What a walk through a datagram found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Survey {
    messages: usize,
    sets: usize,
    templates: usize,
    records: usize,
    octets: usize,
    errors: Vec<WireError>,
}

/// Decodes all there is in a datagram, with the Templates it defines itself.
fn survey(datagram: &[u8]) -> Survey {
    let mut survey = Survey::default();
    for message in Messages::new(datagram) {
        match message {
            Ok(message) => survey.message(&message),
            Err(error) => survey.errors.push(error),
        }
    }
    survey
}

impl Survey {
    fn message(&mut self, message: &Message<'_>) {
        self.messages += 1;
        if message.header.version == Version::V5 {
            self.body(&v5::template(), message.body, message.body_offset);
        }
        let mut known = HashMap::new();
        for set in message.sets() {
            match set {
                Ok(set) => self.set(&set, &mut known),
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn set(&mut self, set: &Set<'_>, known: &mut HashMap<u16, Template>) {
        self.sets += 1;
        for definition in set.definitions(FIELDS_MAX) {
            match definition {
                Ok(Definition::Define(template)) => {
                    self.templates += 1;
                    known.insert(template.id, template);
                }
                Ok(Definition::Invalid { error, .. }) | Err(error) => self.errors.push(error),
                Ok(Definition::Withdraw(_) | Definition::WithdrawAll(_)) => {}
            }
        }
        if let Some(template) = known.get(&set.id) {
            self.body(template, set.body, set.body_offset);
        }
    }

    fn body(&mut self, template: &Template, body: &[u8], offset: usize) {
        let extent = template.validate(body);
        let (mut records, mut octets) = (0, 0);
        for record in template.records(body).map_while(Result::ok) {
            records += 1;
            octets += record.len();
            assert_eq!(template.fields(record).count(), template.present().len());
            for (field, octets) in template.all_fields(record) {
                if let Some(element) = crate::element::lookup(field.element) {
                    Value::decode(element.data_type, octets);
                }
            }
        }
        assert_eq!((extent.records as usize, extent.octets), (records, octets));
        self.records += records;
        self.octets += octets;
        self.errors.extend(extent.fault.map(|fault| WireError {
            offset: offset + fault.offset,
            reason: fault.reason,
        }));
    }
}
