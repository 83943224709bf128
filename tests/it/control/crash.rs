//! SIGKILL while flow logs are made, bound, stopped and removed: what was
//! answered is done, what was not is done wholly or not at all, and nothing is
//! done twice.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::caller::Caller;
use crate::support::{Daemon, PATIENCE, PROGRAM, free_tcp_port};

const SETTINGS: &str = r#"
[control]
quota = 100

[[credential]]
id = "LTAItest"
secret-file = "DIR/secret"

[[device]]
instance-id = "sag-0"
exporters = ["127.0.0.40"]

[[device]]
instance-id = "sag-1"
exporters = ["127.0.0.41"]

[[device]]
instance-id = "sag-2"
exporters = ["127.0.0.42"]

[[router]]
id = "ecr-mezk2idmsd0vx20001"
region = "cn-hangzhou"

[[attachment]]
id = "vbr-j6cwxhgg0s5nuephp0001"
network = "ecr-mezk2idmsd0vx20001"
exporters = ["127.0.0.43"]

[default-flow-log]
action = "ignore"
"#;

/// From the start to an answer that says ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn kills_amid_changes_lose_none_and_make_none_twice() {
    let cycles = std::env::var("FLOWLOGD_CYCLES").map_or(20, |text| text.parse().unwrap());
    let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
    fs::write(dir.path().join("secret"), "secret").unwrap();
    let mut daemon = Daemon::start_serving(port, dir.path(), SETTINGS);
    let mut gateways = Maker::new(Caller::gateways(port), &GATEWAYS);
    let mut routers = Maker::new(Caller::routers(port), &ROUTERS);
    let mut binder = Binder::new(Caller::gateways(port));
    let (mut slowest, mut fates) = (Duration::ZERO, BTreeMap::<_, u32>::new());
    for cycle in 0..cycles {
        std::thread::scope(|scope| {
            scope.spawn(|| until_killed(|| gateways.step()));
            scope.spawn(|| until_killed(|| routers.step()));
            scope.spawn(|| until_killed(|| binder.step()));
            if cycle % 2 == 0 {
                wait_for_commits(dir.path(), 1 + random(20));
            } else {
                std::thread::sleep(Duration::from_millis(random(200)));
            }
            daemon.crash();
        });
        let kept = exported(dir.path());
        assert!(binder.logs.iter().all(|id| kept.contains(id)), "{kept}");
        let began = Instant::now();
        daemon = Daemon::start_serving(port, dir.path(), SETTINGS);
        slowest = slowest.max(began.elapsed());
        for fate in [gateways.judge(), routers.judge(), binder.judge()] {
            *fates.entry(fate).or_default() += 1;
        }
    }
    let calls = [gateways.answered, routers.answered, binder.answered];
    println!(
        "{cycles} kills amid {calls:?} answered changes; what was under way: {fates:?}; \
         ready again after {slowest:?} at most"
    );
    assert!(calls.iter().all(|calls| *calls > 0) || cycles < 10);
    // Or else nothing was killed between a commit and its answer.
    assert!(fates.contains_key(&Fate::Done) || cycles < 10);
    assert!(slowest < READY_WITHIN, "{slowest:?}");
}

/// Makes one change after the other until there is nobody to make it.
fn until_killed(mut step: impl FnMut() -> reqwest::Result<()>) {
    while step().is_ok() {}
}

/// What became of a change that was not answered.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Fate {
    Done,
    NotDone,
}

/// Waits until so many changes were kept since: at that moment the last is not
/// answered yet.
fn wait_for_commits(dir: &Path, mut commits: u64) {
    let file = dir.join(FILE);
    let number = || fs::metadata(&file).map_or(0, |metadata| metadata.ino());
    let (mut seen, deadline) = (number(), Instant::now() + PATIENCE);
    while commits > 0 {
        assert!(Instant::now() < deadline, "nothing was kept");
        let now = number();
        commits -= u64::from(now != seen);
        seen = now;
    }
}

