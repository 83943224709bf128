//! A lane that the bench feeds, and load to feed it.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use flowlogd::cache::Cache;
use flowlogd::cache::Settings;
use flowlogd::cli::generate::Load;
use flowlogd::cli::generate::LoadSettings;
use flowlogd::config::Config;
use flowlogd::flow::Amount;
use flowlogd::flow::PlanSettings;
use flowlogd::flowlog::RoutingTable;
use flowlogd::lane::Cell;
use flowlogd::lane::HandOver;
use flowlogd::lane::Lane;
use flowlogd::lane::Parcel;
use flowlogd::lane::Parts;
use flowlogd::lane::SamplingPolicies;
use flowlogd::lane::Vicinity;
use flowlogd::listen::Own;
use flowlogd::session::Arrival;
use flowlogd::session::Limits;
use flowlogd::session::Peer;
use flowlogd::session::SamplingPolicy;
use flowlogd::session::ScopeMode;
use flowlogd::session::Sessions;

/// When it begins, ms since 1970.
pub(crate) const BEGIN_MS: u64 = 1_700_000_000_000;

/// Datagrams of a round: the socket's batch.
const BATCH: usize = 64;

/// A lane and the exporters that send to it.
///
/// Each exporter has a domain of its own, and so a Template.
pub(crate) struct Rig {
    pub(crate) lane: Lane,
    pub(crate) exit: Arc<Exit>,
    load: Load,
    settings: LoadSettings,
    /// Addresses that exporters have by turns: an address each, or fewer.
    pub(crate) hosts: u32,
    /// A round of datagrams, each with its exporter.
    datagrams: Vec<(u32, Vec<u8>)>,
    pub(crate) now: Arrival,
}

/// Takes what the lane hands over.
#[derive(Debug, Default)]
pub(crate) struct Exit {
    /// Records and rows taken.
    pub(crate) taken: Mutex<(u64, usize)>,
    /// What is to become of a batch.
    pub(crate) on_batch: Option<fn(Parcel)>,
}

impl HandOver for Exit {
    fn offer(&self, parcel: Parcel, publish: &mut dyn FnMut()) -> Result<(), Box<Parcel>> {
        publish();
        let mut taken = self.taken.lock().unwrap();
        taken.0 += parcel.amount.records;
        taken.1 += parcel.batch.len();
        if let Some(on_batch) = self.on_batch {
            on_batch(parcel);
        }
        Ok(())
    }

    fn lost(&self, _exporters: &[(IpAddr, Amount)]) {}
}

impl Rig {
    pub(crate) fn new(settings: LoadSettings, max_flows: usize, exit: Exit) -> Self {
        let own = Arc::new(Own::new(Vec::new()));
        let exit = Arc::new(exit);
        let limits = Limits {
            sessions_max: 1 << 17,
            sessions_per_second: u32::MAX,
            probation_max: 1 << 17,
            sources_max: 1 << 17,
            domains_max: 1 << 17,
            definition_bytes_max: 1 << 30,
            ..Limits::default()
        };
        let lane = Lane::new(Parts {
            sessions: Sessions::new(limits, ScopeMode::default(), PlanSettings::default()),
            sampling: SamplingPolicies::new(Vec::new(), SamplingPolicy::default()),
            cache: Cache::new(Settings {
                max_flows,
                ..Settings::default()
            }),
            max_flows,
            table: table(""),
            exit: Arc::clone(&exit) as Arc<dyn HandOver>,
            cell: Arc::new(Cell::new()),
            vicinity: (Arc::new(Vicinity::new(own, 1, Duration::from_secs(600))), 0),
        });
        Self {
            lane,
            exit,
            load: Load::new(settings, BEGIN_MS).unwrap(),
            hosts: settings.exporters,
            settings,
            datagrams: vec![(0, Vec::new()); BATCH],
            now: Arrival {
                monotonic_ms: 1_000_000,
                unix_ms: BEGIN_MS,
            },
        }
    }

    /// Makes the next round of datagrams; the records in it.
    pub(crate) fn fill(&mut self) -> u64 {
        // A million records a second, as the clocks of both sides have it.
        self.now.monotonic_ms += 2;
        self.now.unix_ms += 2;
        let mut records = 0;
        for (exporter, datagram) in &mut self.datagrams {
            let filled = self.load.fill(self.now.unix_ms, datagram);
            *exporter = filled.exporter;
            records += u64::from(filled.records);
        }
        records
    }

    /// Has the lane take the round, and do what is due then.
    pub(crate) fn take(&mut self) {
        for (exporter, datagram) in &self.datagrams {
            let address = Ipv4Addr::from_bits(0x0a00_0001 + exporter % self.hosts);
            let peer = Peer {
                exporter: IpAddr::V4(address),
                port: 2055,
                local_port: 9995,
            };
            self.lane.datagram(datagram, peer, self.now);
        }
        self.lane.turn(self.now);
    }

    /// Fills the cache and has exporters and Templates known: each exporter is
    /// past its probation.
    pub(crate) fn warm_up(&mut self) {
        let of_each = 4 * u64::from(self.settings.records_max());
        let of_all = of_each * u64::from(self.settings.exporters);
        let mut left = of_all.max(3 * u64::from(self.settings.flows).max(100_000));
        while left > 0 {
            left = left.saturating_sub(self.fill());
            self.take();
        }
    }
}

/// One flow log for everybody, with these settings; the others are as they are
/// if nobody says any.
pub(crate) fn table(settings: &str) -> Arc<RoutingTable> {
    let text = format!(
        "
        [[flow-log]]
        name = \"all\"
        project = \"flows\"
        logstore = \"all\"
        {settings}
        [default-flow-log]
        name = \"all\"
        "
    );
    let config = Config::parse(&text, "bench").unwrap();
    Arc::new(RoutingTable::compile(&config.definition, None).unwrap())
}

/// Load of one version, of so many flows of so many exporters.
pub(crate) fn load(version: flowlogd::wire::Version, flows: u32, exporters: u32) -> LoadSettings {
    LoadSettings {
        version,
        flows,
        exporters,
        burst: NonZeroU32::MIN,
        ..LoadSettings::default()
    }
}
