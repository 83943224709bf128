//! Who is measured, and what for.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::decoder::Decoder;
use crate::flowlogd::Flowlogd;
use crate::load::{Load, VERSIONS};
use crate::nfacctd::Nfacctd;
use crate::nfcapd::Nfcapd;

/// Receive buffer that everybody is to have, unless the kernel grants less.
pub const BUFFER_BYTES: u64 = 64 << 20;

/// What all turns have in common.
pub struct Bench {
    pub flowlogd: PathBuf,
    /// Emptied before each turn.
    pub dir: PathBuf,
    /// Receive buffer that everybody asks for and gets.
    pub buffer_bytes: u64,
}

impl Bench {
    pub fn new(flowlogd: &Path) -> Outcome<Self> {
        let granted = fs::read_to_string("/proc/sys/net/core/rmem_max")?;
        let granted: u64 = granted.trim().parse()?;
        let flowlogd = fs::canonicalize(flowlogd)
            .map_err(|error| format!("{}: {error}", flowlogd.display()))?;
        Ok(Self {
            flowlogd,
            dir: std::env::temp_dir().join(format!("peers-{}", std::process::id())),
            buffer_bytes: granted.min(BUFFER_BYTES),
        })
    }

    /// The directory, with nothing in it.
    pub fn clean_dir(&self) -> Outcome<&Path> {
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir)?;
        }
        fs::create_dir_all(&self.dir)?;
        Ok(&self.dir)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _was_never_made = fs::remove_dir_all(&self.dir);
    }
}

/// What one turn gave.
#[derive(Clone, Copy)]
pub struct Measured {
    /// CPU seconds per million records that were not lost, until all is stored and the process gone.
    pub cpu: f64,
    /// The same until all is received: what is aggregated is still in memory.
    pub receiving: Option<f64>,
    /// Of that the threads that receive, where that is not all.
    pub lanes: Option<f64>,
    /// Share of the packets that were sent and not stored, if any were to be.
    pub loss: Option<f64>,
    /// Rows stored for each record.
    pub rows: Option<f64>,
    /// Octets on disk for each record.
    pub bytes: Option<f64>,
    /// Octets resident at most.
    pub resident: Option<u64>,
}

impl Measured {
    /// CPU seconds of what receives, per million records: of the lanes, or of
    /// all where there are none.
    pub fn in_lanes(&self) -> Option<f64> {
        self.lanes.or(self.receiving)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.3} CPU-s/M", self.cpu)?;
        if let Some(receiving) = self.receiving {
            write!(out, ", {receiving:.3} until received")?;
        }
        if let Some(lanes) = self.lanes {
            write!(out, ", {lanes:.3} in lanes")?;
        }
        if let Some(loss) = self.loss {
            write!(out, ", loss {:.3} %", loss * 100.0)?;
        }
        if let Some(bytes) = self.bytes {
            write!(out, ", {bytes:.1} B/record")?;
        }
        if let Some(rows) = self.rows {
            write!(out, ", {rows:.3} rows/record")?;
        }
        if let Some(resident) = self.resident {
            write!(out, ", {} MiB", resident >> 20)?;
        }
        Ok(())
    }
}

/// One way to take a load.
pub trait Taker {
    /// Whether it can be measured here.
    fn is_there(&self, bench: &Bench) -> bool;

    /// Gives it the load and takes its measure.
    fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured>;
}

/// A row of the table.
pub struct Subject {
    pub name: &'static str,
    /// What it did and did not do.
    pub does: &'static str,
    pub versions: &'static [&'static str],
    taker: Box<dyn Taker>,
}

impl Subject {
    fn new(name: &'static str, taker: impl Taker + 'static, does: &'static str) -> Self {
        Self {
            name,
            does,
            versions: &VERSIONS,
            taker: Box::new(taker),
        }
    }

    pub fn is_there(&self, bench: &Bench) -> bool {
        self.taker.is_there(bench)
    }

    pub fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured> {
        self.taker
            .measure(bench, load)
            .map_err(|error| format!("{}: {error}", self.name).into())
    }
}

/// The row that the first ratio is taken to.
pub const PLAIN: &str = "nfcapd";
/// The row that the second ratio is taken to.
pub const COMPRESSED: &str = "nfcapd -y";
/// The row of what only receives.
const IGNORING: &str = "flowlogd, all ignored";

/// Everybody, in the order of the table.
pub fn all() -> Vec<Subject> {
    vec![
        Subject::new(
            PLAIN,
            Nfcapd { more: &[] },
            "decodes, and writes every record uncompressed; no aggregation",
        ),
        Subject::new(
            COMPRESSED,
            Nfcapd { more: &["-y"] },
            "the same, compressed with LZ4",
        ),
        Subject::new(
            "nfacctd",
            Nfacctd::Keeps,
            "aggregates by 5-tuple in memory (plugin `memory`, two processes); stores nothing",
        ),
        Subject::new(
            "nfacctd, print",
            Nfacctd::Writes,
            "aggregates by 5-tuple, and writes that as CSV at the end of the turn (plugin `print`, \
             two processes, its cache as large as the manual says for a million flows)",
        ),
        Subject::new(
            "flowlogd",
            Flowlogd::with(Some("")),
            "aggregates by its whole flow key, ages, and stores what is left through its journal \
             as Parquet (zstd); all flows leave the cache at the end of the turn",
        ),
        Subject::new(
            "flowlogd, cache off, zstd",
            Flowlogd::with(Some("cache = \"off\"\n")),
            "stores every record through its journal as Parquet (zstd); no aggregation",
        ),
        Subject::new(
            "flowlogd, cache off, lz4",
            Flowlogd::with(Some(
                "cache = \"off\"\n[logstore]\ncompression = \"lz4_raw\"\n",
            )),
            "the same, as Parquet (lz4_raw)",
        ),
        Subject::new(
            IGNORING,
            Flowlogd::with(None),
            "receives, decodes and counts; the configuration ignores every exporter",
        ),
        Subject::new(
            "netflow_parser 1.0.6",
            Decoder("netflow_parser"),
            "a library: decodes datagrams from memory, nothing else",
        ),
        Subject {
            versions: &["v9", "ipfix"],
            ..Subject::new(
                "netgauze-flow-pkt 0.13",
                Decoder("netgauze"),
                "a library: decodes datagrams from memory, nothing else; has no v5",
            )
        },
    ]
}

/// Those that take as many records as can be sent, flows being known.
pub fn at_line_rate() -> Vec<Subject> {
    // Room for all flows: none is to leave before its time.
    const ROOMY: Option<&str> = Some("[cache]\nmax-flows = 2000000\n");
    let huge_pages = Flowlogd {
        flow_log: ROOMY,
        has_huge_pages: true,
    };
    let mut subjects = all();
    subjects.retain(|subject| [PLAIN, COMPRESSED, IGNORING].contains(&subject.name));
    subjects.extend([
        Subject::new(
            "flowlogd",
            Flowlogd::with(ROOMY),
            "aggregates by its whole flow key and ages",
        ),
        Subject::new(
            "flowlogd, huge pages",
            huge_pages,
            "the same, with the C library asking for huge pages",
        ),
    ]);
    subjects
}

/// Octets of all files below a directory.
pub fn disk_bytes(dir: &Path) -> Outcome<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        sum += if kind.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            kind.len()
        };
    }
    Ok(sum)
}

/// CPU seconds for a million of so many records.
pub fn per_million(cpu: f64, records: f64) -> f64 {
    cpu / records * 1e6
}
