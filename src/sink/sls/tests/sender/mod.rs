//! The sender with a journal before it and a scripted server behind it, on a
//! clock that passes when nothing else does.

mod errors;
mod order;
mod outage;
mod shards;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::super::send::Clock;
use super::super::testing::Data;
use super::super::testing::batch;
use super::NOON;
use super::hasty;
use super::server::Seen;
use super::server::Server;
use super::server::Step;
use crate::flow;
use crate::flow::Amount;
use crate::journal;
use crate::journal::DestinationId;
use crate::journal::DestinationStats;
use crate::journal::Disk;
use crate::journal::Journal;
use crate::journal::Kind;
use crate::journal::Share;
use crate::sink::sls::Compression;
use crate::sink::sls::DeadLetter;
use crate::sink::sls::DeadLetters;
use crate::sink::sls::Destination;
use crate::sink::sls::Directory;
use crate::sink::sls::Endpoint;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::OutletStats;
use crate::sink::sls::Sender;
use crate::sink::sls::SenderSettings;
use crate::sink::sls::Skew;
use crate::sink::sls::Unroutable;
use crate::sink::sls::Way;
use crate::sink::sls::credentials::Chain;
use crate::sink::sls::credentials::Environment;
use crate::sink::sls::credentials::Fetcher;
use crate::sink::sls::credentials::Keeper;
use crate::sink::sls::credentials::Origin;
use crate::sink::sls::decompress;
use crate::sink::sls::proto::LogGroup;
use crate::sink::sls::sign::Scheme;

/// A clock that is moved by hand.
struct HandClock {
    now: watch::Sender<Duration>,
    /// What somebody waits for.
    awaited: Mutex<BTreeMap<Duration, usize>>,
}

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            now: watch::Sender::new(Duration::ZERO),
            awaited: Mutex::default(),
        })
    }

    fn pass(&self, time: Duration) {
        self.now.send_modify(|now| *now += time);
    }

    /// To what is awaited next, or on a little if nothing is.
    fn pass_to_next(&self, little: Duration) {
        let now = self.now();
        let awaited = self.awaited.lock().unwrap();
        let next = awaited.keys().find(|at| **at > now).copied();
        drop(awaited);
        self.now.send_replace(next.unwrap_or(now + little));
    }
}

/// Counts who waits for a moment.
struct Awaited<'a>(&'a HandClock, Duration);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let mut awaited = self.0.awaited.lock().unwrap();
        let count = awaited.get_mut(&self.1).unwrap();
        *count -= 1;
        if *count == 0 {
            awaited.remove(&self.1);
        }
    }
}

impl Clock for HandClock {
    fn now(&self) -> Duration {
        *self.now.borrow()
    }

    fn unix_ms(&self) -> u64 {
        NOON * 1000 + u64::try_from(self.now().as_millis()).unwrap()
    }

    fn reach(&self, at: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            *self.awaited.lock().unwrap().entry(at).or_default() += 1;
            let _awaited = Awaited(self, at);
            let mut now = self.now.subscribe();
            let _ = now.wait_for(|now| *now >= at).await;
        })
    }
}

/// Projects by their server's address, all with the keys of one file.
struct Addresses {
    urls: BTreeMap<String, String>,
    keeper: Arc<Keeper>,
    skew: Arc<Skew>,
}

impl Directory for Addresses {
    fn route(&self, destination: &Destination) -> Result<Way, Unroutable> {
        let url = self.urls.get(&destination.project);
        let url = url.ok_or_else(|| Unroutable("no endpoint".to_owned()))?;
        Ok(Way {
            endpoint: Endpoint::new(url, None).unwrap(),
            scheme: Scheme::of_region(Some("cn-hangzhou")),
            keeper: Arc::clone(&self.keeper),
            skew: Arc::clone(&self.skew),
        })
    }

    fn fields(&self, _flow_log: &str) -> Arc<FieldChoice> {
        Arc::default()
    }
}

/// A journal and a sender in a directory of their own.
struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<HandClock>,
    journal: Arc<Journal>,
    keeper: Arc<Keeper>,
    urls: BTreeMap<String, String>,
    settings: SenderSettings,
    sender: Option<Sender>,
}

const ID: DestinationId = DestinationId(0);

