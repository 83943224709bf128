//! An IPFIX Message with lists, decoded with the Templates it brings itself.

#![no_main]

use std::collections::HashMap;

use flowlogd::element::lookup;
use flowlogd::wire::Definition;
use flowlogd::wire::ListKind;
use flowlogd::wire::ListReader;
use flowlogd::wire::Message;
use flowlogd::wire::Set;
use flowlogd::wire::Template;
use libfuzzer_sys::fuzz_target;

/// Few, so that a run is short; the limit itself is what is tried.
const VALUES_MAX: usize = 4096;
const FIELDS_MAX: usize = 1024;

fuzz_target!(|datagram: &[u8]| {
    let Ok(message) = Message::parse(datagram) else {
        return;
    };
    let mut known = HashMap::new();
    for set in message.sets().map_while(Result::ok) {
        for definition in set.definitions(FIELDS_MAX).flatten() {
            if let Definition::Define(template) = definition {
                known.insert(template.id, template);
            }
        }
        read_lists(&set, &known);
    }
});

fn read_lists(set: &Set<'_>, known: &HashMap<u16, Template>) {
    let Some(template) = known.get(&set.id) else {
        return;
    };
    let templates = |id: u16| known.get(&id);
    let mut reader = ListReader::new(&templates, VALUES_MAX);
    for record in template.records(set.body).map_while(Result::ok) {
        for (field, octets) in template.fields(record) {
            let data_type = lookup(field.element).map(|element| element.data_type);
            let Some(kind) = data_type.and_then(ListKind::of) else {
                continue;
            };
            if let Err(error) = reader.read(kind, octets) {
                assert!(error.offset <= octets.len());
            }
        }
    }
}