const FILE: &str = "flow-logs.json";

/// What was kept, as it is read without the daemon.
fn exported(dir: &Path) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["export-config", "--config"]);
    let output = command.arg(dir.join("flowlogd.toml")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A number below another.
fn random(below: u64) -> u64 {
    let mut octets = [0; 8];
    getrandom::fill(&mut octets).unwrap();
    u64::from_ne_bytes(octets) % below
}

/// How a product's flow logs are made and told of.
struct Family {
    /// What all calls name.
    place: &'static [&'static str],
    /// What makes one, beside a name.
    make: &'static [&'static str],
    name: &'static str,
    remove: &'static str,
    start: &'static str,
    stop: &'static str,
    /// What describes all.
    all: &'static str,
    /// Where they are in the answer.
    list: &'static str,
    /// What each shows, whatever was done to it.
    shown: &'static [(&'static str, &'static str)],
    has_tokens: bool,
}

const GATEWAYS: Family = Family {
    place: &[],
    make: &[
        "Description=of a test",
        "OutputType=all",
        "ActiveAging=60",
        "InactiveAging=10",
        "NetflowServerIp=127.0.0.1",
        "NetflowServerPort=9",
        "NetflowVersion=V10",
        "ProjectName=branches",
        "LogstoreName=flows",
        "SlsRegionId=cn-shanghai",
    ],
    name: "Name",
    remove: "DeleteFlowLog",
    start: "ActiveFlowLog",
    stop: "DeactiveFlowLog",
    all: "PageSize=50",
    list: "/FlowLogs/FlowLogSetType",
    shown: &[
        ("Description", "of a test"),
        ("OutputType", "all"),
        ("NetflowServerIp", "127.0.0.1"),
        ("NetflowVersion", "V10"),
        ("ProjectName", "branches"),
        ("LogstoreName", "flows"),
        ("SlsRegionId", "cn-shanghai"),
    ],
    has_tokens: false,
};

const ROUTER: &str = "EcrId=ecr-mezk2idmsd0vx20001";

const ROUTERS: Family = Family {
    place: &[ROUTER],
    make: &[
        "Description=of a test",
        "InstanceType=VBR",
        "InstanceId=vbr-j6cwxhgg0s5nuephp0001",
        "ProjectName=border-proj",
        "LogStoreName=flows",
        "SamplingRate=1:1024",
        "Interval=60",
    ],
    name: "FlowLogName",
    remove: "DeleteFlowlog",
    start: "ActivateFlowLog",
    stop: "DeactivateFlowLog",
    all: "MaxResults=100",
    list: "/FlowLogs",
    shown: &[
        ("Description", "of a test"),
        ("InstanceId", "vbr-j6cwxhgg0s5nuephp0001"),
        ("ProjectName", "border-proj"),
        ("LogStoreName", "flows"),
        ("SamplingRate", "1:1024"),
    ],
    has_tokens: true,
};

/// A flow log, as answers told of it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Known {
    /// None as long as nobody told it.
    id: Option<String>,
    is_active: bool,
}

/// Makes flow logs, stops, starts and removes them, and knows what it was told.
struct Maker {
    caller: Caller,
    family: &'static Family,
    /// By name: each has one of its own.
    known: BTreeMap<String, Known>,
    /// What was not answered: a name, and what it stands for once that is done.
    doubt: Option<(String, Option<Known>)>,
    /// Names that were tokens, and what was answered.
    told: Vec<(String, String)>,
    names: u32,
    answered: u32,
}

impl Maker {
    const fn new(caller: Caller, family: &'static Family) -> Self {
        Self {
            caller,
            family,
            known: BTreeMap::new(),
            doubt: None,
            told: Vec::new(),
            names: 0,
            answered: 0,
        }
    }

