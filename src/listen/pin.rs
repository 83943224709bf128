//! A lane's thread on a CPU of its own.

use std::io;

use nix::sched::CpuSet;
use nix::sched::sched_getaffinity;
use nix::sched::sched_setaffinity;
use nix::unistd::Pid;

/// Whether the calling thread may run on a CPU: there is one of that number,
/// and neither a control group nor an affinity forbids it.
pub fn may_run_on(cpu: usize) -> bool {
    let allowed = sched_getaffinity(CALLER);
    allowed.is_ok_and(|allowed| allowed.is_set(cpu) == Ok(true))
}

/// Keeps the calling thread, and no other, to one CPU.
///
/// # Errors
///
/// Those of `sched_setaffinity(2)`; `InvalidInput` if it may not run there.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)?;
    Ok(sched_setaffinity(CALLER, &only)?)
}

/// 0 stands for the calling thread.
const CALLER: Pid = Pid::from_raw(0);

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_pinned_thread_is_on_its_cpu_and_the_others_are_not() {
        let before = sched_getaffinity(CALLER).unwrap();
        let mut cpus = (0..CpuSet::count()).filter(|cpu| may_run_on(*cpu));
        let cpu = cpus.next_back().unwrap();
        let pinned = thread::spawn(move || {
            pin(cpu).unwrap();
            sched_getaffinity(CALLER).unwrap()
        });
        let mut only = CpuSet::new();
        only.set(cpu).unwrap();
        assert_eq!(pinned.join().unwrap(), only);
        assert_eq!(sched_getaffinity(CALLER).unwrap(), before);
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused() {
        for cpu in [CpuSet::count() - 1, CpuSet::count(), usize::MAX] {
            assert!(!may_run_on(cpu), "{cpu}");
            let error = pin(cpu).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{cpu}");
        }
    }
}
