//! The whole front, over a state in memory.

mod captured;
mod gateways;
mod kept;
mod paced;
mod proof;
mod refused;
mod rejected;
mod routers;
mod routers_configured;
mod routers_refused;
mod served;
mod tencent;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Request as HttpRequest};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::api::auth::testing::{ALIBABA, CAPTURED_AT, credential, ours};
use crate::api::auth::{Credentials, Pattern, Product};
use crate::flowlog::Role;
use crate::flowlog::control::Gateway;

/// What every request is named here.
const ID: &str = "0A0A0A0A-0A0A-4A0A-8A0A-0A0A0A0A0A0A";

/// The first flow log that a [`Memory`] makes.
const FIRST: &str = "fl-0123456789abcdefgh";

const JSON: &str = "application/json;charset=utf-8";
const XML: &str = "text/xml;charset=utf-8";

/// What the daemon would be: the state in force, in memory.
struct Memory {
    made: Mutex<Made>,
    /// Why nothing can be kept.
    not_kept: Option<NotKept>,
}

impl Memory {
    fn new(state: State) -> Self {
        let state = Arc::new(state);
        let inventory = Arc::new(inventory());
        Self {
            made: Mutex::new(Made { state, inventory }),
            not_kept: None,
        }
    }

    fn state(&self) -> Arc<State> {
        self.look().state
    }
}

impl Control for Memory {
    fn look(&self) -> Made {
        self.made.lock().unwrap().clone()
    }

    fn change(&self, edit: Edit) -> Changing<'_> {
        Box::pin(async move {
            let mut made = self.made.lock().unwrap();
            let mut copy = State::clone(&made.state);
            // Begins elsewhere for each, so that no two ids are alike.
            let (sag, ecr, vpc) = (
                copy.sag.flow_logs(),
                copy.ecr.flow_logs(),
                copy.vpc.flow_logs(),
            );
            let count = sag.count() + ecr.count() + vpc.count();
            let mut next = u8::try_from(count * 7).unwrap();
            let mut random = |octets: &mut [u8]| {
                octets.fill(next);
                next += 1;
            };
            let is_good = edit(&mut copy, &made.inventory, &mut Ids::new(&mut random));
            if is_good {
                self.not_kept.clone().map_or(Ok(()), Err)?;
                made.state = Arc::new(copy);
            }
            Ok(())
        })
    }
}

/// Gateways of Shanghai, of which some cannot have flow logs, and one elsewhere.
fn inventory() -> Inventory {
    let gateway = |region: &str, has_flow_logs, lacking: &[Role]| Gateway {
        name: "ruijie".to_owned(),
        region: Some(region.to_owned()),
        account: None,
        has_flow_logs,
        lacking: lacking.to_vec(),
    };
    let gateways = [
        ("sag-39u6j9a49i03wk0001", gateway("cn-shanghai", true, &[])),
        ("sag-far", gateway("cn-hangzhou", true, &[])),
        ("sag-old", gateway("cn-shanghai", false, &[])),
        ("sag-single", gateway("cn-shanghai", true, &[Role::Single])),
        ("sag-active", gateway("cn-shanghai", true, &[Role::Active])),
        (
            "sag-standby",
            gateway("cn-shanghai", true, &[Role::Standby]),
        ),
    ];
    let gateways = gateways.map(|(id, gateway)| (id.to_owned(), gateway));
    Inventory {
        gateways: gateways.into(),
        vpcs: tencent::vpcs(),
        attachments: tencent::attachments(),
        ..Inventory::default()
    }
}

/// One flow log to the collector, and perhaps a gateway bound to it.
fn stored(id: &str, region: &str, is_active: bool, gateway: Option<&str>) -> State {
    let bindings: serde_json::Map<_, _> = gateway
        .map(|it| (it.to_owned(), id.into()))
        .into_iter()
        .collect();
    let attributes = json!({
        "name": "sag-flowlog-1", "description": "d", "output": "netflow", "active_s": 300,
        "inactive_s": 15, "server_ip": "192.168.0.2", "server_port": 9995, "version": "v9",
        "project": "", "logstore": "", "sls_region": "",
    });
    let log = json!({
        "id": id, "account": "", "region": region, "resource_group": "rg-acfm2iu4fnc0001",
        "created_ms": 1, "is_active": is_active, "attributes": attributes,
    });
    let state = json!({"sag": {"flow_logs": {id: log}, "bindings": bindings}});
    serde_json::from_value(state).unwrap()
}