    /// Makes one change, and notes it before and after.
    fn step(&mut self) -> reqwest::Result<()> {
        // A gateway's exporter, or a border router, has eight flow logs at most.
        let count = self.known.len();
        if count < 2 || count < 6 && random(3) == 0 {
            self.names += 1;
            return self.make(format!("log-{}", self.names));
        }
        let chosen = usize::try_from(random(count as u64)).unwrap();
        let (name, before) = self.known.iter().nth(chosen).unwrap();
        let (name, before) = (name.clone(), before.clone());
        let id = format!("FlowLogId={}", before.id.as_deref().unwrap());
        let other = Known {
            is_active: !before.is_active,
            ..before
        };
        let (action, after) = match (random(2), before.is_active) {
            (0, _) => (self.family.remove, None),
            (_, true) => (self.family.stop, Some(other)),
            (_, false) => (self.family.start, Some(other)),
        };
        self.doubt = Some((name.clone(), after.clone()));
        self.change(action, &[&id])?;
        self.known.remove(&name);
        self.known.extend(after.map(|after| (name, after)));
        self.doubt = None;
        Ok(())
    }

    fn make(&mut self, name: String) -> reqwest::Result<()> {
        let mut made = Known {
            id: None,
            is_active: true,
        };
        self.doubt = Some((name.clone(), Some(made.clone())));
        let id = self.create(&name)?;
        self.told.push((name.clone(), id.clone()));
        made.id = Some(id);
        self.known.insert(name, made);
        self.doubt = None;
        Ok(())
    }

    /// The id that is answered.
    fn create(&mut self, name: &str) -> reqwest::Result<String> {
        let named = format!("{}={name}", self.family.name);
        let token = format!("ClientToken={name}");
        let mut parameters = self.family.make.to_vec();
        parameters.push(&named);
        if self.family.has_tokens {
            parameters.push(&token);
        }
        let made = self.change("CreateFlowLog", &parameters)?;
        Ok(made["FlowLogId"].as_str().unwrap().to_owned())
    }

    /// A change that succeeds, if it is answered.
    fn change(&mut self, action: &str, parameters: &[&str]) -> reqwest::Result<Value> {
        let parameters = [self.family.place, parameters].concat();
        let answer = self.caller.try_call(action, &parameters)?;
        self.answered += 1;
        Ok(answer.unwrap_or_else(|code| panic!("{action} {parameters:?}: {code}")))
    }

    /// Compares what there is with what was told.
    fn judge(&mut self) -> Fate {
        let mut shown = self.shown();
        let (name, after) = self.doubt.take().expect("killed amid a change");
        let found = shown.get(&name).cloned();
        let is_made = !self.known.contains_key(&name) && found.is_some();
        let told = found.clone().map(|found| Known {
            id: found.id.filter(|_| !is_made),
            ..found
        });
        let before = self.known.remove(&name);
        assert!(told == after || told == before, "{name}: {found:?}");
        if self.family.has_tokens && before.is_none() {
            // Who hears no answer asks again; who heard one may, too.
            let id = self.create(&name).unwrap();
            let expected = found.as_ref().and_then(|found| found.id.as_ref());
            assert!(expected.is_none_or(|expected| *expected == id), "{name}");
            self.told.push((name.clone(), id));
            shown = self.shown();
        }
        if self.family.has_tokens {
            self.repeat();
            assert_eq!(self.shown(), shown);
        }
        self.known
            .extend(shown.get(&name).map(|found| (name.clone(), found.clone())));
        assert_eq!(shown, self.known, "after {name}: {found:?}");
        match told == after {
            true => Fate::Done,
            false => Fate::NotDone,
        }
    }

    /// Asks again for some of what was made, also of what is removed by now.
    fn repeat(&mut self) {
        for (name, id) in self.told.iter().rev().take(5).cloned().collect::<Vec<_>>() {
            assert_eq!(self.create(&name).unwrap(), id, "{name}");
        }
    }

