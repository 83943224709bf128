//! Networks and mounts that only one test sees and that vanish with it.

use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use crate::peers::run;

/// Runs a test, and the programs it starts, in a network of its own that has
/// only the loopback interface. Skipped without the privilege to make one.
pub(crate) fn in_private_network(test: impl FnOnce() + Send) {
    in_namespace(CloneFlags::CLONE_NEWNET, || {
        run("ip", "link set lo up");
        test();
    });
}

/// Runs a test whose mounts nobody else sees. Skipped without the privilege.
pub(crate) fn with_private_mounts(test: impl FnOnce() + Send) {
    in_namespace(CloneFlags::CLONE_NEWNS, || {
        run("mount", "--make-rprivate /");
        test();
    });
}

/// A namespace belongs to a thread and its children: the test gets a thread.
fn in_namespace(kind: CloneFlags, test: impl FnOnce() + Send) {
    let work = || match unshare(kind) {
        Ok(()) => test(),
        Err(Errno::EPERM) => println!("skipped: no privilege to make a namespace"),
        Err(error) => panic!("unshare: {error}"),
    };
    thread::scope(|scope| {
        if let Err(panicked) = scope.spawn(work).join() {
            std::panic::resume_unwind(panicked);
        }
    });
}
