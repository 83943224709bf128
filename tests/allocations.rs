//! How often the way of a record asks for memory: never, once its exporter, its
//! Template and its flow are known.

#![expect(unsafe_code, reason = "an allocator is")]
#![expect(clippy::unwrap_used, reason = "tests may fail loudly")]

#[path = "../benches/rig/mod.rs"]
mod rig;

use std::alloc::GlobalAlloc;
use std::alloc::Layout;
use std::alloc::System;
use std::cell::Cell;
use std::num::NonZeroU32;

use flowlogd::cli::generate::LoadSettings;
use flowlogd::flow::PlanSettings;
use flowlogd::wire::Version;

use rig::Exit;
use rig::Rig;

/// The system's allocator, asked by a thread that counts.
struct Counting;

thread_local! {
    /// How often this thread asked for memory, or for more of it.
    static ASKED: Cell<u64> = const { Cell::new(0) };
    /// Batches this thread's lane handed over.
    static BATCHES: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: `System` keeps the contract; counting allocates nothing, as the
// counter needs neither initialisation nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

const VERSIONS: [Version; 3] = [Version::V5, Version::V9, Version::Ipfix];

const FLOWS: u32 = 10_000;

/// A lane to which ten exporters have sent everything they have.
fn warm(version: Version) -> Rig {
    let exit = Exit {
        on_batch: Some(|_| BATCHES.set(BATCHES.get() + 1)),
        ..Exit::default()
    };
    let load = LoadSettings {
        // A Template that is said again is read again.
        template_every: NonZeroU32::MAX,
        ..rig::load(version, FLOWS, 10)
    };
    let mut rig = Rig::new(load, 2 * FLOWS as usize, exit);
    rig.warm_up();
    rig
}

/// How often a round asks for memory, that of its datagrams not counted.
fn asked(rig: &mut Rig) -> u64 {
    rig.fill();
    let before = ASKED.get();
    rig.take();
    ASKED.get() - before
}

#[test]
fn a_record_of_a_known_flow_allocates_nothing() {
    for version in VERSIONS {
        let mut rig = warm(version);
        let asked: u64 = (0..100).map(|_| asked(&mut rig)).sum();
        assert_eq!(asked, 0, "{version:?}");
    }
}

/// The same lane, but no flow stays for longer than a second.
fn fleeting(version: Version) -> Rig {
    let mut rig = warm(version);
    let table = rig::table("active-s = 1\ninactive-s = 1");
    rig.lane.route_by(table, PlanSettings::default());
    rig
}

/// What a batch may ask for on average: its 34 columns, what it knows of its
/// exporters, and columns again where it is larger than the one before.
const ASKED_A_BATCH_MAX: u64 = 50;

#[test]
fn rows_allocate_for_their_batch_and_not_for_themselves() {
    for version in VERSIONS {
        let mut rig = fleeting(version);
        // Until flows leave as fast as they come.
        for _ in 0..100 {
            at_leisure(&mut rig);
        }
        let rows = |rig: &Rig| rig.exit.taken.lock().unwrap().1;
        let (batches_before, rows_before) = (BATCHES.get(), rows(&rig));
        let asked: u64 = (0..400).map(|_| at_leisure(&mut rig)).sum();
        let batches = BATCHES.get() - batches_before;
        assert!(batches >= 20, "{version:?}: {batches} batches");
        assert!(rows(&rig) - rows_before >= 300_000, "{version:?}");
        let most = batches * ASKED_A_BATCH_MAX;
        assert!(asked <= most, "{version:?}: {asked} in {batches} batches");
    }
}

/// [`asked`] of a round 50 ms after the one before: most flows have a record
/// every second.
fn at_leisure(rig: &mut Rig) -> u64 {
    rig.now.monotonic_ms += 48;
    rig.now.unix_ms += 48;
    asked(rig)
}
