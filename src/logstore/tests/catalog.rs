//! Projects, logstores and what is kept with them: through restarts, damage,
//! running queries and a crash after every file operation.

use std::future::Future as _;
use std::path::Path;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use super::super::disk::Disk;
use super::super::faults::Faults;
use super::super::tail::HOUR_MS;
use super::*;

fn open(dir: &Path) -> LogStore {
    LogStore::open(Settings::new(dir)).unwrap()
}

fn options(ttl_days: u32) -> LogstoreOptions {
    LogstoreOptions {
        ttl_days,
        settings: json!({"ttl": ttl_days, "mode": "standard"}),
    }
}

/// Rows with these octets, written out.
fn fill(store: &LogStore, project: &str, logstore: &str, octets: &[u64]) {
    let taken = store.append_next(project, logstore, &rows(HOUR, octets), HOUR);
    taken.unwrap();
    store.flush().unwrap();
}

/// All that is known, but when what came with rows was made.
fn known(store: &LogStore) -> Vec<String> {
    let mut known = Vec::new();
    for project in store.projects() {
        known.push(format!("{} {:?}", project.name, project.description));
        for logstore in store.logstores(&project.name).unwrap() {
            let name = logstore.name.logstore();
            let set = logstore.options.is_some();
            let ttl = logstore.options.map(|options| options.ttl_days);
            // A directory is made when the test runs.
            let created_s = logstore.created_s.min(1_000);
            let times = set.then_some((created_s, logstore.changed_s));
            let index = store
                .document(&project.name, name, Document::Index)
                .unwrap();
            let groups = store.document(&project.name, name, Document::ConsumerGroups);
            let count = format!("SELECT count(*) FROM \"{}\".\"{name}\"", project.name);
            let count = &rows_of(store, &count)[0][0];
            let groups = groups.unwrap();
            known.push(format!(
                "{}: {ttl:?} {times:?} {index:?} {groups:?} {count} rows",
                logstore.name
            ));
        }
    }
    known
}

/// Octets of the rows of a walk.
fn octets(rows: Rows) -> Vec<String> {
    let rows = rows.flat_map(Result::unwrap);
    let octets = rows.map(|row| {
        let mut fields = row.fields.into_iter();
        let bytes = fields.find(|(name, _)| name == "bytes").unwrap().1;
        String::from_utf8(bytes).unwrap()
    });
    octets.collect()
}

