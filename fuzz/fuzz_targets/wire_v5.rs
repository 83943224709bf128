//! Any datagram as v5: as many records as it says, none beyond its end.

#![no_main]

use flowlogd::wire::Messages;
use flowlogd::wire::Version;
use flowlogd::wire::v5;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let template = v5::template();
    let mut octets = 0;
    for message in Messages::new(datagram) {
        match message {
            Ok(message) if message.header.version == Version::V5 => {
                let records = template.records(message.body).map_while(Result::ok);
                assert_eq!(records.clone().count(), usize::from(message.header.count));
                for record in records {
                    assert_eq!(template.fields(record).count(), template.fields.len());
                }
                octets += message.header.length;
            }
            Ok(_) => return,
            Err(error) => assert!(error.offset <= datagram.len()),
        }
    }
    assert!(octets <= datagram.len());
});
