//! nfcapd, of nfdump: files of every record.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::load::Load;
use crate::process::{Group, free_port, pinned};
use crate::subject::{Bench, Measured, Taker, disk_bytes, per_million};

pub struct Nfcapd {
    /// Further words of its command line.
    pub more: &'static [&'static str],
}

impl Taker for Nfcapd {
    fn is_there(&self, _bench: &Bench) -> bool {
        Command::new("nfcapd").arg("-V").output().is_ok()
    }

    fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured> {
        let dir = bench.clean_dir()?;
        let files = dir.join("files");
        std::fs::create_dir(&files)?;
        let port = free_port()?;
        let mut command = pinned("nfcapd");
        command
            .args(["-b", "127.0.0.1", "-t", "3600", "-w"])
            .arg(&files);
        command.args([
            "-p",
            &port.to_string(),
            "-B",
            &bench.buffer_bytes.to_string(),
        ]);
        command.args(self.more);
        let mut group = Group::start(command, &dir.join("log"), port)?;
        let sent = load.feed(&bench.flowlogd, &mut group, port)?;
        let receiving = group.taken();
        let taken = group.end(Signal::SIGTERM)?;

        let summary = Command::new("nfdump")
            .arg("-R")
            .arg(&files)
            .arg("-I")
            .output()?;
        let summary = String::from_utf8(summary.stdout)?;
        let sum = |name: &str| -> Outcome<u64> {
            let mut lines = summary.lines().filter_map(|line| line.split_once(": "));
            let (_, value) = lines
                .find(|(it, _)| *it == name)
                .ok_or("nfdump told no sum")?;
            Ok(value.trim().parse()?)
        };
        let packets = sum("Packets")?;
        let records = sent.taken(packets);
        Ok(Measured {
            cpu: per_million(taken.cpu, records),
            receiving: Some(per_million(receiving.cpu, records)),
            lanes: None,
            loss: Some(sent.loss(packets)),
            rows: Some(sum("Flows")? as f64 / records),
            bytes: Some(disk_bytes(&files)? as f64 / records),
            resident: Some(taken.resident),
        })
    }
}
