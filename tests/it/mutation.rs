//! Datagrams of the vendor corpus, cut short and with lengths that lie, through sessions and flows as the daemon has them.
//!
//! Runs when `FLOWLOGD_CORPUS` names the corpus directory.

use std::collections::{BTreeSet, HashSet};
use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowlogd::flow::{FlowBatch, Nsel, NselSettings, Plan, PlanSettings, RecordFlags};
use flowlogd::session::{
    Arrival, Consumer, DataSet, Known, Limits, Peer, Scope, ScopeMode, Sessions,
};
use flowlogd::wire::TemplateKind;
use nix::time::{ClockId, clock_gettime};
use pcap_file::pcap::PcapReader;

/// What a datagram may cost on this machine's processor.
const TIME_MAX: Duration = Duration::from_millis(50);
/// Times a datagram that took longer is tried again.
const TRIES: usize = 3;
/// What all of them together may leave behind.
const MEMORY_MAX: u64 = 128 << 20;
/// Cases before sessions start anew: fewer malformed Messages than end in
/// quarantine, where nothing is decoded.
const CASES_PER_SESSION: usize = 24;
/// Set wherever a length could be.
const LENGTHS: [u16; 4] = [0, 1, 3, u16::MAX];
/// Octets of a capture up to which it is cut at every one; of larger captures
/// at a part of them, evenly spread, a position further in each datagram.
const CUTS_MAX: usize = 12_000;
/// As `CUTS_MAX`, for lengths; those of Messages and Sets are always set.
const LENGTHS_MAX: usize = 4_000;

#[test]
fn no_mutation_of_the_corpus_costs_time_or_memory() {
    let Some(corpus) = env::var_os("FLOWLOGD_CORPUS").map(PathBuf::from) else {
        println!("skipped: FLOWLOGD_CORPUS is not set");
        return;
    };
    let began = Instant::now();
    let before = resident_bytes();
    let mut trial = Trial::default();
    let mut captures: Vec<PathBuf> = fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap"))
        .collect();
    captures.sort();
    for capture in &captures {
        trial.capture(&datagrams(capture));
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < MEMORY_MAX, "{}: {grown} octets", capture.display());
    }
    println!(
        "{} captures, {} datagrams: {} cuts and {} lengths, {} flows, {:?} at most, {} MiB more, {:?}",
        captures.len(),
        trial.datagrams,
        trial.cuts,
        trial.lengths,
        trial.flows,
        trial.slowest,
        resident_bytes().saturating_sub(before) >> 20,
        began.elapsed(),
    );
    assert!(trial.cuts > 100_000 && trial.flows > 100_000);
}

/// What was tried so far.
#[derive(Default)]
struct Trial {
    datagrams: usize,
    cuts: u64,
    lengths: u64,
    flows: u64,
    slowest: Duration,
}

impl Trial {
    /// Tries every mutation of every datagram of one capture.
    fn capture(&mut self, datagrams: &[Vec<u8>]) {
        let mut known: Vec<&Vec<u8>> = datagrams.iter().filter(|bytes| defines(bytes)).collect();
        // Most exporters repeat them word for word.
        let mut seen = HashSet::new();
        known.retain(|bytes| seen.insert(&bytes[HEADER..]));
        let octets: usize = datagrams.iter().map(Vec::len).sum();
        let (cut_step, length_step) = (octets.div_ceil(CUTS_MAX), octets.div_ceil(LENGTHS_MAX));
        for (index, datagram) in datagrams.iter().enumerate() {
            self.datagrams += 1;
            let cuts = spread(datagram.len(), cut_step, index).map(|at| datagram[..at].to_vec());
            self.cuts += self.cases(&known, cuts);
            let last = datagram.len().saturating_sub(1);
            let mut positions: BTreeSet<usize> = spread(last, length_step, index).collect();
            positions.extend(framing(datagram).filter(|at| *at < last));
            let lengths = positions.iter().flat_map(|&at| {
                LENGTHS.map(|length| {
                    let mut mutant = datagram.clone();
                    mutant[at..at + 2].copy_from_slice(&length.to_be_bytes());
                    mutant
                })
            });
            self.lengths += self.cases(&known, lengths);
        }
    }

    /// Takes mutants, each with all Templates of its capture known.
    fn cases(&mut self, known: &[&Vec<u8>], mutants: impl Iterator<Item = Vec<u8>>) -> u64 {
        let mut lane = Lane::new(known);
        let mut cases = 0;
        for mutant in mutants {
            if lane.taken >= CASES_PER_SESSION + known.len() {
                self.flows += lane.end();
                lane = Lane::new(known);
            }
            let mut cost = lane.take(mutant.clone());
            // Time that another guest of the machine stole counts as ours: what
            // a datagram costs it costs again.
            for _ in 0..TRIES {
                if cost > TIME_MAX {
                    cost = Lane::new(known).take(mutant.clone());
                }
            }
            assert!(cost <= TIME_MAX, "{cost:?}");
            self.slowest = self.slowest.max(cost);
            cases += 1;
        }
        self.flows += lane.end();
        cases
    }
}

/// Sessions, NSEL and a batch as in a lane of the daemon.
struct Lane {
    sessions: Sessions<Plan>,
    intake: Intake,
    taken: usize,
}

