//! flowlogd beside the collectors and parsers that a user would pick instead.
//!
//! One command, one run: the same load for everybody, sender on core 0 and
//! collector on core 1, each taking its turn in every round. CPU time is the
//! kernel's account of the whole process and its children, from ready to gone,
//! so that whatever is stored late is paid for; loss is what the stored packets
//! lack of those sent.
//!
//!     benches/peers/run --rounds 5 --markdown peers.md --svg peers.svg
//!
//! With `--line-rate` flows are made known first, then records come as fast as
//! they can be sent, and of flowlogd the threads are told apart that receive,
//! merge and age.
//!
//! It needs nfdump and pmacct (Debian), util-linux and two cores.

mod decoder;
mod flowlogd;
mod load;
mod nfacctd;
mod nfcapd;
mod picture;
mod process;
mod subject;
mod table;

use std::error::Error;
use std::path::PathBuf;

use load::{Load, VERSIONS};
use subject::{Bench, Subject};

/// Any failure; the bench ends with it.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the command line says.
struct Options {
    rounds: usize,
    records: u64,
    /// Records a second; none is as fast as they can be sent.
    rate: Option<u64>,
    flows: u64,
    /// Only lanes are measured, the flows being known.
    is_line_rate: bool,
    only: Option<String>,
    markdown: Option<PathBuf>,
    svg: Option<PathBuf>,
    flowlogd: PathBuf,
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, crate_name, file] = &words[..]
        && mode == "decode"
    {
        return decoder::decode(crate_name, file.as_ref());
    }
    let options = Options::read(&words)?;
    process::adopt_orphans()?;
    let bench = Bench::new(&options.flowlogd)?;
    let subjects = match options.is_line_rate {
        true => subject::at_line_rate(),
        false => subject::all(),
    };
    let (subjects, absent): (Vec<Subject>, Vec<Subject>) = subjects
        .into_iter()
        .partition(|subject| subject.is_there(&bench));
    for subject in &absent {
        eprintln!("left out, not there: {}", subject.name);
    }
    let mut rows = Vec::new();
    for round in 1..=options.rounds {
        for version in VERSIONS {
            for subject in subjects.iter().filter(|subject| options.wants(subject)) {
                if !subject.versions.contains(&version) {
                    continue;
                }
                let load = options.load(version);
                let measured = subject.measure(&bench, &load)?;
                eprintln!("round {round}, {version}, {}: {measured}", subject.name);
                table::note(&mut rows, version, subject, measured);
            }
        }
    }
    let columns = match options.is_line_rate {
        true => table::LINE_RATE,
        false => table::WHOLE,
    };
    let text = table::markdown(&rows, columns, &options.conditions(&bench), &subjects);
    println!("{text}");
    if let Some(path) = &options.markdown {
        std::fs::write(path, &text)?;
    }
    if let Some(path) = &options.svg {
        std::fs::write(path, picture::svg(&rows))?;
    }
    Ok(())
}

impl Options {
    fn read(words: &[String]) -> Outcome<Self> {
        let mut options = Self {
            rounds: 5,
            records: 2_000_000,
            // What nfacctd, the slowest, takes without loss: 480 000 on the machine of the targets.
            rate: Some(400_000),
            flows: 1_000_000,
            is_line_rate: false,
            only: None,
            markdown: None,
            svg: None,
            flowlogd: built(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--quick" {
                options.rounds = 1;
                options.records = 1_000_000;
                options.flows = 100_000;
                continue;
            }
            if word == "--line-rate" {
                options.is_line_rate = true;
                options.rate = None;
                options.records = 10_000_000;
                continue;
            }
            let value = words
                .next()
                .ok_or_else(|| format!("{word} takes a value"))?;
            match word.as_str() {
                "--rounds" => options.rounds = value.parse()?,
                "--records" => options.records = value.parse()?,
                "--rate" => options.rate = Some(value.parse()?),
                "--flows" => options.flows = value.parse()?,
                "--only" => options.only = Some(value.clone()),
                "--markdown" => options.markdown = Some(value.into()),
                "--svg" => options.svg = Some(value.into()),
                "--flowlogd" => options.flowlogd = value.into(),
                _ => return Err(format!("unknown: {word}").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, subject: &Subject) -> bool {
        let only = self.only.as_deref();
        only.is_none_or(|part| subject.name.contains(part))
    }

    fn load(&self, version: &'static str) -> Load {
        Load {
            version,
            records: self.records,
            rate: self.rate,
            flows: self.flows,
            is_known: self.is_line_rate,
        }
    }

    /// Under what conditions all was measured.
    fn conditions(&self, bench: &Bench) -> String {
        format!(
            "{}, {}, {}. Rounds: {}; in each turn {} records of {}{} flows, uniform, {}. Sender on core 0, collector on core 1. Receive buffers {} KiB for all{}.",
            process::said("date", &["-u", "+%F %H:%M UTC"]),
            process::machine(),
            process::said("nfcapd", &["-V"]),
            self.rounds,
            self.records,
            self.flows,
            if self.is_line_rate { " known" } else { "" },
            match self.rate {
                Some(rate) => format!("at {rate} records/s"),
                None => "as fast as they can be sent".to_owned(),
            },
            bench.buffer_bytes >> 10,
            if bench.buffer_bytes < subject::BUFFER_BYTES {
                ", which is net.core.rmem_max"
            } else {
                ""
            },
        )
    }
}

/// Where the script `run` has flowlogd built.
fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target =
        target.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../target").into());
    target.join("release/flowlogd")
}
