//! `[[access-key]]`: who may use the SLS API of the embedded log store.

use std::path::PathBuf;

use super::table::Table;
use super::value::Value;

/// An access key and its scope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessKey {
    /// What a request names.
    pub id: String,
    /// File with the secret, on its first line.
    pub secret_file: PathBuf,
    /// Projects it reaches; `*` stands for any characters.
    pub projects: Vec<String>,
    /// What it may do there.
    pub permission: Permission,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Permission {
    Read,
    Write,
    #[default]
    ReadWrite,
}

/// Reads all keys; without any, everybody who reaches the API may use it.
pub(super) fn read(table: &mut Table<'_, '_>) -> Vec<AccessKey> {
    table.each_once("access-key", |table| access_key(table), |key| &key.id)
}

fn access_key(table: &mut Table<'_, '_>) -> Option<AccessKey> {
    let permissions = [
        ("read", Permission::Read),
        ("write", Permission::Write),
        ("read-write", Permission::ReadWrite),
    ];
    let id = table.required("id", "the access key id that clients name", Value::text);
    let secret_file = table.required(
        "secret-file",
        "an absolute path; the secret itself does not belong here",
        Value::path,
    );
    let projects = table.list("projects", Value::text);
    let permission = table.choice("permission", &permissions).unwrap_or_default();
    Some(AccessKey {
        id: id?,
        secret_file: secret_file?,
        projects: projects.unwrap_or_else(|| vec!["*".to_owned()]),
        permission,
    })
}