impl Lane {
    fn new(known: &[&Vec<u8>]) -> Self {
        let settings = PlanSettings::default();
        let mut lane = Self {
            sessions: Sessions::new(Limits::default(), ScopeMode::default(), settings),
            intake: Intake::default(),
            taken: 0,
        };
        for datagram in known {
            lane.take((*datagram).clone());
        }
        lane
    }

    /// Takes a datagram under the next sequence number, or it might pass for
    /// one that came before; returns its time on the processor.
    fn take(&mut self, mut datagram: Vec<u8>) -> Duration {
        self.taken += 1;
        let sequence = u32::try_from(self.taken).unwrap().to_be_bytes();
        let field = match datagram.get(1) {
            Some(5) => datagram.get_mut(16..20),
            Some(9) => datagram.get_mut(12..16),
            _ => datagram.get_mut(8..12),
        };
        if let Some(field) = field {
            field.copy_from_slice(&sequence);
        }
        let peer = Peer {
            exporter: IpAddr::from([192, 0, 2, 1]),
            port: 2055,
            local_port: 9995,
        };
        // A second each: no budget per second is used up.
        let seconds = u64::try_from(self.taken).unwrap();
        let arrival = Arrival {
            monotonic_ms: seconds * 1000,
            unix_ms: 1_790_000_000_000 + seconds * 1000,
        };
        let began = processor_time();
        self.sessions
            .datagram(&datagram, peer, arrival, &mut self.intake);
        processor_time() - began
    }

    /// Holds the sessions to their limits; returns the flows they gave.
    fn end(&self) -> u64 {
        let limits = Limits::default();
        let (_, definition_bytes) = self.sessions.templates_held();
        assert!(definition_bytes <= limits.session_definition_bytes_max);
        let stats = self.sessions.stats();
        let refused: u64 = stats.refused.iter().sum();
        assert_eq!(stats.datagrams, stats.decoded + refused);
        self.intake.flows
    }
}

/// The inner end of a lane, without routes and cache.
struct Intake {
    nsel: Nsel,
    batch: FlowBatch,
    flows: u64,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            nsel: Nsel::new(NselSettings::default()),
            batch: FlowBatch::default(),
            flows: 0,
        }
    }
}

impl Consumer<Plan> for Intake {
    fn data(&mut self, scope: &Scope<'_>, known: &Known<Plan>, set: DataSet<'_>) {
        if known.template.kind == TemplateKind::Options || known.plan.is_undirected() {
            return;
        }
        let Self { nsel, batch, flows } = self;
        let (template, plan) = (&known.template, &known.plan);
        let mut plain = Vec::new();
        for record in template.split(set.body) {
            plan.decode(scope, record.unwrap(), &mut |flow, detail| {
                plain.push((*flow, detail.cloned()));
            });
        }
        let mut plain = plain.into_iter();
        plan.decode_all(template, scope, set.body, &mut |flow, detail| {
            assert!(flow.start_ms <= flow.end_ms);
            // The quick way makes what the plain one does.
            assert_eq!(plain.next(), Some((*flow, detail.cloned())));
            let mut push = |flow: &_, detail: Option<&_>| {
                *flows += 1;
                batch.push(flow, detail, scope.exporter, scope.domain);
            };
            if flow.flags.contains(RecordFlags::NSEL) {
                nsel.settle(flow, detail, &mut push);
            } else {
                push(flow, detail);
            }
        });
        assert_eq!(plain.next(), None);
    }
}

/// Whether a datagram's first Set has Templates.
fn defines(datagram: &[u8]) -> bool {
    let first = |at: usize| {
        datagram
            .get(at..at + 2)
            .is_some_and(|id| id[0] == 0 && id[1] < 4)
    };
    match datagram.get(1) {
        Some(9) => first(20),
        Some(10) => first(16),
        _ => false,
    }
}

/// Octets of an IPFIX header; a v9 header is longer by its domain.
const HEADER: usize = 20;

/// Every `step`-th position below `end`, from one of its own for each datagram.
fn spread(end: usize, step: usize, index: usize) -> impl Iterator<Item = usize> {
    let step = step.max(1);
    (index % step..end).step_by(step)
}

/// Where a Message and its Sets have their lengths.
fn framing(datagram: &[u8]) -> impl Iterator<Item = usize> {
    let first = match datagram.get(1) {
        Some(10) => 16,
        _ => 20,
    };
    let sets = std::iter::successors(Some(first), |&set| {
        let length = datagram.get(set + 2..set + 4)?;
        Some(set + usize::from(u16::from_be_bytes([length[0], length[1]])).max(4))
    });
    std::iter::once(2).chain(sets.map(|set| set + 2))
}

/// The UDP payloads of a capture of Ethernet frames.
fn datagrams(capture: &Path) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(fs::File::open(capture).unwrap()).unwrap();
    let mut datagrams = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let frame = packet.unwrap().data.into_owned();
        let ip = &frame[14..];
        let header = match ip[0] >> 4 {
            4 => usize::from(ip[0] & 15) * 4,
            _ => 40,
        };
        let length = usize::from(u16::from_be_bytes([ip[header + 4], ip[header + 5]]));
        datagrams.push(ip[header + 8..header + length].to_vec());
    }
    datagrams
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
