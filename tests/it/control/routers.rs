//! Flow logs of Express Connect Routers, by the vendor's SDK.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::Service;

const SETTINGS: &str = r#"
[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"
account = "1001"

[[router]]
id = "ecr-mezk2idmsd0vx20001"
region = "cn-hangzhou"

[[attachment]]
id = "vbr-j6cwxhgg0s5nuephp0001"
network = "ecr-mezk2idmsd0vx20001"
account = "1001"
exporters = ["127.0.0.21"]
interfaces = [1, 12]

[[attachment]]
id = "vbr-j6cwxhgg0s5nuephp0002"
network = "ecr-mezk2idmsd0vx20001"
exporters = ["127.0.0.21"]
interfaces = [13]

[default-flow-log]
action = "ignore"
"#;

const ROUTER: &str = "EcrId=ecr-mezk2idmsd0vx20001";
const MAKE: [&str; 8] = [
    ROUTER,
    "InstanceType=VBR",
    "InstanceId=vbr-j6cwxhgg0s5nuephp0001",
    "ProjectName=border-proj",
    "LogStoreName=flows",
    "SamplingRate=1:1024",
    "Interval:=60",
    "ClientToken=one-and-only",
];

/// Sends NetFlow v9 that says nothing of sampling: one flow by interface 1.
struct Exporter {
    socket: UdpSocket,
    sequence: u32,
}

impl Exporter {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 21), 0)).unwrap();
        socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let sequence = 0;
        Self { socket, sequence }
    }

    /// Template 256: addresses, octets, packets, interface it came in by.
    fn send(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seconds = u32::try_from(now.as_secs()).unwrap();
        let shorts = |numbers: &[u16]| -> Vec<u8> {
            numbers
                .iter()
                .flat_map(|number| number.to_be_bytes())
                .collect()
        };
        let mut datagram = shorts(&[9, 2]);
        for number in [600_000, seconds, self.sequence, 0] {
            datagram.extend(number.to_be_bytes());
        }
        datagram.extend(shorts(&[0, 28, 256, 5, 8, 4, 12, 4, 1, 4, 2, 4, 10, 2]));
        datagram.extend(shorts(&[256, 24]));
        datagram.extend([
            10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 100, 0, 0, 0, 1, 0, 1, 0, 0,
        ]);
        self.socket.send(&datagram).unwrap();
        self.sequence += 1;
    }
}

#[test]
fn a_border_routers_flow_log_takes_its_interfaces_and_tells_the_sampling() {
    let Some(service) = Service::new("router", SETTINGS) else {
        return;
    };
    let daemon = service.start();
    let made = service.call("CreateFlowLog", &MAKE);
    let envelope = ["Success", "Code", "Message", "HttpStatusCode"].map(|name| made[name].clone());
    assert_eq!(
        envelope,
        [json!(true), json!("200"), json!("OK"), json!(200)]
    );
    let id = made["FlowLogId"].as_str().unwrap();
    let again = service.call("CreateFlowLog", &MAKE);
    assert_eq!(again["FlowLogId"], id);
    let log = [ROUTER, &*format!("FlowLogId={id}")];
    let mut exporter = Exporter::new(daemon.port);
    let mut send = |routed: u64, unclaimed: u64| {
        exporter.send();
        daemon.wait_until("all flows where they belong", |daemon| {
            let records = &daemon.get("/api/v1/stats")["records"];
            records["routed"]["records"] == routed && records["unclaimed"]["records"] == unclaimed
        });
    };
    send(1, 0);
    service.call("DeactivateFlowLog", &log);
    send(1, 1);
    daemon.wait_until("all rows kept", |daemon| {
        daemon.try_query(
            "SELECT \"Instance_id\", \"ali-uid\", sampling, sum(records) \
             FROM \"border-proj\".flows GROUP BY 1, 2, 3",
        ) == [vec![
            json!("vbr-j6cwxhgg0s5nuephp0001"),
            json!("1001"),
            json!(1024.0),
            json!(1),
        ]]
    });
    assert_eq!(
        service.refused("DeactivateFlowLog", &log),
        "IncorrectStatus.FlowLog"
    );
    service.call("ActivateFlowLog", &log);
    service.call(
        "ModifyFlowLogAttribute",
        &[&log[..], &["SamplingRate=1:2048"]].concat(),
    );
    send(2, 1);
    let list = service.call("DescribeFlowLogs", &[ROUTER]);
    let shown = &list["FlowLogs"][0];
    assert_eq!(
        (&shown["Status"], &shown["SamplingRate"]),
        (&json!("Active"), &json!("1:2048"))
    );
    service.call("DeleteFlowlog", &log);
    send(2, 2);
    assert_eq!(
        service.refused("DeleteFlowlog", &log),
        "ResourceNotFound.FlowLogId"
    );
    let other = ["EcrId=ecr-mezk2idmsd0vx29999", log[1]];
    assert_eq!(
        service.refused("DeleteFlowlog", &other),
        "ResourceNotFound.EcrId"
    );
}
