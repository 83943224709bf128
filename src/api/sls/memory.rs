//! A log store in memory: the least that a [`Backend`] may be, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::Mutex;

use serde_json::Value;

use super::{
    Backend, Document, Failure, Histogram, Incoming, Log, LogAnswer, LogGroup, LogQuery, Logstore,
    LogstoreSettings, Place, Project, PullRange, Pulled, Reply, Shard,
};

/// All projects; one shard to a logstore.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, OneProject>>);

#[derive(Debug, Default)]
struct OneProject {
    description: String,
    logstores: BTreeMap<String, OneLogstore>,
}

#[derive(Debug, Default)]
struct OneLogstore {
    settings: LogstoreSettings,
    documents: BTreeMap<String, Value>,
    /// A cursor is an index.
    rows: Vec<Row>,
}

/// A log, alone in its group.
#[derive(Clone, Debug)]
struct Row {
    received_s: i64,
    group: LogGroup,
}

impl Row {
    fn log(&self) -> &Log {
        &self.group.logs[0]
    }

    fn topic(&self) -> &str {
        self.group.topic.as_deref().unwrap_or_default()
    }

    /// As GetLogs shows it.
    fn fields(&self) -> Vec<(String, String)> {
        let source = self.group.source.clone().unwrap_or_default();
        let mut fields = vec![
            ("__time__".to_owned(), self.log().time.to_string()),
            ("__source__".to_owned(), source),
            ("__topic__".to_owned(), self.topic().to_owned()),
        ];
        let time_ns = self.log().time_ns;
        fields.extend(time_ns.map(|ns| ("__time_ns_part__".to_owned(), ns.to_string())));
        let tags = self.group.log_tags.iter();
        fields.extend(tags.map(|tag| (format!("__tag__:{}", tag.key), tag.value.clone())));
        let contents = self.log().contents.iter();
        fields.extend(contents.map(|content| {
            let value = String::from_utf8_lossy(&content.value).into_owned();
            (content.key.clone(), value)
        }));
        fields
    }

    /// Understands `key: value` and nothing else.
    fn matches(&self, query: &LogQuery) -> bool {
        let time = i64::from(self.log().time);
        let search = query.query.split('|').next().unwrap_or_default().trim();
        let is_found = match search.split_once(':') {
            None => true,
            Some((key, value)) => {
                let mut fields = self.fields().into_iter();
                fields.any(|(name, text)| name == key && text == value.trim())
            }
        };
        let topic = query.topic.as_deref();
        let is_topic = topic.is_none_or(|topic| topic == self.topic());
        (query.from_s..query.to_s).contains(&time) && is_found && is_topic
    }
}

impl Memory {
    /// With one project and logstore, as the captured requests presume.
    pub(super) fn new() -> Self {
        let memory = Self::default();
        let mut logstores = BTreeMap::new();
        logstores.insert("flows".to_owned(), OneLogstore::default());
        let project = OneProject {
            logstores,
            ..OneProject::default()
        };
        let mut projects = memory.0.lock().unwrap();
        projects.insert("flow-proj".to_owned(), project);
        drop(projects);
        memory
    }

    fn project<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut OneProject) -> Result<T, Failure>,
    ) -> Reply<'static, T>
    where
        T: Send + 'static,
    {
        let mut projects = self.0.lock().unwrap();
        let project = projects.get_mut(name);
        let answer = project
            .ok_or_else(|| Failure::no_project(name))
            .and_then(work);
        Box::pin(ready(answer))
    }

    fn logstore<T>(
        &self,
        at: Place<'_>,
        work: impl FnOnce(&mut OneLogstore) -> T,
    ) -> Reply<'static, T>
    where
        T: Send + 'static,
    {
        self.project(at.project, |project| {
            let logstore = project.logstores.get_mut(at.logstore);
            let missing = || Failure::no_logstore(at.logstore);
            logstore.ok_or_else(missing).map(work)
        })
    }
}

impl Backend for Memory {
    fn put<'a>(&'a self, at: Place<'a>, logs: Incoming) -> Reply<'a, ()> {
        self.logstore(at, |logstore| {
            for log in &logs.group.logs {
                let group = LogGroup {
                    logs: vec![log.clone()],
                    ..logs.group.clone()
                };
                logstore.rows.push(Row {
                    received_s: logs.received_s,
                    group,
                });
            }
        })
    }