    /// All that there is, by name.
    fn shown(&self) -> BTreeMap<String, Known> {
        let parameters = [self.family.place, &[self.family.all]].concat();
        let answer = self.caller.done("DescribeFlowLogs", &parameters);
        let list = answer.pointer(self.family.list).unwrap();
        let mut shown = BTreeMap::new();
        for log in list.as_array().unwrap() {
            let name = log[self.family.name].as_str().unwrap().to_owned();
            if OF_BINDER.contains(&&*name) {
                continue;
            }
            for (field, value) in self.family.shown {
                assert_eq!(log[field], *value, "{log}");
            }
            let known = Known {
                id: Some(log["FlowLogId"].as_str().unwrap().to_owned()),
                is_active: log["Status"] == "Active",
            };
            let same = shown.insert(name, known);
            assert_eq!(same, None, "two have the name of {log}");
        }
        shown
    }
}

/// Names of the flow logs that gateways are bound to.
const OF_BINDER: [&str; 2] = ["left", "right"];

/// Binds gateways to one or the other of two flow logs, and knows what it was
/// told.
struct Binder {
    caller: Caller,
    logs: [String; 2],
    /// The flow log of each gateway.
    bound: [Option<usize>; 3],
    /// What was not answered: a gateway, and what it is bound to once that is
    /// done.
    doubt: Option<(usize, Option<usize>)>,
    answered: u32,
}

impl Binder {
    fn new(caller: Caller) -> Self {
        let logs = OF_BINDER.map(|name| {
            let named = format!("Name={name}");
            let made = caller.done("CreateFlowLog", &[GATEWAYS.make, &[&named]].concat());
            made["FlowLogId"].as_str().unwrap().to_owned()
        });
        Self {
            caller,
            logs,
            bound: [None; 3],
            doubt: None,
            answered: 0,
        }
    }

    fn step(&mut self) -> reqwest::Result<()> {
        let gateway = usize::try_from(random(3)).unwrap();
        let (action, log, after) = match self.bound[gateway] {
            Some(log) => ("DisassociateFlowLog", log, None),
            None => {
                let log = usize::try_from(random(2)).unwrap();
                ("AssociateFlowLog", log, Some(log))
            }
        };
        let parameters = [
            format!("FlowLogId={}", self.logs[log]),
            format!("SmartAGId=sag-{gateway}"),
        ];
        self.doubt = Some((gateway, after));
        let answer = self
            .caller
            .try_call(action, &parameters.each_ref().map(|it| &**it))?;
        answer.unwrap_or_else(|code| panic!("{action} {parameters:?}: {code}"));
        self.answered += 1;
        self.bound[gateway] = after;
        self.doubt = None;
        Ok(())
    }

    /// Compares what there is with what was told.
    fn judge(&mut self) -> Fate {
        let shown = self.shown();
        let (gateway, after) = self.doubt.take().expect("killed amid a change");
        let is_done = shown[gateway] == after;
        if is_done {
            self.bound[gateway] = after;
        }
        assert_eq!(shown, self.bound, "after sag-{gateway}");
        if is_done { Fate::Done } else { Fate::NotDone }
    }

    /// What each gateway is bound to; both views tell the same.
    fn shown(&self) -> [Option<usize>; 3] {
        let mut shown = [None; 3];
        for (log, id) in self.logs.iter().enumerate() {
            let id = format!("FlowLogId={id}");
            let own = self.caller.done("DescribeFlowLogSags", &[&id]);
            let list = self.caller.done("DescribeFlowLogs", &[&id]);
            let gateways = own["Sags"]["Sag"].as_array().unwrap();
            let told = &list["FlowLogs"]["FlowLogSetType"][0]["TotalSagNum"];
            assert_eq!(*told, json!(gateways.len()));
            for gateway in gateways {
                let id = gateway["SmartAGId"].as_str().unwrap();
                let number: usize = id.strip_prefix("sag-").unwrap().parse().unwrap();
                let other = shown[number].replace(log);
                assert_eq!(other, None, "{id} is bound twice");
            }
        }
        shown
    }
}