#[test]
fn what_is_set_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.set_project("prj", "one", 10).unwrap();
    store.set_project("prj", "two", 20).unwrap();
    store.set_logstore("prj", "logs", options(7), 30).unwrap();
    store.set_logstore("prj", "logs", options(8), 40).unwrap();
    let index = json!({"keys": {"z": {"type": "long"}, "a": {"type": "text"}}});
    for which in [Document::Index, Document::ConsumerGroups] {
        let set = store.set_document("prj", "logs", which, Some(index.clone()));
        set.unwrap();
    }
    store
        .set_document("prj", "logs", Document::ConsumerGroups, None)
        .unwrap();
    fill(&store, "came", "flows", &[1, 2]);
    let before = known(&store);
    drop(store);
    for store in [
        open(dir.path()),
        LogStore::open_read_only(Settings::new(dir.path())).unwrap(),
    ] {
        assert_eq!(known(&store), before);
        let project = ProjectInfo {
            name: "prj".to_owned(),
            description: "two".to_owned(),
            created_s: 10,
            changed_s: 20,
        };
        assert_eq!(store.projects()[1], project);
        let logstore = store.logstore("prj", "logs").unwrap();
        let expected = LogstoreInfo {
            name: LogstoreName::new("prj", "logs").unwrap(),
            options: Some(options(8)),
            created_s: 30,
            changed_s: 40,
        };
        assert_eq!(logstore, expected);
        assert_eq!(
            store.document("prj", "logs", Document::Index).unwrap(),
            Some(index.clone())
        );
        let came = store.logstore("came", "flows").unwrap();
        assert_eq!(
            (came.options.clone(), came.created_s),
            (None, came.changed_s)
        );
        assert!(came.created_s > 1_700_000_000, "{came:?}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    settings.logstores_max = 2;
    let store = LogStore::open(settings).unwrap();
    let set = |project, logstore| store.set_logstore(project, logstore, options(1), 0);
    assert!(matches!(
        store.set_project("..", "", 0),
        Err(CatalogError::Name(_))
    ));
    assert!(matches!(set("..", "logs"), Err(CatalogError::Name(_))));
    assert!(matches!(set("prj", "logs"), Err(CatalogError::NoProject)));
    store.set_project("prj", "", 0).unwrap();
    assert!(matches!(set("prj", "../logs"), Err(CatalogError::Name(_))));
    set("prj", "l1").unwrap();
    set("prj", "l2").unwrap();
    assert!(matches!(set("prj", "l3"), Err(CatalogError::TooMany(2))));
    store.set_project("prj-2", "", 0).unwrap();
    assert!(matches!(
        store.set_project("prj-3", "", 0),
        Err(CatalogError::TooMany(2))
    ));
    let document = store.document("prj", "none", Document::Index);
    assert!(matches!(document, Err(CatalogError::NoLogstore)));
    assert!(matches!(
        store.logstores("none"),
        Err(CatalogError::NoProject)
    ));
    assert!(matches!(
        store.delete_logstore("prj", "../l1"),
        Err(CatalogError::NoLogstore)
    ));
    assert!(matches!(
        store.delete_logstore("none", "l1"),
        Err(CatalogError::NoProject)
    ));
    assert!(matches!(
        store.delete_project("none"),
        Err(CatalogError::NoProject)
    ));
    drop(store);
    let store = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    assert!(matches!(
        store.delete_project("prj"),
        Err(CatalogError::ReadOnly)
    ));
}

#[test]
fn damaged_files_are_set_aside_and_newer_ones_end_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.set_project("prj", "one", 10).unwrap();
    store.set_logstore("prj", "logs", options(7), 30).unwrap();
    store
        .set_document("prj", "logs", Document::Index, Some(json!({})))
        .unwrap();
    fill(&store, "prj", "logs", &[1]);
    drop(store);
    let files = ["project.json", "logs/logstore.json", "logs/index.json"];
    for file in files.map(|file| dir.path().join("prj").join(file)) {
        std::fs::write(&file, "{\"version\":1,").unwrap();
    }
    let store = open(dir.path());
    assert_eq!(
        known(&store),
        ["prj \"\"", "prj/logs: None None None None 1 rows"]
    );
    drop(store);
    for file in files.map(|file| dir.path().join("prj").join(file)) {
        assert!(!file.exists());
        std::fs::rename(file.with_extension("json.bad"), &file).unwrap();
        std::fs::write(&file, "{\"version\":2,\"crc32c\":\"").unwrap();
        let newer = LogStore::open(Settings::new(dir.path()));
        assert!(matches!(
            newer,
            Err(OpenError::Newer {
                version: 2,
                known: 1,
                ..
            })
        ));
        std::fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_deleted_logstore_is_read_to_the_end_and_can_be_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.set_project("prj", "", 0).unwrap();
    store.set_logstore("prj", "logs", options(7), 0).unwrap();
    store
        .set_document("prj", "logs", Document::Index, Some(json!({})))
        .unwrap();
    fill(&store, "prj", "logs", &[1, 2]);
    fill(&store, "prj", "logs", &[3]);
    store
        .append_next("prj", "logs", &rows(HOUR, &[4]), HOUR)
        .unwrap();
    let walk = store.rows("prj", "logs", 0..u64::MAX).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let guard = runtime.enter();
    let sql = Query::new("SELECT sum(bytes) FROM prj.logs");
    let mut question = Box::pin(store.query(sql));
    let mut context = Context::from_waker(Waker::noop());
    // It has taken hold of its files, whether it is answered by now or not.
    let early = question.as_mut().poll(&mut context);
    store.delete_logstore("prj", "logs").unwrap();
    assert_eq!(known(&store), ["prj \"\""]);
    fill(&store, "prj", "logs", &[50]);
    assert_eq!(
        known(&store),
        ["prj \"\"", "prj/logs: None None None None 1 rows"]
    );
    let answer = match early {
        Poll::Ready(answer) => answer,
        Poll::Pending => runtime.block_on(question.as_mut()),
    };
    drop((question, guard));
    assert_eq!(answer.unwrap().rows, [[json!(10)]]);
    assert_eq!(octets(walk), ["1", "2", "3", "4"]);
    assert_eq!(
        octets(store.rows("prj", "logs", 0..u64::MAX).unwrap()),
        ["50"]
    );
    let stats = store.stats();
    assert_eq!(
        stats.appended,
        stats.durable + stats.unflushed + stats.discarded
    );
    assert_eq!(
        (
            stats.deleted.octets,
            stats.discarded.octets,
            stats.tail_bytes
        ),
        (6, 4, 0)
    );
    let parts = std::fs::read_dir(dir.path().join("prj/logs/parts")).unwrap();
    assert_eq!(parts.count(), 1, "the old ones went with their last reader");
    drop(store);
    assert_eq!(
        known(&open(dir.path()))[1],
        "prj/logs: None None None None 1 rows"
    );
}

#[test]
fn a_deleted_project_is_gone_with_all_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.set_project("prj", "", 0).unwrap();
    store.set_logstore("prj", "empty", options(7), 0).unwrap();
    fill(&store, "prj", "logs", &[1, 2]);
    let walk = store.rows("prj", "logs", 0..u64::MAX).unwrap();
    store.delete_project("prj").unwrap();
    assert_eq!(known(&store), [""; 0]);
    store.tend(HOUR);
    assert!(dir.path().join("prj").exists(), "it is still read");
    assert_eq!(octets(walk), ["1", "2"]);
    store.tend(HOUR);
    assert!(!dir.path().join("prj").exists());
    store.set_project("prj", "again", 0).unwrap();
    assert_eq!(known(&store), ["prj \"again\""]);
}

