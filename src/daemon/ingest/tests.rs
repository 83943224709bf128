//! Rows through journal and log store, without lanes.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use serde_json::Value;
use tokio::runtime::Builder;

use super::*;
use crate::config::Config;
use crate::daemon::settings;
use crate::flow::{FlowKey, FlowRecord, Presence};
use crate::journal;
use crate::journal::Disk;
use crate::listen::Own;
use crate::logstore;
use crate::logstore::Limits;
use crate::logstore::LogstoreName;
use crate::logstore::Query;
use crate::sink::Exports;
use crate::sink::{Content, Log, LogGroup};

/// Three flow logs: one stays here, two are sent, one of these to the logstore
/// of the first.
const LOGS: &str = "\
    [default-flow-log]\naction = \"ignore\"\n\
    [sls.region.cn-x]\nendpoint = \"127.0.0.1:1\"\n\
    [[flow-log]]\nname = \"here\"\nproject = \"proj\"\nlogstore = \"flows\"\n\
    [[flow-log]]\nname = \"there\"\nproject = \"proj\"\nlogstore = \"flows\"\nregion = \"cn-x\"\n\
    [[flow-log]]\nname = \"else\"\nproject = \"proj\"\nlogstore = \"other\"\nregion = \"cn-x\"\n\
    [[device]]\ninstance-id = \"i\"\nexporters = [\"192.0.2.1\"]\n\
    flow-logs = [\"here\", \"there\", \"else\"]\n";

const CLOUDS: [&str; 2] = ["sls/cn-x/-/proj/flows", "sls/cn-x/-/proj/other"];

struct House {
    dir: tempfile::TempDir,
    config: Config,
    table: Arc<RoutingTable>,
    ingest: Option<Arc<Ingest>>,
    quota: u64,
    logstores_max: usize,
}

impl House {
    fn new(more: &str) -> Self {
        let config = Config::parse(&format!("{more}{LOGS}"), "test").unwrap();
        let table = RoutingTable::compile(&config.definition, None).unwrap();
        let mut house = Self {
            dir: tempfile::tempdir().unwrap(),
            config,
            table: Arc::new(table),
            ingest: None,
            quota: 64 << 20,
            logstores_max: 10,
        };
        house.open();
        house
    }

    fn open(&mut self) {
        let settings = logstore::Settings {
            logstores_max: self.logstores_max,
            ..logstore::Settings::new(self.dir.path().join("store"))
        };
        let store = Arc::new(LogStore::open(settings).unwrap());
        let settings = journal::Settings {
            quota_bytes: self.quota,
            first_seq: store.next_seq(),
            ..journal::Settings::default()
        };
        let disk = Disk::new(self.dir.path().join("journal"));
        let (journal, _) = Journal::open(settings, disk).unwrap();
        let policy = settings::policy(&self.config);
        let own = Arc::new(Own::new(Vec::new()));
        let exports = Exports::new(settings::exports(&self.config, &own));
        let ingest = Ingest::new(Arc::new(journal), store, Arc::new(exports), policy);
        let ingest = ingest.unwrap();
        ingest.name(&self.table);
        self.ingest = Some(Arc::new(ingest));
    }

    /// As after a crash: what is not durable is gone with its memory.
    fn reopen(&mut self) {
        self.ingest = None;
        self.open();
    }

    fn ingest(&self) -> &Arc<Ingest> {
        self.ingest.as_ref().unwrap()
    }

    /// Gives rows of these flow logs, each of 1 record, 100 octets, 2 packets.
    fn give(&self, logs: &[&str]) -> (Page, Vec<Refusal>) {
        let mut batch = FlowBatch::default();
        for (host, log) in (0_u32..).zip(logs) {
            batch.push(&record(host, self.route(log)), None, EXPORTER, 0);
        }
        let amount = batch.amount();
        let parcel = Parcel {
            amount,
            batch,
            routes: Arc::clone(&self.table),
        };
        let page = RefCell::default();
        let refusals = self.ingest().flows(parcel, &page);
        let page: Page = page.into_inner();
        assert_eq!((page.store.sum(), page.sls.sum()), (amount, amount));
        (page, refusals)
    }

