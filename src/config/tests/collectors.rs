//! `[[flow-log.netflow]]`.

use std::time::Duration;

use super::parse;
use crate::flow::Filter;
use crate::flowlog::ExportedDomains;
use crate::flowlog::ExportedOrigin;
use crate::flowlog::ExportedSampling;
use crate::flowlog::NetflowTarget;
use crate::flowlog::NetflowVersion;
use crate::flowlog::Refresh;
use crate::flowlog::Transport;

#[test]
fn a_flow_log_has_collectors_of_its_own_tables() {
    let text = r#"
        [[flow-log]]
        name = "a"
        output = "netflow"
        netflow-server = "192.0.2.1:2055"
        [[flow-log.netflow]]
        server = "collector.example.net"
        version = "v10"
        transport = "tcp"
        sampling = "normalised"
        origin = "omit"
        domain = 7
        message-bytes = 9000
        template-refresh-s = 60
        template-refresh-messages = 5
        filter = "dst port 53"
        [[flow-log.netflow]]
        server = "2001:db8::1"
        domain-per-exporter = true
    "#;
    let definition = parse(text).definition;
    let log = definition.flow_logs.iter().find(|log| log.name == "a");
    let outputs = &log.unwrap().netflow;
    let targets: Vec<_> = outputs.iter().map(|out| out.target.to_string()).collect();
    assert_eq!(
        targets,
        [
            "v9 udp 192.0.2.1:2055",
            "v10 tcp collector.example.net:9995",
            "v9 udp [2001:db8::1]:9995"
        ]
    );
    let long = &outputs[1];
    let plain = NetflowTarget::new(long.target.server.clone(), NetflowVersion::V10);
    let expected = NetflowTarget {
        transport: Transport::Tcp,
        sampling: ExportedSampling::Normalised,
        origin: ExportedOrigin::Omitted,
        domains: ExportedDomains::One(7),
        message_bytes: 9000,
        refresh: Refresh {
            period: Duration::from_secs(60),
            messages: 5,
        },
        ..plain
    };
    assert_eq!(long.target, expected);
    assert_eq!(long.filter, Filter::parse("dst port 53").ok());
    assert_eq!(outputs[2].target.domains, ExportedDomains::PerExporter);
}