    fn logs<'a>(&'a self, at: Place<'a>, query: &'a LogQuery) -> Reply<'a, LogAnswer> {
        self.logstore(at, |logstore| {
            let mut found: Vec<_> = logstore
                .rows
                .iter()
                .filter(|row| row.matches(query))
                .collect();
            if query.reverse {
                found.reverse();
            }
            let count = found.len();
            let sql = query.query.split_once('|').map(|(_, sql)| sql.trim());
            let rows = match sql {
                None => {
                    let skipped = usize::try_from(query.offset).unwrap_or(usize::MAX);
                    let page = found.into_iter().skip(skipped).take(query.line);
                    page.map(Row::fields).collect()
                }
                // The alias is what a test wants to see.
                Some(sql) => {
                    let alias = sql.rsplit(' ').next().unwrap_or_default();
                    let value = if alias == "__time__" {
                        "noon".to_owned()
                    } else {
                        count.to_string()
                    };
                    vec![vec![(alias.to_owned(), value)]]
                }
            };
            LogAnswer {
                rows,
                complete: true,
                processed_rows: logstore.rows.len() as u64,
                has_sql: sql.is_some(),
                agg_query: sql.unwrap_or_default().to_owned(),
                ..LogAnswer::default()
            }
        })
    }

    fn histogram<'a>(
        &'a self,
        at: Place<'a>,
        query: &'a LogQuery,
        steps: &'a [i64],
    ) -> Reply<'a, Histogram> {
        self.logstore(at, |logstore| {
            let mut counts = vec![0; steps.len()];
            for row in logstore.rows.iter().filter(|row| row.matches(query)) {
                let time = i64::from(row.log().time);
                counts[steps.partition_point(|begin| *begin <= time) - 1] += 1;
            }
            Histogram {
                counts,
                complete: true,
            }
        })
    }

    fn topics<'a>(&'a self, at: Place<'a>, after: &'a str, limit: usize) -> Reply<'a, Vec<String>> {
        self.logstore(at, |logstore| {
            let topics = logstore.rows.iter().map(|row| row.topic().to_owned());
            let topics: BTreeSet<_> = topics.filter(|topic| topic.as_str() > after).collect();
            topics.into_iter().take(limit).collect()
        })
    }

    fn projects(&self) -> Reply<'_, Vec<Project>> {
        let projects = self.0.lock().unwrap();
        let shown = projects.iter().map(|(name, project)| Project {
            name: name.clone(),
            description: project.description.clone(),
            created_s: 0,
            changed_s: 0,
        });
        let shown = shown.collect();
        Box::pin(ready(Ok(shown)))
    }

    fn set_project<'a>(&'a self, name: &'a str, description: &'a str) -> Reply<'a, ()> {
        let mut projects = self.0.lock().unwrap();
        projects.entry(name.to_owned()).or_default().description = description.to_owned();
        Box::pin(ready(Ok(())))
    }

    fn delete_project<'a>(&'a self, name: &'a str) -> Reply<'a, ()> {
        let removed = self.0.lock().unwrap().remove(name);
        let missing = || Failure::no_project(name);
        Box::pin(ready(removed.map(|_| ()).ok_or_else(missing)))
    }

    fn logstores<'a>(&'a self, project: &'a str) -> Reply<'a, Vec<Logstore>> {
        self.project(project, |project| {
            let logstores = project.logstores.iter();
            let shown = logstores.map(|(name, logstore)| Logstore {
                name: name.clone(),
                settings: logstore.settings.clone(),
                created_s: 0,
                changed_s: 0,
            });
            Ok(shown.collect())
        })
    }

    fn set_logstore<'a>(&'a self, at: Place<'a>, settings: LogstoreSettings) -> Reply<'a, ()> {
        self.project(at.project, |project| {
            let name = at.logstore.to_owned();
            project.logstores.entry(name).or_default().settings = settings;
            Ok(())
        })
    }

    fn delete_logstore<'a>(&'a self, at: Place<'a>) -> Reply<'a, ()> {
        self.project(at.project, |project| {
            let removed = project.logstores.remove(at.logstore);
            removed
                .map(|_| ())
                .ok_or_else(|| Failure::no_logstore(at.logstore))
        })
    }

    fn document<'a>(&'a self, at: Place<'a>, which: Document) -> Reply<'a, Option<Value>> {
        self.logstore(at, |logstore| {
            logstore.documents.get(&format!("{which:?}")).cloned()
        })
    }

    fn set_document<'a>(
        &'a self,
        at: Place<'a>,
        which: Document,
        document: Option<Value>,
    ) -> Reply<'a, ()> {
        self.logstore(at, |logstore| {
            let name = format!("{which:?}");
            match document {
                Some(document) => logstore.documents.insert(name, document),
                None => logstore.documents.remove(&name),
            };
        })
    }

    fn shards<'a>(&'a self, at: Place<'a>) -> Reply<'a, Vec<Shard>> {
        self.logstore(at, |logstore| {
            let shard = Shard {
                id: 0,
                begin: 0,
                end: logstore.rows.len() as u64,
                created_s: 0,
            };
            vec![shard]
        })
    }

    fn cursor_at<'a>(&'a self, at: Place<'a>, _: u32, time_s: i64) -> Reply<'a, u64> {
        self.logstore(at, |logstore| {
            logstore.rows.partition_point(|row| row.received_s < time_s) as u64
        })
    }

    fn cursor_time<'a>(&'a self, at: Place<'a>, _: u32, cursor: u64) -> Reply<'a, Option<i64>> {
        self.logstore(at, |logstore| {
            let index = usize::try_from(cursor).unwrap_or(usize::MAX);
            logstore.rows.get(index).map(|row| row.received_s)
        })
    }

    fn pull<'a>(&'a self, at: Place<'a>, range: PullRange) -> Reply<'a, Pulled> {
        self.logstore(at, |logstore| {
            let wanted = usize::try_from(range.until - range.from).unwrap_or(usize::MAX);
            let skipped = usize::try_from(range.from).unwrap_or(usize::MAX);
            let rows = logstore.rows.iter().skip(skipped);
            let rows = rows.take(wanted.min(range.groups_max));
            let groups: Vec<_> = rows.map(|row| row.group.clone()).collect();
            let next = range.from + groups.len() as u64;
            Pulled { groups, next }
        })
    }
}