    fn route(&self, log: &str) -> u16 {
        let mut routes = self.table.routes();
        let found = routes.find(|route| route.flow_log.name == log);
        found.map_or(u16::MAX, |route| route.id.0)
    }

    /// Number, flow log and source, in the order of numbers.
    fn rows(&self, logstore: &str) -> Vec<(u64, String, String)> {
        let sql = format!("SELECT seq, \"flow-log\", srcaddr FROM proj.{logstore} ORDER BY seq");
        let row = |row: Vec<String>| {
            let [seq, flow_log, source] = row.try_into().unwrap();
            (seq.parse().unwrap(), flow_log, source)
        };
        self.ask(&sql).into_iter().map(row).collect()
    }

    /// Rows as text.
    fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        let limits = Limits {
            rows_max: 100_000,
            time_max: Duration::from_secs(30),
        };
        let sql = sql.to_owned();
        let runtime = Builder::new_current_thread().enable_time().build();
        let asked = self.ingest().store().query(Query { sql, limits });
        let rows = runtime.unwrap().block_on(asked).unwrap().rows;
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        rows.iter()
            .map(|row| row.iter().map(text).collect())
            .collect()
    }

    fn sent(&self) -> journal::Amounts {
        sent(&self.ingest().journal_stats())
    }
}

/// What was booked.
#[derive(Debug, Default)]
struct Page {
    store: Ended,
    sls: Ended,
    netflow: Ended,
}

impl Books for RefCell<Page> {
    fn settle(&self, side: Side, ended: Ended) {
        let mut page = self.borrow_mut();
        match side {
            Side::Store => page.store.add(&ended),
            Side::Sls => page.sls.add(&ended),
            Side::Netflow => page.netflow.add(&ended),
        }
    }
}

const EXPORTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn record(host: u32, route: u16) -> FlowRecord {
    let source = Ipv4Addr::from(0x0a00_0000 + host).to_ipv6_mapped().octets();
    FlowRecord {
        key: FlowKey {
            src: source,
            route,
            present: Presence::all(),
            ..FlowKey::default()
        },
        octets: 100,
        packets: 2,
        flows: 1,
        records: 1,
        ..FlowRecord::default()
    }
}

fn amount(records: u64) -> Amount {
    Amount {
        records,
        octets: 100 * records,
        packets: 2 * records,
    }
}

fn hosts(rows: &[(u64, String, String)]) -> Vec<&str> {
    rows.iter().map(|(_, _, host)| host.as_str()).collect()
}

#[test]
fn each_row_goes_to_its_outlets_and_keeps_its_place_among_its_like() {
    let house = House::new("");
    let logs = ["there", "here", "else", "there", "here", "else", "there"];
    let (settled, refusals) = house.give(&logs);
    assert!(refusals.is_empty());
    assert_eq!(settled.store.taken, amount(7));
    assert_eq!(
        (settled.sls.taken, settled.sls.spared),
        (amount(5), amount(2))
    );
    assert_eq!(house.sent().pending, amount(5));
    let flows = house.rows("flows");
    let here_then_there = ["10.0.0.1", "10.0.0.4", "10.0.0.0", "10.0.0.3", "10.0.0.6"];
    assert_eq!(hosts(&flows), here_then_there);
    assert_eq!(hosts(&house.rows("other")), ["10.0.0.2", "10.0.0.5"]);
    house.ingest().journal().commit().unwrap();
    // What the cloud gets is what the log store has, under the same numbers.
    for (name, rows) in [(CLOUDS[0], &flows[2..]), (CLOUDS[1], &house.rows("other"))] {
        let id = house.ingest().journal().destination(name).unwrap();
        let frame = house.ingest().journal().next(id, 0).unwrap().unwrap();
        let numbers: Vec<u64> = rows.iter().map(|(seq, ..)| *seq).collect();
        assert_eq!(frame.rows().collect::<Vec<_>>(), numbers);
    }
}