impl Bench {
    /// Nothing runs yet; `flow-proj` is at the server.
    fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        write_keys(&folder, "LTAIfake");
        let environment = Environment {
            variables: BTreeMap::new(),
            home: None,
            metadata: "http://127.0.0.1:1".to_owned(),
            sts: None,
        };
        let chain = Chain::only(Origin::File(keys));
        let keeper = Keeper::new(chain, environment, Fetcher::new(&hasty()).unwrap());
        let settings = SenderSettings {
            transport: hasty(),
            source: "192.0.2.1".to_owned(),
            ..SenderSettings::new(folder.path())
        };
        let journal = open(&folder);
        let bench = Self {
            folder,
            clock: HandClock::new(),
            journal: Arc::new(journal),
            keeper: Arc::new(keeper),
            urls: BTreeMap::new(),
            settings,
            sender: None,
        };
        bench.with_project("flow-proj", &server.url())
    }

    fn with_project(mut self, project: &str, url: &str) -> Self {
        self.urls.insert(project.to_owned(), url.to_owned());
        self
    }

    fn addresses(&self) -> Arc<Addresses> {
        Arc::new(Addresses {
            urls: self.urls.clone(),
            keeper: Arc::clone(&self.keeper),
            skew: Arc::default(),
        })
    }

    /// Starts a sender, which finds what the journal holds.
    fn start(&mut self) {
        let sender = Sender::start_by(
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            &Handle::current(),
            Arc::clone(&self.journal),
            self.settings.clone(),
            self.addresses(),
        );
        self.sender = Some(sender.unwrap());
    }

    fn sender(&self) -> &Sender {
        self.sender.as_ref().unwrap()
    }

    /// Ends sender and journal without a word, and opens the journal again.
    async fn crash(&mut self) {
        self.sender = None;
        // Tasks that end give their journal back.
        while Arc::strong_count(&self.journal) > 1 {
            tokio::task::yield_now().await;
        }
        self.reopen(journal::Settings::default().ranges_max);
    }

    /// Opens the journal anew, which remembers so many ranges.
    fn reopen(&mut self, ranges_max: usize) {
        // It can be opened once at a time.
        let other = tempfile::tempdir().unwrap();
        self.journal = Arc::new(open(&other));
        self.journal = Arc::new(open_with(&self.folder, ranges_max));
    }

    /// Journals rows as one frame, and makes them durable.
    fn append(&self, name: &str, rows: u32) -> u64 {
        let body = flow::to_ipc(&flows(rows)).unwrap();
        self.append_body(name, rows, Kind::Flows, body.into())
    }

    fn append_body(&self, name: &str, rows: u32, kind: Kind, body: Bytes) -> u64 {
        let destination = self.journal.destination(name).unwrap();
        let share = Share {
            destination,
            rows: 0..rows,
            amount: Amount {
                records: rows.into(),
                ..Amount::default()
            },
        };
        let now_ms = self.clock.unix_ms();
        let first = self.journal.append(kind, &[share], body, now_ms).unwrap();
        self.journal.commit().unwrap();
        if let Some(sender) = &self.sender {
            sender.attend(destination, name.parse().unwrap());
            sender.notify();
        }
        first
    }

    fn of(&self, id: DestinationId) -> DestinationStats {
        let mut stats = self.journal.stats(self.clock.unix_ms());
        stats.destinations.swap_remove(id.0 as usize)
    }

    fn outlet(&self, id: DestinationId) -> OutletStats {
        let stats = self.sender().stats().into_iter();
        let mut of = stats.filter(|(other, ..)| *other == id);
        of.next().unwrap().2
    }

    /// Records of a destination that the journal keeps.
    fn pending(&self, id: DestinationId) -> u64 {
        self.of(id).amounts.pending.records
    }

    /// Lets things happen, and time pass while nothing does, until it is so.
    #[track_caller]
    fn until<'a>(&'a self, what: impl Fn(&Self) -> bool + 'a) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let mut quiet = 0;
            let mut before = None;
            for _ in 0..20_000 {
                if what(self) {
                    return;
                }
                self.happen().await;
                let now = self
                    .sender
                    .as_ref()
                    .map(|sender| (sender.stats(), sender.memory()));
                quiet = if now == before { quiet + 1 } else { 0 };
                before = now;
                let outlets = before.iter().flat_map(|(stats, _)| stats);
                let in_flight: u32 = outlets.map(|(.., stats)| stats.in_flight).sum();
                if in_flight == 0 && quiet > 3 {
                    quiet = 0;
                    self.clock.pass_to_next(Duration::from_secs(1));
                }
            }
            panic!("never, at {caller}: {:#?}", self.sender().stats());
        }
    }

    /// Lets happen what needs no time of our clock.
    async fn happen(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn until_delivered(&self) {
        self.until(|bench| {
            let stats = bench.journal.stats(0);
            let mut pending = stats.destinations.iter();
            pending.all(|destination| destination.amounts.pending == Amount::default())
        })
        .await;
    }

    fn letters(&self) -> Vec<DeadLetter> {
        let letters = DeadLetters::read(self.folder.path()).unwrap();
        letters.collect::<Result<_, _>>().unwrap()
    }
}

fn open(folder: &tempfile::TempDir) -> Journal {
    let defaults = journal::Settings::default();
    open_with(folder, defaults.ranges_max)
}

fn open_with(folder: &tempfile::TempDir, ranges_max: usize) -> Journal {
    let directory = folder.path().join("journal");
    std::fs::create_dir_all(&directory).unwrap();
    let settings = journal::Settings {
        quota_bytes: 256 << 20,
        ranges_max,
        ..journal::Settings::default()
    };
    Journal::open(settings, Disk::new(directory)).unwrap().0
}

fn write_keys(folder: &tempfile::TempDir, key_id: &str) {
    let keys = folder.path().join("keys");
    let text = format!("access-key-id = {key_id}\naccess-key-secret = fakeSecret\n");
    std::fs::write(keys, text).unwrap();
}

