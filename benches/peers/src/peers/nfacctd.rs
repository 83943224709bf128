//! nfacctd, of pmacct: counters by 5-tuple in the memory of a second process.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::load::Load;
use crate::process::{Group, free_port, pinned, wait_for};
use crate::subject::{Bench, Measured, Taker, per_million};

pub struct Nfacctd;

impl Taker for Nfacctd {
    fn is_there(&self, _bench: &Bench) -> bool {
        Command::new("nfacctd").arg("-V").output().is_ok()
    }

    fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Measured> {
        let dir = bench.clean_dir()?;
        let (config, pipe) = (dir.join("nfacctd.conf"), dir.join("pipe"));
        let port = free_port()?;
        fs::write(
            &config,
            format!(
                "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\n\
                 nfacctd_pipe_size: {}\nplugins: memory\nimt_path: {}\n\
                 aggregate: src_host,dst_host,src_port,dst_port,proto\n\
                 imt_buckets: {BUCKETS}\nimt_mem_pools_number: 0\n\
                 imt_mem_pools_size: {POOL_BYTES}\n\
                 plugin_pipe_size: 67108864\nplugin_buffer_size: {PLUGIN_BYTES}\n",
                bench.buffer_bytes,
                pipe.display(),
            ),
        )?;
        let mut command = pinned("nfacctd");
        command.arg("-f").arg(&config);
        let mut group = Group::start(command, &dir.join("log"), port)?;
        wait_for("the memory plugin", || pipe.exists())?;
        group.settle(port)?;
        group.ready();
        let sent = load.send(&bench.flowlogd, port)?;
        group.settle(port)?;
        // Before the question for its table, which is not of the load.
        let taken = group.taken();
        let mut client = Command::new("pmacct");
        client.args(["-s", "-O", "csv", "-p"]).arg(&pipe);
        let table = String::from_utf8(client.output()?.stdout)?;
        group.end(Signal::SIGINT)?;

        let mut lines = table.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let place = names.iter().position(|name| *name == "PACKETS");
        let place = place.ok_or("pmacct told no packets")?;
        let (mut rows, mut packets) = (0_u64, 0_u64);
        for line in lines {
            if let Some(value) = line.split(',').nth(place) {
                rows += 1;
                packets += value.trim().parse::<u64>()?;
            }
        }
        let cpu = per_million(taken.cpu, sent.taken(packets));
        Ok(Measured {
            cpu,
            receiving: Some(cpu),
            loss: Some(sent.loss(packets)),
            rows: Some(rows as f64 / sent.taken(packets)),
            bytes: None,
            resident: Some(taken.resident),
        })
    }
}

/// Octets that go from process to process at once. What has not filled them yet,
/// some hundred records, is not in the table and counts as lost.
const PLUGIN_BYTES: u32 = 16 << 10;
/// A prime, as its manual has it, for a million flows.
const BUCKETS: u32 = 1_000_003;
/// So that memory is taken in few pieces.
const POOL_BYTES: u32 = 1 << 20;
