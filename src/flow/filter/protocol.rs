//! Names of IP protocols. IANA Assigned Internet Protocol Numbers.

/// Names as nfdump prints them; the first of a number is the one printed.
const NAMES: &[(u8, &str)] = &[
    (1, "ICMP"),
    (2, "IGMP"),
    (4, "IPIP"),
    (6, "TCP"),
    (8, "EGP"),
    (17, "UDP"),
    (41, "IPv6"),
    (46, "RSVP"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (58, "ICMP6"),
    (58, "IPv6-ICMP"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (103, "PIM"),
    (112, "VRRP"),
    (115, "L2TP"),
    (132, "SCTP"),
    (136, "UDPLite"),
];

/// Finds a protocol's number by its name, in any case.
pub fn protocol_number(name: &str) -> Option<u8> {
    let mut names = NAMES.iter();
    names
        .find(|(_, known)| known.eq_ignore_ascii_case(name))
        .map(|(number, _)| *number)
}

/// Finds a protocol's name; `None` for those usually called by number.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(known, _)| *known == number)
        .map(|(_, name)| *name)
}