#[test]
fn rows_that_are_not_to_be_kept_are_sent_all_the_same() {
    let house = House::new("[logstore]\nkeep = \"embedded-only\"\n");
    let (settled, _) = house.give(&["there", "here", "else"]);
    assert_eq!(
        (settled.store.taken, settled.store.spared),
        (amount(1), amount(2))
    );
    assert_eq!(settled.sls.taken, amount(2));
    assert_eq!(hosts(&house.rows("flows")), ["10.0.0.1"]);
}

#[test]
fn rows_whose_route_is_gone_are_refused_and_the_others_are_not() {
    let house = House::new("");
    let (settled, refusals) = house.give(&["gone", "here", "gone"]);
    assert_eq!(
        (settled.store.taken, settled.store.refused),
        (amount(1), amount(2))
    );
    assert_eq!(settled.sls.spared, amount(3));
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].why, "the route leads to no flow log");
    assert_eq!(refusals[0].exporters, [(EXPORTER, amount(2))]);
    assert_eq!(hosts(&house.rows("flows")), ["10.0.0.1"]);
}

#[test]
fn what_was_in_memory_comes_back_under_the_same_numbers_and_once() {
    let mut house = House::new("");
    house.give(&["here", "there", "else"]);
    house.ingest().store().flush().unwrap();
    house.give(&["else", "here"]);
    house.ingest().journal().commit().unwrap();
    let before = (house.rows("flows"), house.rows("other"));
    for _ in 0..2 {
        house.reopen();
        assert_eq!((house.rows("flows"), house.rows("other")), before);
        // Carried over: nobody has sent any.
        assert_eq!(house.ingest().carried(), amount(3));
        assert_eq!(house.sent().pending, amount(3));
    }
    house.give(&["here"]);
    let after = house.rows("flows");
    assert_eq!(after.len(), before.0.len() + 1);
    assert!(after.last() > before.0.last());
}

#[test]
fn what_is_in_parts_is_acknowledged_and_frees_the_journal() {
    let mut house = House::new("");
    house.give(&["here", "here"]);
    house.ingest().journal().commit().unwrap();
    let pending = |house: &House| {
        let stats = house.ingest().journal_stats();
        let mut found = stats.destinations.into_iter();
        let embedded = found.find(|destination| destination.name == "embedded/proj/flows");
        embedded.unwrap().amounts.pending
    };
    house.ingest().acknowledge();
    assert_eq!(pending(&house), amount(2), "not in a part yet");
    house.ingest().store().flush().unwrap();
    house.ingest().acknowledge();
    assert_eq!(pending(&house), Amount::default());
    house.ingest().journal().persist_progress().unwrap();
    house.reopen();
    assert_eq!(house.rows("flows").len(), 2);
}

#[test]
fn a_batch_too_large_for_a_frame_goes_in_several() {
    let mut house = House::new("");
    house.quota = 1 << 20;
    house.reopen();
    let logs = ["here", "there", "else"].repeat(1000);
    let (settled, refusals) = house.give(&logs);
    assert!(refusals.is_empty(), "{}", refusals[0].why);
    assert_eq!(
        (settled.store.taken, settled.sls.taken),
        (amount(3000), amount(2000))
    );
    assert_eq!(house.rows("flows").len() + house.rows("other").len(), 3000);
    let stats = house.ingest().journal_stats();
    assert!(stats.next_seq > 3000);
    house.ingest().journal().commit().unwrap();
}

#[test]
fn a_journal_that_was_removed_goes_on_above_the_rows_there_are() {
    let mut house = House::new("");
    house.give(&["here", "here"]);
    house.ingest().store().flush().unwrap();
    house.ingest = None;
    std::fs::remove_dir_all(house.dir.path().join("journal")).unwrap();
    house.open();
    house.give(&["here"]);
    let rows = house.rows("flows");
    assert_eq!(rows.len(), 3);
    assert!(rows[1].0 < rows[2].0);
}

