//! What the APIs have made can be moved into a file.

use std::num::NonZeroU32;

use super::*;
use crate::flowlog::Naming;
use crate::flowlog::OutputType;
use crate::flowlog::Traffic;

/// A file with a device and an attachment, and what follows.
fn file(more: &str) -> String {
    let device = "[[device]]\ninstance-id = \"sag-a\"\nsnid = \"sn\"\nrole = \"active\"\n\
        exporters = [\"192.0.2.1\", { address = \"198.51.100.0/24\", domain = 5 }]\n";
    let attachment = "[[attachment]]\nid = \"ccn-a\"\ntype = \"ccn\"\nexporters = [\"192.0.2.1\"]\n\
        interfaces = [7, 9]\n";
    [device, attachment, more].join("")
}

#[test]
fn what_is_printed_defines_what_was_made() {
    let operators = parse(&file("")).definition;
    let mut joined = operators.clone();
    let mut log = FlowLog::new("fl-1", "flow-proj", "flows");
    log.description = "a \"b\"\\\u{7f}\té".to_owned();
    log.region = Some("cn-shanghai".to_owned());
    log.naming = Naming::Vpc;
    log.fields = vec!["sampling".to_owned()];
    log.output = OutputType::All;
    let server = "[2001:db8::9]:2055".parse().unwrap();
    log.netflow = vec![NetflowOutput {
        target: NetflowTarget::new(server, NetflowVersion::V10),
        filter: None,
    }];
    let active = Duration::from_secs(60);
    let inactive = Inactive::Fixed(Duration::from_secs(10));
    log.timers = Timers::new(active, inactive).unwrap();
    log.traffic = Traffic::Reject;
    log.one_in = NonZeroU32::new(1024);
    joined.flow_logs.push(log);
    joined
        .flow_logs
        .push(FlowLog::new("fl-2", "flow-proj", "other"));
    joined.devices[0].flow_logs = vec!["fl-1".to_owned(), "fl-2".to_owned()];
    joined.attachments[0].flow_logs = vec!["fl-2".to_owned()];
    let text = exported(&operators, &joined);
    let place = "# In place of the [[device]] with instance-id = \"sag-a\":\n[[device]]\n";
    assert!(text.contains(place), "{text}");
    // Devices and attachments take the place of those in the file.
    let mut read = parse(&text).definition;
    read.flow_logs
        .sort_by(|one, other| one.name.cmp(&other.name));
    joined
        .flow_logs
        .sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(read, joined);
}

#[test]
fn nothing_made_is_nothing_printed() {
    let definition = parse(&file("")).definition;
    assert_eq!(exported(&definition, &definition), "");
}
