//! nfacctd, which prints what it counted to a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::told::Sent;
use crate::peers::{Ended, command, feed, is_bound, wait_for};
use crate::sender::V5Exporter;
use crate::support::free_port;

/// It prints what it counted once a second.
///
/// Its processes talk through ZeroMQ: by way of the memory they would share, the
/// one that prints takes the last flow of a datagram twice if the datagram comes
/// just as its timer wakes it. nfacctd 1.7.7: 6 of 133 datagrams sent at that time.
pub(super) struct Nfacctd {
    _child: Ended,
    port: u16,
    printed: PathBuf,
}

/// Hosts and ports, and when it began and ended, in ms since 1970.
type Key = (String, [u64; 2]);

/// Flows of one key, their packets and octets.
pub(super) type Counted = BTreeMap<Key, [u64; 3]>;

impl Nfacctd {
    /// Starts one, and waits until it listens; `more` are its other settings.
    pub(super) fn start(dir: &Path, more: &str) -> Self {
        fs::create_dir_all(dir).unwrap();
        let (port, printed) = (free_port(), dir.join("printed"));
        let log = dir.join("log");
        let config = dir.join("nfacctd.conf");
        let text = format!(
            "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: print\n\
             aggregate: src_host,dst_host,src_port,dst_port,timestamp_start,timestamp_end,flows\n\
             print_output: csv\nprint_output_file: {}\nprint_output_file_append: true\n\
             print_refresh_time: 1\nprint_markers: true\ntimestamps_since_epoch: true\n\
             nfacctd_pro_rating: false\nplugin_pipe_zmq: true\n\
             logfile: {}\n{more}",
            printed.display(),
            log.display()
        );
        fs::write(&config, text).unwrap();
        let child = command("nfacctd")
            .arg("-f")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("nfacctd to listen", || is_bound(port));
        // It loses what comes before the process that prints has begun.
        wait_for("nfacctd to have printed nothing", || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.contains("Purging cache - END")
        });
        Self {
            _child: Ended(child),
            port,
            printed,
        }
    }

    /// Sends it messages; what it counted of them.
    pub(super) fn count(self, messages: &[Vec<u8>]) -> Counted {
        feed(self.port, messages);
        // Flows of another exporter: when these are printed, all is.
        V5Exporter::new(1, self.port).send();
        let mut text = String::new();
        wait_for("nfacctd to print", || {
            text = fs::read_to_string(&self.printed).unwrap_or_default();
            text.split_once(LAST)
                .is_some_and(|(_, after)| after.contains("--END"))
        });
        let mut lines = text.lines().filter(|line| !line.starts_with("--"));
        let header: Vec<_> = lines.next().unwrap().split(',').collect();
        let place = |name: &str| header.iter().position(|known| *known == name).unwrap();
        let times = ["TIMESTAMP_START", "TIMESTAMP_END"].map(place);
        let counters = ["FLOWS", "PACKETS", "BYTES"].map(place);
        let mut counted = Counted::new();
        for line in lines.filter(|line| !line.contains(LAST)) {
            let values: Vec<_> = line.split(',').collect();
            let key = (
                values[..4].join(","),
                times.map(|place| milliseconds(values[place])),
            );
            let more = counters.map(|place| values[place].parse().unwrap());
            add(&mut counted, key, more);
        }
        counted
    }
}

/// What the flows of [`V5Exporter`] have in common, and no others.
const LAST: &str = ",192.0.2.1,1024,443,";

fn add(counted: &mut Counted, key: Key, more: [u64; 3]) {
    let counters = counted.entry(key).or_default();
    for (counter, more) in counters.iter_mut().zip(more) {
        *counter += more;
    }
}

/// Seconds with six places behind the point, as ms.
fn milliseconds(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap();
    whole.parse::<u64>().unwrap() * 1000 + part.parse::<u64>().unwrap() / 1000
}

/// What nfacctd is to make of flows.
///
/// Of times since boot, in v5 and v9, it takes whole seconds from the whole
/// seconds of the header, which v5 has milliseconds beside.
pub(super) fn expected(sent: &[Sent], version: &str) -> Counted {
    let mut counted = Counted::new();
    for Sent {
        flow, message_ms, ..
    } in sent
    {
        let time = |ms: u64| match version {
            "v10" => ms,
            _ => (message_ms / 1000 - message_ms.saturating_sub(ms) / 1000) * 1000,
        };
        let ([src, dst], [src_port, dst_port]) = (flow.hosts, flow.ports);
        let key = (
            format!("{src},{dst},{src_port},{dst_port}"),
            flow.times.map(time),
        );
        add(&mut counted, key, [1, flow.packets, flow.octets]);
    }
    counted
}