#[test]
fn a_failed_deletion_leaves_what_takes_rows() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::after(usize::MAX));
    let store = LogStore::open_on(Settings::new(dir.path()), Disk::failing(&faults)).unwrap();
    fill(&store, "prj", "logs", &[1]);
    for full in ["project.json.new", "DELETED.new", "DELETED"] {
        faults.fill_up_for(full);
        assert!(matches!(
            store.delete_logstore("prj", "logs"),
            Err(CatalogError::Store(_))
        ));
        faults.heal();
        fill(&store, "prj", "logs", &[1]);
    }
    maintain(&store, HOUR + HOUR_MS);
    assert_eq!(store.stats().parts_merged, 1, "merging goes on");
    drop(store);
    assert_eq!(
        known(&open(dir.path()))[1],
        "prj/logs: None None None None 4 rows"
    );
}

#[test]
fn a_logstore_keeps_its_rows_as_long_as_it_is_set_to_or_all_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(dir.path());
    settings.retention = Duration::from_hours(72);
    let store = LogStore::open(settings).unwrap();
    store.set_project("prj", "", 0).unwrap();
    for (name, days) in [
        ("one", 1),
        ("two", 2),
        ("ever", LogstoreOptions::FOREVER_DAYS),
        ("long", 30),
    ] {
        store.set_logstore("prj", name, options(days), 0).unwrap();
        fill(&store, "prj", name, &[1]);
    }
    fill(&store, "prj", "came", &[1]);
    let left = |hours: u64| {
        store.tend(HOUR + hours * HOUR_MS);
        let parts = store.parts();
        let names = parts.iter().map(|part| part.logstore.logstore().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(left(24), ["came", "ever", "long", "one", "two"]);
    assert_eq!(left(25), ["came", "ever", "long", "two"]);
    assert_eq!(left(49), ["came", "ever", "long"]);
    assert_eq!(left(72), ["came", "ever", "long"]);
    assert_eq!(left(73), [""; 0]);
}

type Change = fn(&LogStore) -> Result<(), CatalogError>;

const CHANGES: [(&str, Change); 9] = [
    ("make a project", |store| store.set_project("new", "d", 50)),
    ("describe a project", |store| {
        store.set_project("prj", "other", 50)
    }),
    ("make a logstore", |store| {
        store.set_logstore("prj", "new", options(9), 50)
    }),
    ("set a logstore", |store| {
        store.set_logstore("prj", "logs", options(9), 50)
    }),
    ("set one that came", |store| {
        store.set_logstore("came", "flows", options(9), 50)
    }),
    ("set a document", |store| {
        store.set_document("prj", "logs", Document::Index, Some(json!({"new": true})))
    }),
    ("remove a document", |store| {
        store.set_document("prj", "logs", Document::Index, None)
    }),
    ("delete a logstore", |store| {
        store.delete_logstore("prj", "logs")
    }),
    ("delete a project", |store| store.delete_project("prj")),
];

fn filled(dir: &Path, faults: &Arc<Faults>) -> LogStore {
    let store = LogStore::open_on(Settings::new(dir), Disk::failing(faults)).unwrap();
    store.set_project("prj", "one", 10).unwrap();
    for name in ["logs", "more"] {
        store.set_logstore("prj", name, options(7), 20).unwrap();
        store
            .set_document("prj", name, Document::Index, Some(json!({})))
            .unwrap();
        fill(&store, "prj", name, &[1, 2]);
        fill(&store, "prj", name, &[3]);
    }
    fill(&store, "came", "flows", &[1]);
    store
}

/// What there is before a change and after it, without a crash.
fn before_and_after(change: Change) -> [Vec<String>; 2] {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path(), &Arc::new(Faults::after(usize::MAX)));
    let before = known(&store);
    change(&store).unwrap();
    [before, known(&store)]
}

