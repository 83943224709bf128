//! Who may read a file that holds a secret, and who must change that.

use std::fs;
use std::fs::File;
use std::io;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Gid;
use nix::unistd::Group;
use nix::unistd::Uid;
use nix::unistd::User;
use nix::unistd::getegid;
use nix::unistd::geteuid;

use crate::flowlog::Problem;

/// What is wrong with a file of keys that is named at a place.
///
/// That its group may read it is how a service's files are; that everybody may
/// is not. The file is opened, and not read.
pub fn key_file_problem(place: &str, path: &Path) -> Option<Problem> {
    match open(path) {
        Ok(mode) => exposed(path, mode),
        Err(error) => Some((refusal(path, &error), mending(path, &error))),
    }
    .map(|(what, advice)| Problem::new(place, what, advice))
}

/// Why a file of keys cannot be read, and by whom.
pub(super) fn refusal(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    if error.kind() == ErrorKind::NotFound {
        return format!("{shown} does not exist");
    }
    if error.kind() != ErrorKind::PermissionDenied {
        return format!("cannot read {shown}: {error}");
    }
    let owner = fs::metadata(path).map(|file| {
        let (owner, mode) = (user(Uid::from_raw(file.uid())), file.mode() & MODE);
        format!("; it belongs to {owner}, mode {mode:04o}")
    });
    format!(
        "{} may not read {shown}{}",
        user(geteuid()),
        owner.unwrap_or_default()
    )
}

/// The mode of a file that can be opened.
fn open(path: &Path) -> io::Result<u32> {
    let found = fs::metadata(path)?;
    // Opening a pipe would wait for somebody to write.
    if found.is_file() {
        File::open(path)?;
    }
    Ok(found.mode() & MODE)
}

fn exposed(path: &Path, mode: u32) -> Option<(String, String)> {
    let may = match mode & OTHERS {
        0 => return None,
        others if others & 0o2 == 0 => "read it",
        _ => "write it",
    };
    let what = format!(
        "{} has mode {mode:04o}: every user of this host may {may}",
        path.display()
    );
    Some((what, format!("chmod o= {}", quoted(path))))
}

/// What somebody else has to do.
fn mending(path: &Path, error: &io::Error) -> String {
    if error.kind() == ErrorKind::NotFound {
        return "write it, or correct the path".to_owned();
    }
    if error.kind() != ErrorKind::PermissionDenied {
        return "name a file".to_owned();
    }
    let (path, group) = (quoted(path), group(getegid()));
    format!("as its owner: chgrp {group} {path} && chmod g+r {path}")
}

fn user(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => format!("user {} (uid {uid})", user.name),
        Ok(None) | Err(_) => format!("uid {uid}"),
    }
}

fn group(gid: Gid) -> String {
    let group = Group::from_gid(gid).ok().flatten();
    group.map_or_else(|| gid.to_string(), |group| group.name)
}

/// A path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The bits of a mode that say who may do what.
const MODE: u32 = 0o7777;
/// What who is neither owner nor of the group may do.
const OTHERS: u32 = 0o007;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_everybody_may_read_is_told_with_what_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "secret").unwrap();
        let shown = path.display();
        for (mode, may) in [
            (0o600, None),
            (0o640, None),
            (0o440, None),
            (0o644, Some("read it")),
            (0o604, Some("read it")),
            (0o666, Some("write it")),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let expected = may.map(|may| {
                let what =
                    format!("{shown} has mode {mode:04o}: every user of this host may {may}");
                Problem::new("sls.access-key-file", what, format!("chmod o= {shown}"))
            });
            assert_eq!(key_file_problem("sls.access-key-file", &path), expected);
        }
    }

    #[test]
    fn what_is_not_there_is_told() {
        let what = "/no/such/key does not exist";
        let expected = Problem::new("place", what, "write it, or correct the path");
        let problem = key_file_problem("place", Path::new("/no/such/key"));
        assert_eq!(problem, Some(expected));
    }

    #[test]
    fn who_may_not_read_is_told_with_the_owner_and_what_he_can_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("the key");
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let (shown, me, group) = (path.display(), user(geteuid()), group(getegid()));
        let error = ErrorKind::PermissionDenied.into();
        assert_eq!(
            refusal(&path, &error),
            format!("{me} may not read {shown}; it belongs to {me}, mode 0600")
        );
        assert_eq!(
            mending(&path, &error),
            format!("as its owner: chgrp {group} '{shown}' && chmod g+r '{shown}'")
        );
        assert!(me.ends_with(&format!("uid {})", geteuid())) || me.starts_with("uid "));
    }

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(quoted(Path::new("/etc/a-b_c.1")), "/etc/a-b_c.1");
        assert_eq!(quoted(Path::new("/a b")), "'/a b'");
        assert_eq!(quoted(Path::new("/it's;")), r"'/it'\''s;'");
    }
}
