//! `[[relay]]`.

use super::parse;
use super::problems;

/// The problems of a `[[relay]]` with these lines.
fn relay_problems(lines: &str) -> Vec<String> {
    problems(&format!("[[relay]]\n{lines}"))
}

#[test]
fn a_relay_goes_where_no_harm_is_done() {
    let loops = "is where this flowlogd itself listens, so that it would loop";
    for (target, why) in [
        ("127.0.0.1:9995", loops),
        ("[::1]:9995", loops),
        ("[::ffff:127.0.0.1]:9995", loops),
        ("0.0.0.0:2055", "names no host"),
        ("239.1.2.3:2055", "is a multicast group"),
        ("255.255.255.255:2055", "is the broadcast address"),
        ("169.254.169.254:80", "is a cloud's metadata service"),
        ("[fe80::1]:2055", "is link-local"),
        ("192.0.2.9:0", "port 0 is no port"),
    ] {
        let found = relay_problems(&format!("to = [\"192.0.2.9:1\", \"{target}\"]"));
        let shown = target.replace("[::ffff:127.0.0.1]", "127.0.0.1");
        let expected = format!("relay[0].to[1]: {shown} {why}");
        assert_eq!(found, [expected]);
    }
    assert_eq!(
        relay_problems("to = [\"192.0.2.9\"]"),
        ["relay[0].to[0]: `192.0.2.9`: a port from 1 to 65535 must follow a colon at the end"]
    );
}

#[test]
fn a_relay_looks_at_no_record() {
    let mut found =
        relay_problems("to = [\"192.0.2.9:1\"]\nfilter = \"dstport = 53\"\nactive-s = 60");
    let why = "a relay copies datagrams as they are and looks at no record";
    let expected = ["active-s", "filter"].map(|key| format!("relay[0].{key}: {why}"));
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_relay_names_each_of_a_few_collectors_once() {
    let missing = "relay[0].to: missing";
    assert_eq!(relay_problems("only = true"), [missing]);
    assert_eq!(
        relay_problems("to = [\"a.example:1\", \"A.example:1\"]"),
        ["relay[0].to[1]: a.example:1 is named twice"]
    );
    let few = "relay[0].to: must name 1 to 8 collectors";
    assert_eq!(relay_problems("to = []"), [few]);
    let nine: Vec<String> = (1..=9)
        .map(|port| format!("\"192.0.2.9:{port}\""))
        .collect();
    assert_eq!(
        relay_problems(&format!("to = [{}]", nine.join(", "))),
        [few]
    );
    let rule = |index: u8| {
        let to: Vec<_> = (1..=8)
            .map(|port| format!("\"192.0.2.{index}:{port}\""))
            .collect();
        format!("[[relay]]\nto = [{}]\n", to.join(", "))
    };
    let nine: String = (1..=9).map(rule).collect();
    assert_eq!(
        problems(&nine),
        ["relay: 72 collectors in all relays, at most 64"]
    );
    let eight: String = (1..=8).map(rule).collect();
    assert_eq!(parse(&eight).relays.len(), 8);
}

#[test]
fn senders_are_forged_towards_a_collector_or_they_are_not() {
    let relay = |spoofs| format!("[[relay]]\nto = [\"192.0.2.9:1\"]\nspoof-source = {spoofs}\n");
    let both = relay(true) + &relay(false);
    assert_eq!(
        problems(&both),
        ["relay[1].to[0]: 192.0.2.9:1 is in two relays, one with `spoof-source`"]
    );
    assert!(
        parse(&relay(true).repeat(2))
            .relays
            .iter()
            .all(|rule| rule.spoof_source)
    );
}
