//! A collector as a process: where it runs, what it takes, how it ends.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::Outcome;

/// The generator's core, as taskset has it.
pub const SENDER_CORE: &str = "0";
/// The core of whatever is measured.
pub const COLLECTOR_CORE: &str = "1";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Has the children of a collector that leaves them behind become ours, so that
/// what they took is in our account.
pub fn adopt_orphans() -> Outcome<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// A command on the collector's core.
pub fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", COLLECTOR_CORE]).arg(program);
    command
}

/// A process and its children, a group of its own; ended when dropped.
pub struct Group {
    child: Child,
    /// CPU seconds when it was ready, of all and of its lanes.
    ready_cpu: f64,
    ready_lanes: f64,
    is_gone: bool,
}

/// What a group took.
pub struct Taken {
    /// CPU seconds from ready to gone, of user and system.
    pub cpu: f64,
    /// The part of threads that are called lanes, as long as they run.
    pub lanes: f64,
    /// Octets that were resident at most, of all its processes.
    pub resident: u64,
}

impl Group {
    /// Starts it, and waits until it listens on this UDP port.
    pub fn start(mut command: Command, log: &Path, port: u16) -> Outcome<Self> {
        let log = fs::File::create(log)?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut group = Self {
            child,
            ready_cpu: 0.0,
            ready_lanes: 0.0,
            is_gone: false,
        };
        wait_for("a collector to listen", || is_bound(port))?;
        group.ready();
        Ok(group)
    }

    /// What it takes counts from now on.
    pub fn ready(&mut self) {
        self.ready_cpu = self.cpu();
        self.ready_lanes = self.lanes_cpu();
    }

    /// Waits until everything sent was received and it does nothing more.
    pub fn settle(&self, port: u16) -> Outcome<()> {
        let mut before = self.cpu();
        wait_for("a collector to come to rest", || {
            sleep(REST);
            let now = self.cpu();
            let is_resting = now - before < REST.as_secs_f64() / 10.0;
            before = now;
            is_resting && queued(port) == 0
        })
    }

    /// What it has taken until now, from /proc, in ticks of 10 ms.
    pub fn taken(&self) -> Taken {
        Taken {
            cpu: self.cpu() - self.ready_cpu,
            lanes: self.lanes_cpu() - self.ready_lanes,
            resident: self.resident(),
        }
    }

    /// Ends it by a signal, and waits for all of it.
    pub fn end(mut self, signal: Signal) -> Outcome<Taken> {
        let before = children_cpu()?;
        let mut resident = self.resident();
        signal::kill(self.leader(), signal)?;
        wait_for("a collector to end", || {
            resident = resident.max(self.resident());
            sleep(Duration::from_millis(5));
            matches!(self.child.try_wait(), Ok(Some(_)))
        })?;
        self.is_gone = true;
        self.reap();
        Ok(Taken {
            cpu: children_cpu()? - before - self.ready_cpu,
            lanes: 0.0,
            resident,
        })
    }

    /// Ends and waits for what its leader left behind.
    fn reap(&self) {
        let group = Pid::from_raw(-self.leader().as_raw());
        let mut waited = 0;
        loop {
            match waitpid(group, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if waited == 200 => {
                    // It had two seconds to end by itself.
                    let _ended_meanwhile = signal::kill(group, Signal::SIGKILL);
                    waited += 1;
                }
                Ok(WaitStatus::StillAlive) => {
                    waited += 1;
                    sleep(Duration::from_millis(10));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn leader(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }

    /// CPU seconds of all its processes, and of those that they waited for.
    fn cpu(&self) -> f64 {
        let ticks = |stat: &Vec<String>| -> f64 {
            let times = stat.iter().skip(11).take(4);
            times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
        };
        self.stats()
            .iter()
            .map(|(_, stat)| ticks(stat))
            .sum::<f64>()
            / TICKS_PER_SEC
    }

    /// CPU seconds of the leader's threads that are called lanes.
    fn lanes_cpu(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let nanoseconds = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let run = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let run: f64 = run.split_whitespace().next()?.parse().ok()?;
            name.starts_with("lane-").then_some(run)
        });
        nanoseconds.sum::<f64>() / 1e9
    }

    fn resident(&self) -> u64 {
        let peak = |id: &str| -> Option<u64> {
            let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
            let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kib << 10)
        };
        self.stats().iter().filter_map(|(id, _)| peak(id)).sum()
    }

    /// Ids of its processes, and their /proc/PID/stat after the name.
    fn stats(&self) -> Vec<(String, Vec<String>)> {
        let group = self.child.id().to_string();
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = entries.filter_map(|entry| {
            let id = entry.file_name().into_string().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
            (words.get(2)? == &group).then_some((id, words))
        });
        stats.collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_gone {
            let group = Pid::from_raw(-self.leader().as_raw());
            let _ended_before = signal::kill(group, Signal::SIGKILL);
            let _reaped_before = self.child.wait();
            self.reap();
        }
    }
}

/// CPU seconds of all processes that were waited for.
fn children_cpu() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let times = [usage.user_time(), usage.system_time()];
    Ok(times
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum())
}

/// CPU seconds of this process.
pub fn own_cpu() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let times = [usage.user_time(), usage.system_time()];
    Ok(times
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum())
}

/// Waits until a condition holds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return Err(format!("waited {PATIENCE:?} for {what}").into());
        }
        sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// A UDP port nobody uses just now.
pub fn free_port() -> Outcome<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    Ok(socket.local_addr()?.port())
}

fn is_bound(port: u16) -> bool {
    !sockets(port).is_empty()
}

/// Octets that wait in the sockets of a port.
fn queued(port: u16) -> u64 {
    let queued = |line: &String| {
        let (_, queue) = line.split_whitespace().nth(4)?.split_once(':')?;
        u64::from_str_radix(queue, 16).ok()
    };
    sockets(port).iter().filter_map(queued).sum()
}

/// Lines of /proc/net/udp with this local port.
fn sockets(port: u16) -> Vec<String> {
    let port = format!(":{port:04X}");
    let files = ["/proc/net/udp", "/proc/net/udp6"].map(fs::read_to_string);
    let lines = files.iter().flatten().flat_map(|text| text.lines());
    let is_of = |line: &&str| {
        let local = line.split_whitespace().nth(1);
        local.is_some_and(|local| local.ends_with(&port))
    };
    lines.filter(is_of).map(str::to_owned).collect()
}

/// The first line that a program says.
pub fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or(program).trim().to_owned()
}

/// What /proc/cpuinfo calls the processor.
pub fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut names = text.lines().filter(|line| line.starts_with("model name"));
    let name = names.next().and_then(|line| line.split_once(": "));
    let cores = 1 + names.count();
    format!(
        "{} ({cores} cores)",
        name.map_or("machine", |(_, name)| name)
    )
}

/// As long as nothing happens, it is at rest.
const REST: Duration = Duration::from_millis(200);
/// USER_HZ of every Linux there is.
const TICKS_PER_SEC: f64 = 100.0;
