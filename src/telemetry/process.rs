//! What the kernel says of this process, under Prometheus' customary names.
//!
//! Rendered here rather than through the recorder, which has no counter of
//! fractions. Everything is read from `/proc/self` or asked by system call, so
//! that `ProcSubset=pid` of systemd hides nothing; what cannot be read is left
//! out.

use std::fmt::Display;
use std::fmt::Write as _;
use std::fs;

use nix::sys::resource::Resource;
use nix::sys::resource::UsageWho;
use nix::sys::resource::getrlimit;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeValLike as _;

/// The `process_*` metrics in Prometheus' text form.
pub(super) fn render(started_unix_ms: u64) -> String {
    let mut text = String::new();
    if let Some(seconds) = cpu_seconds() {
        let help = "Processor time used, user and system.";
        add(
            &mut text,
            "process_cpu_seconds_total",
            "counter",
            help,
            seconds,
        );
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (name, key, help, unit) in [
        (
            "process_resident_memory_bytes",
            "VmRSS:",
            "Memory in use.",
            1_024,
        ),
        (
            "process_virtual_memory_bytes",
            "VmSize:",
            "Address space in use.",
            1_024,
        ),
        (
            "process_threads",
            "Threads:",
            "Operating system threads.",
            1,
        ),
    ] {
        if let Some(value) = field(&status, key) {
            add(&mut text, name, "gauge", help, value * unit);
        }
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The one that reads the directory is not ours for long.
        let count = files.count().saturating_sub(1);
        add(
            &mut text,
            "process_open_fds",
            "gauge",
            "Open file descriptors.",
            count,
        );
    }
    if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        add(
            &mut text,
            "process_max_fds",
            "gauge",
            "File descriptors allowed.",
            soft,
        );
    }
    let started = seconds(started_unix_ms);
    let help = "When the process started, in seconds since 1970.";
    add(
        &mut text,
        "process_start_time_seconds",
        "gauge",
        help,
        started,
    );
    text
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

fn add(text: &mut String, name: &str, kind: &str, help: &str, value: impl Display) {
    // Writing to a `String` does not fail.
    let _ = writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
    );
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