#[test]
fn logs_of_clients_come_back_after_a_crash() {
    let mut house = House::new("");
    let runtime = Builder::new_multi_thread().build().unwrap();
    let rare = Duration::from_secs(60);
    let committer = commit(Arc::clone(house.ingest()), rare, || {}).unwrap();
    for number in [1, 2] {
        let group = group(number);
        let body = Bytes::from(group.encode_to_vec());
        // The committer need not wait for its time when somebody waits for it.
        let stored = house.ingest().logs(flows(), group, body);
        runtime.block_on(stored).unwrap();
        if number == 1 {
            house.ingest().store().flush().unwrap();
        }
    }
    house.ingest().end_commits();
    committer.join().unwrap();
    let sql = "SELECT seq, __topic__, element(rest, 'word') FROM proj.flows ORDER BY seq";
    let before = house.ask(sql);
    assert_eq!(before.len(), 4);
    assert_eq!(before[3][1..], ["audit", "b2"]);
    house.reopen();
    assert_eq!(house.ask(sql), before);
}

#[test]
fn a_deleted_logstore_does_not_come_back_with_the_journal() {
    let mut house = House::new("");
    house.give(&["here", "here"]);
    house.ingest().journal().commit().unwrap();
    let store = house.ingest().store();
    store.delete_logstore("proj", "flows").unwrap();
    house.ingest().acknowledge();
    house.ingest().journal().persist_progress().unwrap();
    house.reopen();
    assert!(house.ingest().store().durable().is_empty());
}

#[test]
fn a_log_group_too_large_for_a_frame_goes_in_several() {
    let mut house = House::new("");
    house.quota = 64 << 10;
    house.reopen();
    let mut group = group(1);
    group.logs = std::iter::repeat_n(group.logs, 200).flatten().collect();
    let body = Bytes::from(group.encode_to_vec());
    house.ingest().take_logs(&flows(), group, body).unwrap();
    let sql = "SELECT element(rest, 'word') FROM proj.flows ORDER BY seq";
    assert_eq!(house.ask(sql).concat(), ["a1", "b1"].repeat(200));
}

fn flows() -> LogstoreName {
    LogstoreName::new("proj", "flows").unwrap()
}

/// Two logs that are no flows.
fn group(number: u32) -> LogGroup {
    let log = |word: &str| Log {
        time: 1_795_233_600,
        contents: vec![Content {
            key: "word".to_owned(),
            value: Bytes::from(format!("{word}{number}")),
        }],
        time_ns: None,
    };
    LogGroup {
        logs: vec![log("a"), log("b")],
        topic: Some("audit".to_owned()),
        ..LogGroup::default()
    }
}

#[test]
fn nobody_waits_for_a_committer_that_has_ended() {
    let house = House::new("");
    let committer = commit(Arc::clone(house.ingest()), Duration::from_secs(60), || {});
    house.ingest().end_commits();
    committer.unwrap().join().unwrap();
    assert!(house.ingest().has_ended());
    let group = group(1);
    let body = Bytes::from(group.encode_to_vec());
    let runtime = Builder::new_multi_thread().build().unwrap();
    let refused = runtime.block_on(house.ingest().logs(flows(), group, body));
    assert!(matches!(refused, Err(NotStored::NotDurable(_))));
}

#[test]
fn rows_the_log_store_refused_do_not_come_back_with_the_journal() {
    let mut house = House::new("");
    house.logstores_max = 1;
    house.reopen();
    let (page, refusals) = house.give(&["here", "else", "here"]);
    assert_eq!(
        (page.store.taken, page.store.refused),
        (amount(2), amount(1))
    );
    assert_eq!(page.sls.taken, amount(1));
    assert_eq!(refusals[0].place, Place::LogStore);
    house.ingest().journal().commit().unwrap();
    house.ingest().journal().persist_progress().unwrap();
    house.logstores_max = 10;
    house.reopen();
    assert_eq!(house.rows("flows").len(), 2);
    assert_eq!(house.ingest().store().durable().len(), 1);
    assert_eq!(house.sent().pending, amount(1));
}