fn settings(credentials: Credentials) -> Settings {
    let now: Timestamp = CAPTURED_AT.parse().unwrap();
    let random: Random = Arc::new(|octets: &mut [u8]| octets.fill(0x0a));
    let sag = SagRules {
        quota: 10,
        may_reactivate: true,
        resource_group: "rg-acfmflowlogd000".to_owned(),
        destinations: Vec::new(),
        own: Vec::new(),
    };
    let ecr = EcrRules {
        quota: 10,
        resource_group: "rg-flowlogd0000001".to_owned(),
        tokens_max: EcrRules::TOKENS_MAX,
    };
    let vpc = VpcRules {
        quota: 10,
        per_resource: VpcRules::PER_RESOURCE,
        utc_offset_s: 8 * 60 * 60,
    };
    let rules = Rules { sag, ecr, vpc };
    Settings::new(credentials, rules, Arc::new(move || now), random)
}

fn front_of(memory: &Arc<Memory>, settings: Settings) -> Front {
    Front::new(Arc::clone(memory) as _, settings)
}

/// A front that asks nobody for a key, over a state.
fn open(state: State) -> (Front, Arc<Memory>) {
    let memory = Arc::new(Memory::new(state));
    (front_of(&memory, settings(Credentials::open())), memory)
}

/// A request, as it is on the wire.
#[derive(Clone, Debug)]
struct Sent {
    label: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn new(method: &str, target: &str) -> Self {
        Self {
            label: String::new(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("host".to_owned(), "127.0.0.1:8099".to_owned())],
            body: Vec::new(),
        }
    }

    /// A call of the Smart Access Gateway API, unsigned.
    fn sag(action: &str, params: &str) -> Self {
        let common = "Version=2018-03-13&RegionId=cn-shanghai";
        Self::new("POST", &format!("/?Action={action}&{common}&{params}"))
    }

    fn of(line: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let headers = line["headers"].as_array().unwrap().iter();
        Self {
            label: text(&line["label"]),
            method: text(&line["method"]),
            target: text(&line["target"]),
            headers: headers.map(|it| (text(&it[0]), text(&it[1]))).collect(),
            body: text(&line["body"]).into_bytes(),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without_host(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "host");
        self
    }

    fn form(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    fn http(&self) -> HttpRequest<Body> {
        let mut request = HttpRequest::builder()
            .method(self.method.as_str())
            .uri(&self.target);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_bytes());
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }

    async fn to(&self, front: &Front) -> Answer {
        send(front, self.http()).await
    }
}

/// The captured requests whose labels have one of these beginnings.
fn captures(beginnings: &[&str]) -> Vec<Sent> {
    let lines = include_str!("../../auth/testdata/control/captures.jsonl").lines();
    let sent = lines.map(|line| Sent::of(&serde_json::from_str(line).unwrap()));
    sent.filter(|sent| beginnings.iter().any(|it| sent.label.starts_with(it)))
        .collect()
}

fn capture(label: &str) -> Sent {
    let mut found = captures(&[label]).into_iter();
    found.find(|sent| sent.label == label).unwrap()
}

/// An answer, read.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    fn content_type(&self) -> &str {
        self.header("content-type")
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status, code and message of an error.
    #[track_caller]
    fn error(&self) -> (u16, String, String) {
        assert_eq!(self.content_type(), JSON, "{self:?}");
        let body = self.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("RequestId"), ID, "{self:?}");
        (self.status, text("Code"), text("Message"))
    }

    #[track_caller]
    fn is_error(&self, status: u16, code: &str, message: &str) {
        assert_eq!(self.error(), (status, code.to_owned(), message.to_owned()));
    }

    /// What a success tells.
    #[track_caller]
    fn success(&self) -> Value {
        assert_eq!((self.status, self.content_type()), (200, JSON), "{self:?}");
        self.json()
    }
}

async fn send(front: &Front, request: HttpRequest<Body>) -> Answer {
    let response = front.answer(request).await;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

/// The address that a server would tell.
fn from(mut request: HttpRequest<Body>, peer: &str) -> HttpRequest<Body> {
    let peer: SocketAddr = peer.parse().unwrap();
    let extensions = request.extensions_mut();
    extensions.insert(axum::extract::ConnectInfo(peer));
    request
}
