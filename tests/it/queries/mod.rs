//! A table of questions about a fixed data set, asked as clients of the log
//! service ask, and what DuckDB says about the same rows.

mod data;
mod duckdb;
mod ids;
mod service;
mod table;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use flowlogd::sink::sls::Credentials;
use flowlogd::sink::{Content, Log, LogGroup, LogTag};
use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::data::Flow;
use self::service::{Answer, Service};
use self::table::{Expected, Question, questions};
use crate::support::{Daemon, flow_log, free_tcp_port};

/// Every record a row, whenever it was; one key.
const SETTINGS: &str = "cache = \"off\"\n\
    [exporters]\nmax-export-skew-s = 604800\nmax-flow-age-s = 604800\n\
    [[access-key]]\nid = \"id\"\nsecret-file = \"DIR/secret\"\nprojects = [\"test\"]\n";

/// A log store that has the data set, half of the flows in a part.
struct Filled {
    dir: TempDir,
    daemon: Daemon,
    service: Service,
    /// Begin of the hour all times follow, Unix seconds.
    begin_s: u64,
}

impl Filled {
    fn new() -> Self {
        let (dir, port) = (TempDir::new().unwrap(), free_tcp_port());
        fs::write(dir.path().join("secret"), "secret").unwrap();
        let daemon = start(&dir, port);
        let mut filled = Self {
            dir,
            daemon,
            service: Service::new(port, Credentials::new("id", "secret", None)),
            begin_s: ten_of_yesterday(),
        };
        let flows = data::flows();
        let (first, others) = flows.split_at(flows.len() / 2);
        filled.export(first, first.len());
        filled.restart();
        filled.export(others, flows.len());
        filled.put_logs();
        filled
    }

    fn restart(&mut self) {
        self.daemon.stop();
        self.daemon = start(&self.dir, self.service.port());
    }

    fn export(&self, some: &[Flow], all: usize) {
        data::export(&self.daemon, some, self.begin_s);
        self.daemon.wait_until("stored", |daemon| {
            daemon.try_query("SELECT count(*) FROM test.flows") == [[json!(all)]]
        });
    }

    fn put_logs(&self) {
        let made = json!({"logstoreName": "logs", "ttl": 7, "shardCount": 1});
        self.call("/logstores", &made);
        self.call("/logstores/logs/index", &index());
        for log in data::logs() {
            let tags = log.tags.into_iter();
            let contents = log.fields.into_iter().map(|(key, value)| Content {
                key,
                value: value.into(),
            });
            let group = LogGroup {
                topic: Some(log.topic),
                source: Some(log.source),
                log_tags: tags.map(|(key, value)| LogTag { key, value }).collect(),
                logs: vec![Log {
                    time: u32::try_from(self.begin_s).unwrap() + log.at,
                    contents: contents.collect(),
                    time_ns: None,
                }],
                ..LogGroup::default()
            };
            let path = "/logstores/logs/shards/lb";
            let put = self.service.send("POST", path, &[], group.encode_to_vec());
            assert_eq!(put, Ok(Value::Null));
        }
    }

    fn call(&self, path: &str, body: &Value) {
        let called = self.service.send("POST", path, &[], body.to_string());
        assert_eq!(called, Ok(Value::Null), "{path}");
    }
}

fn start(dir: &TempDir, port: u16) -> Daemon {
    Daemon::start_serving(port, dir.path(), &flow_log(SETTINGS))
}

/// So long ago that no time of the data set is to come, and not so long that
/// the log store moves it.
fn ten_of_yesterday() -> u64 {
    const DAY_S: u64 = 86_400;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_secs() / DAY_S - 1) * DAY_S + 10 * 3600
}

/// What of the logs can be asked for.
fn index() -> Value {
    let words = [
        ",", " ", "'", "\"", ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/",
        ":", "\n", "\t", "\r",
    ];
    let text = |token: &[&str], is_exact: bool| {
        let kind = "text";
        json!({"type": kind, "token": token, "caseSensitive": is_exact, "doc_value": true})
    };
    let number = |kind: &str| json!({"type": kind, "doc_value": true});
    json!({
        "line": {"token": words, "caseSensitive": false, "chn": false},
        "keys": {
            "id": number("long"),
            "level": text(&[], true),
            "message": {"type": "text", "token": words, "chn": true, "doc_value": true},
            "status": {"type": "long", "doc_value": true, "alias": "code"},
            "latency": number("double"),
            "path": text(&["/", "."], false),
            "user": text(&[], false),
            "detail": {"type": "text", "token": words, "doc_value": false},
            "srcaddr": text(&[], false),
            "bytes": number("long"),
            "packets": number("long"),
            "flow-id": text(&[], false),
        },
    })
}

/// What came, as the table has it.
fn given(answer: Result<Answer, String>, names: Option<&[String]>) -> Expected {
    let text = |row: &serde_json::Map<String, Value>, name: &str| {
        row.get(name)
            .map_or("-", |value| value.as_str().unwrap())
            .to_owned()
    };
    match answer {
        Err(refusal) => Expected::Refusal(refusal),
        Ok(Answer { columns, rows }) => match columns.as_deref().or(names) {
            Some(names) => {
                let cells = |row| names.iter().map(|name| text(row, name)).collect();
                Expected::Rows(names.to_vec(), rows.iter().map(cells).collect())
            }
            // Flows are numbered by their inport.
            None => {
                let id = |row: &_| match text(row, "inport") {
                    none if none == "-" => text(row, "id"),
                    id => id,
                };
                Expected::Logs(rows.iter().map(id).collect())
            }
        },
    }
}

/// Whether what came is what was expected; a long message may end in ` ...`.
fn is_so(given: &Expected, expected: &Expected) -> bool {
    match (given, expected) {
        (Expected::Refusal(given), Expected::Refusal(expected)) => {
            let begin = expected.strip_suffix(" ...");
            begin.map_or(given == expected, |begin| given.starts_with(begin))
        }
        _ => given == expected,
    }
}

/// Asks everything, and says all that is answered otherwise than the table has it.
fn hold(questions: &[Question], begin_s: u64, ask: impl Fn(&Question) -> Result<Answer, String>) {
    let wrong = questions.iter().filter_map(|question| {
        let expected = question.expected(begin_s);
        let names = match &expected {
            Expected::Rows(names, _) => Some(names.as_slice()),
            Expected::Logs(_) | Expected::Refusal(_) => None,
        };
        let given = given(ask(question), names);
        (!is_so(&given, &expected)).then(|| {
            let (at, text) = (question.at, question.text_at(begin_s));
            format!("line {at}: {text}\n  {given:?}\n  not {expected:?}\n")
        })
    });
    let wrong: Vec<_> = wrong.collect();
    let (count, all) = (wrong.len(), questions.len());
    assert!(wrong.is_empty(), "{count} of {all}:\n{}", wrong.concat());
}

#[test]
fn every_question_of_the_table_has_its_answer() {
    let mut filled = Filled::new();
    let (questions, begin_s) = (questions(), filled.begin_s);
    let service = &filled.service;
    hold(&questions, begin_s, |question| {
        service.ask(question, begin_s)
    });
    // All of it in parts now, and asked by older clients.
    filled.restart();
    let service = &filled.service;
    hold(&questions, begin_s, |question| {
        service.ask_v1(question, begin_s)
    });
    println!("{} questions have their answers, twice", questions.len());
    assert!(questions.len() >= 150);
}
