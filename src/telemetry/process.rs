//! What the kernel says of this process, under Prometheus' customary names.
//!
//! Rendered here rather than through the recorder, which has no counter of
//! fractions. Everything is read from `/proc/self` or asked by system call, so
//! that `ProcSubset=pid` of systemd hides nothing; what cannot be read is left
//! out.

use std::fs;

use nix::sys::resource::Resource;
use nix::sys::resource::UsageWho;
use nix::sys::resource::getrlimit;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike as _;

use super::family::Family;
use super::family::Kind;
use super::family::Text;

/// The `process_*` metrics in Prometheus' text form.
pub(super) fn render(started_unix_ms: u64) -> String {
    let mut text = Text::default();
    if let Some(seconds) = cpu_seconds() {
        text.single(&CPU, seconds);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (family, key, unit) in [
        (&RESIDENT, "VmRSS:", 1_024),
        (&VIRTUAL, "VmSize:", 1_024),
        (&THREADS, "Threads:", 1),
    ] {
        if let Some(value) = field(&status, key) {
            text.single(family, value * unit);
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The one that reads the directory is not ours for long.
        text.single(&OPEN_FILES, files.count().saturating_sub(1));
    }
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        text.single(&FILES_MAX, soft);
    }
    text.single(&STARTED, seconds(started_unix_ms));
    text.into_string()
}

/// Time this process ran on a processor.
fn cpu_seconds() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let milliseconds = (usage.user_time() + usage.system_time()).num_milliseconds();
    Some(seconds(u64::try_from(milliseconds).ok()?))
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}

/// The number behind a key of `/proc/self/status`.
fn field(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// All of them, as far as the kernel tells.
pub(super) const FAMILIES: [Family; 7] = [
    CPU, RESIDENT, VIRTUAL, THREADS, OPEN_FILES, FILES_MAX, STARTED,
];

const CPU: Family = Family::new(
    Kind::Counter,
    "process_cpu_seconds_total",
    None,
    "Processor time used, user and system, in seconds.",
);
const RESIDENT: Family = gauge("process_resident_memory_bytes", "Memory in use, in octets.");
const VIRTUAL: Family = gauge(
    "process_virtual_memory_bytes",
    "Address space in use, in octets.",
);
const THREADS: Family = gauge("process_threads", "Operating system threads.");
const OPEN_FILES: Family = gauge("process_open_fds", "Open file descriptors.");
const FILES_MAX: Family = gauge("process_max_fds", "File descriptors allowed.");
const STARTED: Family = gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970.",
);

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Gauge, name, None, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> f64 {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap().parse().unwrap()
    }

    #[test]
    fn this_process_is_described() {
        let text = render(1_700_000_000_250);
        assert_eq!(value(&text, "process_start_time_seconds"), 1_700_000_000.25);
        assert!(value(&text, "process_resident_memory_bytes") >= 65_536.0);
        let (resident, size) = (
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
        );
        assert!(value(&text, resident) <= value(&text, size));
        assert!(value(&text, "process_threads") >= 1.0);
        let files = value(&text, "process_open_fds");
        assert!(
            (3.0..=value(&text, "process_max_fds")).contains(&files),
            "{files}"
        );
        assert!(value(&text, "process_cpu_seconds_total") >= 0.0);
    }

    #[test]
    fn a_status_is_read_by_key() {
        let status = "Name:\tflowlogd\nVmRSS:\t    5120 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS:"), Some(5_120));
        assert_eq!(field(status, "Threads:"), Some(7));
        assert_eq!(field(status, "VmSize:"), None);
        assert_eq!(field("VmRSS:\tmany kB", "VmRSS:"), None);
    }
}
