//! Questions with their answers, read from `table.txt`.

const TABLE: &str = include_str!("table.txt");

/// Seconds of the data set.
const HOUR_S: u64 = 3600;

/// One question, and all that is asked beside its text.
pub(super) struct Question {
    /// Line of the table.
    pub(super) at: usize,
    pub(super) logstore: &'static str,
    text: &'static str,
    /// Seconds after the begin of the hour.
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) line: u64,
    pub(super) offset: u64,
    pub(super) newest_first: bool,
    pub(super) topic: String,
    answer: Vec<&'static str>,
    /// DuckDB's words for the SQL.
    duckdb: Option<&'static str>,
}

/// What a question is to be answered with.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Expected {
    /// Numbers of the logs, in their order.
    Logs(Vec<String>),
    /// Names of the columns, and rows of them.
    Rows(Vec<String>, Vec<Vec<String>>),
    /// Code and message.
    Refusal(String),
}

impl Question {
    fn new(at: usize, logstore: &'static str, text: &'static str) -> Self {
        Self {
            at,
            logstore,
            text,
            from: 0,
            to: HOUR_S,
            line: 100,
            offset: 0,
            newest_first: false,
            topic: String::new(),
            answer: Vec::new(),
            duckdb: None,
        }
    }

    /// The text in the hour that begins then.
    pub(super) fn text_at(&self, begin_s: u64) -> String {
        at(self.text, begin_s)
    }

    /// What DuckDB is asked over the same rows, if it knows such a question.
    pub(super) fn duckdb_at(&self, begin_s: u64) -> Option<String> {
        let (_, sql) = self.text.split_once('|').unwrap_or_default();
        let sql = match self.duckdb? {
            "" => sql,
            other => other,
        };
        Some(at(sql.trim(), begin_s))
    }

    pub(super) fn expected(&self, begin_s: u64) -> Expected {
        let lines = self.answer.iter().map(|line| at(line, begin_s));
        let lines: Vec<_> = lines.collect();
        let cells = |line: &str| {
            line.split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        };
        let Some((first, rest)) = lines.split_first() else {
            panic!("line {}: no answer", self.at);
        };
        match (first.split_at(1), rest) {
            ((">", ids), []) => Expected::Logs(ids.split_whitespace().map(str::to_owned).collect()),
            (("!", refusal), []) => Expected::Refusal(refusal.trim().to_owned()),
            ((":", names), rows) => {
                Expected::Rows(cells(names), rows.iter().map(|row| cells(row)).collect())
            }
            _ => panic!("line {}: {lines:?} is no answer", self.at),
        }
    }

    fn set(&mut self, option: &'static str) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let number = || value.parse().unwrap();
        match name {
            "from" => self.from = number(),
            "to" => self.to = number(),
            "line" => self.line = number(),
            "offset" => self.offset = number(),
            "reverse" => self.newest_first = true,
            "topic" => self.topic = value.to_owned(),
            _ => panic!("line {}: {option}", self.at),
        }
    }
}

/// All questions, in the order of the table.
pub(super) fn questions() -> Vec<Question> {
    let (mut questions, mut logstore): (Vec<Question>, _) = (Vec::new(), "");
    for (at, line) in (1..).zip(TABLE.lines()) {
        let indented = line.trim_start();
        if line == "#" || line.starts_with("# ") || indented.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix("== ") {
            logstore = name;
        } else if indented.len() == line.len() {
            questions.push(Question::new(at, logstore, line));
        } else {
            let question = questions.last_mut().unwrap();
            match indented.split_at(1) {
                ("@", options) => options
                    .split_whitespace()
                    .for_each(|option| question.set(option)),
                ("$", sql) => question.duckdb = Some(sql.trim()),
                _ => question.answer.push(indented),
            }
        }
    }
    questions
}

/// A text whose `{60}` is the Unix second 60 s after the begin of the hour, and
/// whose `{day}` is its day.
fn at(text: &str, begin_s: u64) -> String {
    let mut parts = text.split('{');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('}') {
            Some(("day", rest)) => whole += &format!("{}{rest}", day(begin_s)),
            Some((seconds, rest)) if seconds.parse::<u64>().is_ok() => {
                let seconds: u64 = seconds.parse().unwrap();
                whole += &format!("{}{rest}", begin_s + seconds);
            }
            _ => whole += &format!("{{{part}"),
        }
    }
    whole
}

fn day(unix_s: u64) -> String {
    let time = jiff::Timestamp::from_second(unix_s.try_into().unwrap()).unwrap();
    time.strftime("%Y-%m-%d").to_string()
}