/// So many flows of two flow logs, by turns of three.
fn flows(rows: u32) -> arrow_array::RecordBatch {
    let numbers = 0..rows;
    let flow_log = |n: u32| Some(["branch", "campus"][n as usize / 3 % 2].to_owned());
    let end = |n: u32| Some(i64::try_from(NOON).unwrap() * 1000 + i64::from(n));
    let columns = vec![
        ("end", Data::Time(numbers.clone().map(end).collect())),
        (
            "bytes",
            Data::U64(numbers.clone().map(|n| Some(n.into())).collect()),
        ),
        ("flow-log", Data::Text(numbers.map(flow_log).collect())),
    ];
    batch(&columns, rows as usize)
}

/// The log group of a PutLogs as it came.
fn group(seen: &Seen) -> LogGroup {
    let compression = seen.header("x-log-compresstype").unwrap_or_default();
    let compression = Compression::from_name(compression).unwrap();
    let raw_bytes = seen.header("x-log-bodyrawsize").unwrap().parse().unwrap();
    let raw = decompress(compression, &seen.body, raw_bytes, 10 << 20).unwrap();
    LogGroup::decode(raw.as_slice()).unwrap()
}

/// The numbers of the rows of a PutLogs.
fn seqs(seen: &Seen) -> Vec<u64> {
    let logs = group(seen).logs.into_iter();
    let id = |log: crate::sink::sls::proto::Log| {
        let content = log.contents.last().cloned().unwrap();
        let text = String::from_utf8(content.value.to_vec()).unwrap();
        text.split_once('-').unwrap().1.parse().unwrap()
    };
    logs.map(id).collect()
}

/// The numbers of all rows that came, sorted.
fn all_seqs(seen: &[Seen]) -> Vec<u64> {
    let mut all: Vec<_> = seen.iter().flat_map(seqs).collect();
    all.sort_unstable();
    all
}

/// When requests were signed, in seconds after the first.
fn times(seen: &[Seen]) -> Vec<i64> {
    let date = |seen: &Seen| {
        let text = seen.header("x-log-date").unwrap();
        let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).unwrap();
        time.to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap()
            .timestamp()
            .as_second()
    };
    let dates: Vec<_> = seen.iter().map(date).collect();
    dates.iter().map(|at| at - dates[0]).collect()
}

const FLOWS: &str = "sls/cn-hangzhou/-/flow-proj/flows";

#[tokio::test]
async fn rows_of_the_journal_arrive_and_are_acknowledged() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.append(FLOWS, 10);
    bench.start();
    bench.until_delivered().await;
    // One request for each flow log, two seconds after its first row.
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seqs(&seen[0]), [1, 2, 3, 7, 8, 9]);
    assert_eq!(seqs(&seen[1]), [4, 5, 6, 10]);
    let topics = seen.iter().map(|seen| group(seen).topic.unwrap());
    assert_eq!(topics.collect::<Vec<_>>(), ["branch", "campus"]);
    assert_eq!(bench.of(ID).amounts.acked.records, 10);
    assert_eq!(bench.of(ID).low_water, 11);
    let stats = bench.outlet(ID);
    assert_eq!((stats.sent, stats.acked, stats.acked_rows), (2, 2, 10));
    assert_eq!(stats.verdicts, BTreeMap::from([("delivered", 2)]));
    assert_eq!((stats.retried, stats.split, stats.dead_lettered), (0, 0, 0));
    assert_eq!(stats.trouble, None);
    // What comes later comes too.
    bench.append(FLOWS, 3);
    bench.until_delivered().await;
    assert_eq!(all_seqs(&server.seen()), (1..=13).collect::<Vec<_>>());
    bench.until(|bench| bench.sender().memory().0 == 0).await;
}

#[tokio::test]
async fn a_stop_sends_what_is_collected() {
    let server = Server::new([]).await;
    let mut bench = Bench::new(&server);
    bench.append(FLOWS, 10);
    bench.start();
    // Collected, but not due yet.
    while bench.sender().memory().0 == 0 {
        bench.happen().await;
    }
    assert_eq!(server.seen().len(), 0);
    let sender = bench.sender.take().unwrap();
    sender.stop(Duration::from_secs(10)).await;
    assert_eq!(all_seqs(&server.seen()), (1..=10).collect::<Vec<_>>());
    assert_eq!(bench.pending(ID), 0);
}

#[tokio::test]
async fn a_stop_leaves_to_the_journal_what_is_not_taken_in_time() {
    let server = Server::new(vec![Step::refused(503, "ServerBusy", ""); 100]).await;
    let mut bench = Bench::new(&server);
    bench.append(FLOWS, 10);
    bench.start();
    while bench.sender().memory().0 == 0 {
        bench.happen().await;
    }
    let sender = bench.sender.take().unwrap();
    sender.stop(Duration::from_secs(10)).await;
    assert_eq!(bench.pending(ID), 10);
    assert!(server.seen().len() <= 2);
}
