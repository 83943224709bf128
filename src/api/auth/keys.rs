//! Access keys and what each may do.

use std::collections::BTreeMap;

use crate::sink::Secret;

/// The access keys of a server; open when there are none to ask for.
#[derive(Clone, Debug)]
pub struct Keys {
    /// None: everybody may do everything.
    known: Option<BTreeMap<String, AccessKey>>,
}

impl Keys {
    /// No authentication: any signature is accepted, as is none.
    pub const fn open() -> Self {
        Self { known: None }
    }

    /// Only these keys. Of two with the same id the later one counts.
    pub fn new(keys: impl IntoIterator<Item = AccessKey>) -> Self {
        let known = keys.into_iter().map(|key| (key.id.clone(), key));
        Self {
            known: Some(known.collect()),
        }
    }

    /// Whether nothing needs to be proved.
    pub const fn is_open(&self) -> bool {
        self.known.is_none()
    }

    /// The key with this id.
    pub fn find(&self, id: &str) -> Option<&AccessKey> {
        self.known.as_ref()?.get(id)
    }
}

/// One access key and its scope.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// What a request names.
    pub id: String,
    /// What a request proves to know.
    pub secret: Secret,
    /// Projects it reaches.
    pub projects: Vec<Pattern>,
    /// What it may do there.
    pub permission: Permission,
}

/// A project name in which `*` stands for any characters, or none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern as written.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a project is meant.
    pub fn matches(&self, project: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return self.0 == project;
        };
        let Some(mut left) = project.strip_prefix(first) else {
            return false;
        };
        let mut pieces = rest.split('*').peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return left.ends_with(piece);
            }
            match left.split_once(piece) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        true
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Permission {
    Read,
    Write,
    ReadWrite,
}

/// What a request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Access {
    Read,
    Write,
}

impl Permission {
    const fn allows(self, access: Access) -> bool {
        match self {
            Self::Read => matches!(access, Access::Read),
            Self::Write => matches!(access, Access::Write),
            Self::ReadWrite => true,
        }
    }
}

/// Who asks, once it is proved.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Anybody: the server is open.
    Anyone,
    /// The holder of a key.
    Key(&'a AccessKey),
}

impl Caller<'_> {
    /// Whether the caller may do this in a project.
    pub fn may(&self, access: Access, project: &str) -> bool {
        match self {
            Self::Anyone => true,
            Self::Key(key) => {
                let mut projects = key.projects.iter();
                key.permission.allows(access) && projects.any(|pattern| pattern.matches(project))
            }
        }
    }

    /// Key id, for messages; nothing for anybody.
    pub fn name(&self) -> &str {
        match self {
            Self::Anyone => "",
            Self::Key(key) => &key.id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, project, is_meant) in [
            ("*", "flow-proj", true),
            ("flow-proj", "flow-proj", true),
            ("flow-proj", "flow-proj2", false),
            ("flow-*", "flow-proj", true),
            ("flow-*", "flow", false),
            ("*-proj", "flow-proj", true),
            ("*-proj", "flow-proj2", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
        ] {
            let matches = Pattern::new(pattern).matches(project);
            assert_eq!(matches, is_meant, "{pattern} {project}");
        }
    }

    #[test]
    fn a_key_reaches_its_projects_and_does_what_it_may() {
        let key = AccessKey {
            id: "reader".to_owned(),
            secret: Secret::new("x"),
            projects: vec![Pattern::new("branch-*"), Pattern::new("shared")],
            permission: Permission::Read,
        };
        let caller = Caller::Key(&key);
        assert!(caller.may(Access::Read, "branch-7"));
        assert!(caller.may(Access::Read, "shared"));
        assert!(!caller.may(Access::Read, "finance"));
        assert!(!caller.may(Access::Write, "branch-7"));
        assert!(Caller::Anyone.may(Access::Write, "finance"));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let keys = Keys::new([AccessKey {
            id: "id".to_owned(),
            secret: Secret::new("canary-5d1"),
            projects: Vec::new(),
            permission: Permission::ReadWrite,
        }]);
        assert!(!format!("{keys:?}").contains("canary"));
    }
}