#[test]
fn a_crash_leaves_a_change_done_or_not_begun() {
    for (what, change) in CHANGES {
        let [before, after] = before_and_after(change);
        assert_ne!(before, after, "{what}");
        for steps in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Arc::new(Faults::after(usize::MAX));
            let store = filled(dir.path(), &faults);
            faults.stop_after(steps);
            let changed = change(&store);
            let stopped = faults.stopped();
            drop(store);
            faults.lose_unsynced();
            let store = open(dir.path());
            let found = known(&store);
            let is_done = found == after;
            assert!(
                is_done || found == before,
                "{what}, {steps} steps: {found:#?}"
            );
            assert!(is_done || changed.is_err(), "{what}, {steps} steps: lost");
            drop(store);
            assert_eq!(known(&open(dir.path())), found, "{what}, {steps} steps");
            if !stopped {
                assert!(changed.is_ok() && steps > 1, "{what}");
                break;
            }
        }
    }
}

#[test]
fn a_crash_while_debris_is_removed_brings_nothing_back() {
    for (what, change) in &CHANGES[7..] {
        let [_, after] = before_and_after(*change);
        for steps in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let faults = Arc::new(Faults::after(usize::MAX));
            let store = filled(dir.path(), &faults);
            let walk = store.rows("prj", "logs", 0..u64::MAX).unwrap();
            change(&store).unwrap();
            // The process ends while a query still reads.
            faults.stop_after(0);
            drop((store, walk));
            faults.stop_after(steps);
            let opened = LogStore::open_on(Settings::new(dir.path()), Disk::failing(&faults));
            let stopped = faults.stopped();
            let is_open = opened.is_ok();
            drop(opened);
            faults.lose_unsynced();
            assert_eq!(known(&open(dir.path())), after, "{what}, {steps} steps");
            let left = std::fs::read_dir(dir.path().join("prj/logs"));
            let left = left.map_or(0, Iterator::count);
            assert_eq!(left, 0, "{what}, {steps} steps: files of it");
            if !stopped {
                assert!(is_open && steps > 4, "{what}");
                break;
            }
        }
    }
}
