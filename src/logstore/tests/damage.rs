//! What an operator, a disk or another version may do to a store at rest.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A store with two parts of two rows each, closed.
fn store_at_rest() -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(Settings::new(dir.path())).unwrap();
    for octets in [[1, 2], [4, 8]] {
        store
            .append_next("sag", "flows", &rows(HOUR, &octets), HOUR)
            .unwrap();
        store.flush().unwrap();
    }
    let parts = store.parts().into_iter().map(|part| part.path).collect();
    (dir, parts)
}

fn open(dir: &tempfile::TempDir) -> LogStore {
    LogStore::open(Settings::new(dir.path())).unwrap()
}

fn sum(store: &LogStore) -> Value {
    rows_of(store, "SELECT sum(bytes) FROM flows")
        .remove(0)
        .remove(0)
}

fn truncate(path: &PathBuf, length: impl FnOnce(u64) -> u64) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = length(file.metadata().unwrap().len());
    file.set_len(length).unwrap();
}

#[test]
fn a_second_process_is_refused_and_told_who_has_it() {
    let (dir, _) = store_at_rest();
    let _first = open(&dir);
    let error = LogStore::open(Settings::new(dir.path())).unwrap_err();
    let expected = format!(
        "{} is locked by process {}: only one flowlogd may use it",
        dir.path().join("LOCK").display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_store_can_be_read_beside_the_process_that_writes_it() {
    let (dir, parts) = store_at_rest();
    let writer = open(&dir);
    writer
        .append_next("sag", "flows", &rows(HOUR, &[16]), HOUR)
        .unwrap();
    let reader = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    assert_eq!(sum(&writer), json!(31));
    assert_eq!(sum(&reader), json!(15), "the tail is the writer's own");
    writer.flush().unwrap();
    assert_eq!(
        sum(&reader),
        json!(31),
        "the MANIFEST is read again for each question"
    );
    assert!(matches!(
        reader.append_next("sag", "flows", &rows(HOUR, &[1]), HOUR),
        Err(AppendError::ReadOnly)
    ));
    assert_eq!(parts.len(), 2);
}

#[test]
fn a_damaged_part_is_set_aside_and_counted() {
    let damage: [fn(&PathBuf); 4] = [
        |path| truncate(path, |_| 0),
        |path| truncate(path, |length| length - 1),
        |path| fs::write(path, b"not parquet").unwrap(),
        |path| fs::remove_file(path).unwrap(),
    ];
    for damage in damage {
        let (dir, parts) = store_at_rest();
        damage(&parts[0]);
        let was_there = parts[0].exists();
        let store = open(&dir);
        assert_eq!(sum(&store), json!(12));
        assert_eq!(
            (store.stats().damaged_parts, store.stats().damaged_rows),
            (1, 2)
        );
        let mut aside = parts[0].clone().into_os_string();
        aside.push(".bad");
        assert_eq!(PathBuf::from(aside).exists(), was_there);
        drop(store);
        let store = open(&dir);
        assert_eq!(store.stats().damaged_parts, 0, "it is damaged once");
        assert_eq!(sum(&store), json!(12));
    }
}

#[test]
fn a_damaged_or_missing_manifest_is_made_anew_from_the_parts() {
    let damage: [fn(&PathBuf); 3] = [
        |path| truncate(path, |length| length - 1),
        |path| fs::write(path, b"").unwrap(),
        |path| fs::remove_file(path).unwrap(),
    ];
    for damage in damage {
        let (dir, _) = store_at_rest();
        let before = open(&dir).parts();
        damage(&dir.path().join("sag/flows/MANIFEST"));
        let store = open(&dir);
        assert_eq!(store.parts(), before);
        assert_eq!(store.stats().damaged_manifests, 1);
        store
            .append_next("sag", "flows", &rows(HOUR, &[16]), HOUR)
            .unwrap();
        store.flush().unwrap();
        let last = store.parts().pop().unwrap();
        assert_eq!((last.first_seq, last.rows), (4, 1), "counting goes on");
        assert_eq!(sum(&store), json!(31));
    }
}

#[test]
fn files_that_no_manifest_names_are_removed() {
    let (dir, parts) = store_at_rest();
    let stray = parts[0].with_file_name("20261121T04-00000000000000000000-0000000077.parquet");
    fs::copy(&parts[0], &stray).unwrap();
    let unfinished = parts[0].with_file_name("x.new");
    fs::write(&unfinished, b"").unwrap();
    let store = open(&dir);
    assert_eq!(sum(&store), json!(15));
    assert!(!stray.exists() && !unfinished.exists());
    assert_eq!(store.stats().debris_files, 2);
    store
        .append_next("sag", "flows", &rows(HOUR, &[1]), HOUR)
        .unwrap();
    store.flush().unwrap();
    let name = store.parts().pop().unwrap().path;
    assert!(
        name.to_str().unwrap().ends_with("-0000000078.parquet"),
        "numbers are never used twice"
    );
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    let (dir, parts) = store_at_rest();
    let manifest = dir.path().join("sag/flows/MANIFEST");
    let text = fs::read_to_string(&manifest)
        .unwrap()
        .replacen("manifest 1 ", "manifest 2 ", 1);
    fs::write(&manifest, &text).unwrap();
    let stray = parts[0].with_file_name("from-the-future");
    fs::write(&stray, b"").unwrap();
    let error = LogStore::open(Settings::new(dir.path())).unwrap_err();
    assert!(error.to_string().ends_with(
        "has format version 2, newer than 1, the newest this flowlogd reads: start the flowlogd that wrote it"
    ));
    assert!(LogStore::open_read_only(Settings::new(dir.path())).is_err());
    assert_eq!(fs::read_to_string(&manifest).unwrap(), text);
    assert!(stray.exists() && parts.iter().all(|part| part.exists()));
}

/// Names and content of all files.
fn all_files(dir: &std::path::Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(all_files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn reading_only_changes_nothing_whatever_is_damaged() {
    let (dir, parts) = store_at_rest();
    truncate(&parts[0], |length| length - 1);
    fs::write(parts[0].with_file_name("unfinished.new"), b"x").unwrap();
    fs::write(dir.path().join("sag/flows/MANIFEST.new"), b"x").unwrap();
    let before = all_files(dir.path());
    let store = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    assert_eq!(sum(&store), json!(12));
    let stats = store.stats();
    assert_eq!((stats.damaged_parts, stats.damaged_manifests), (1, 0));
    drop(store);
    assert_eq!(all_files(dir.path()), before);
    truncate(&dir.path().join("sag/flows/MANIFEST"), |_| 10);
    let before = all_files(dir.path());
    let store = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    assert_eq!(rows_of(&store, "SELECT 1 FROM flows").len(), 0);
    assert_eq!(store.stats().damaged_manifests, 1);
    drop(store);
    assert_eq!(all_files(dir.path()), before);
}

#[test]
fn a_logstore_that_is_just_being_made_is_not_damaged() {
    let (dir, _) = store_at_rest();
    fs::create_dir_all(dir.path().join("sag/new/parts")).unwrap();
    let store = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    assert_eq!(sum(&store), json!(15));
    assert_eq!(store.stats().damaged_manifests, 0);
}

#[test]
fn a_reader_tells_whether_somebody_writes_and_is_in_nobodys_way() {
    let (dir, _) = store_at_rest();
    let reader = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    assert!(!reader.has_writer());
    let writer = open(&dir);
    assert!(reader.has_writer() && writer.has_writer());
    drop(writer);
    assert!(!reader.has_writer());
    let error = LogStore::open_read_only(Settings::new(dir.path().join("sag"))).unwrap_err();
    assert!(matches!(error, OpenError::NotAStore { .. }), "{error}");
}

#[test]
fn a_question_is_asked_again_when_its_parts_were_merged_away() {
    let (dir, _) = store_at_rest();
    let writer = open(&dir);
    let reader = LogStore::open_read_only(Settings::new(dir.path())).unwrap();
    let table = |store: &LogStore| {
        let shard = store.shards().remove(0);
        query::Table {
            name: shard.name.clone(),
            snapshot: shard.snapshot(),
        }
    };
    let stale = table(&reader);
    writer.merge(HOUR + 3_600_000, &|| true);
    assert_eq!(writer.parts().len(), 1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut tables = vec![vec![table(&writer)], vec![stale.clone()]];
    let query = || query::Question::Sql("SELECT sum(bytes + 0) FROM flows".to_owned());
    let answer = reader.answer_with(query(), Limits::default(), || tables.pop().unwrap());
    assert_eq!(runtime.block_on(answer).unwrap().rows, [[json!(15)]]);
    let answer = reader.answer_with(query(), Limits::default(), || vec![stale.clone()]);
    let error = runtime.block_on(answer).unwrap_err();
    assert_eq!(error.kind, QueryErrorKind::Internal);
}

#[test]
fn what_is_not_a_logstore_is_left_alone() {
    let (dir, _) = store_at_rest();
    fs::create_dir_all(dir.path().join("sag/photos/2026")).unwrap();
    fs::create_dir_all(dir.path().join("lost+found/x")).unwrap();
    fs::write(dir.path().join("sag/notes.txt"), b"mine").unwrap();
    let store = open(&dir);
    assert_eq!(sum(&store), json!(15));
    assert!(!dir.path().join("sag/photos/MANIFEST").exists());
    assert!(dir.path().join("lost+found/x").exists() && dir.path().join("sag/notes.txt").exists());
}

#[test]
fn a_damaged_page_fails_the_question_and_nothing_else() {
    let (dir, parts) = store_at_rest();
    let mut bytes = fs::read(&parts[0]).unwrap();
    for byte in bytes.iter_mut().skip(4).take(400) {
        *byte = 0xA5;
    }
    fs::write(&parts[0], &bytes).unwrap();
    let store = open(&dir);
    let error = ask(&store, "SELECT sum(bytes) FROM flows").unwrap_err();
    assert_eq!(error.kind, QueryErrorKind::Internal);
    assert_eq!(
        rows_of(&store, "SELECT sum(bytes) FROM flows WHERE seq >= 2"),
        [[json!(12)]]
    );
}
