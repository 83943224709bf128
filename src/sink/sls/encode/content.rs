//! One field of log after log.

use std::io::Write as _;

use arrow_array::Array;
use arrow_array::StringArray;

use super::cells::Cells;
use super::cells::Entries;
use super::cells::Values;
use super::contents::Contents;
use super::contents::Span;
use super::decimal::DIGITS_MAX;
use super::decimal::count;
use super::decimal::fill;
use super::field::Field;
use super::field::Source;
use super::put;
use crate::element;
use crate::element::DataType;
use crate::sink::sls::LOG_BYTES_MAX;
use crate::sink::sls::VALUE_BYTES_MAX;

/// A log that is being written.
pub(super) struct OpenLog<'a> {
    pub(super) out: &'a mut Vec<u8>,
    /// Where it begins in `out`.
    pub(super) start: usize,
    /// The row's number.
    pub(super) seq: u64,
    /// Values that were cut or left out.
    pub(super) cut: usize,
}

/// Writes one field, with what it remembers of earlier rows.
pub(super) struct ContentWriter {
    pub(super) field: Field,
    forms: Forms,
    /// Contents by octet, by small number or by place in the dictionary.
    cache: Cache,
    /// The bits of the last factor; its Content is `scratch`.
    factor: Option<u64>,
    scratch: Vec<u8>,
}

impl ContentWriter {
    pub(super) fn new(field: Field) -> Self {
        let mut cache = Cache::default();
        cache.clear(usize::from(u8::MAX) + 1);
        let mut scratch = Vec::new();
        if let Source::Constant(value) = field.source {
            put::pair(put::CONTENTS, field.name, value.as_bytes(), &mut scratch);
        }
        Self {
            field,
            forms: Forms::new(field.name, ""),
            cache,
            factor: None,
            scratch,
        }
    }

    /// Gets ready for a batch whose rows bear the number of a journal.
    pub(super) fn prepare(&mut self, cells: &Cells<'_>, journal: &str) {
        if let Values::Text(_, texts) = cells.values {
            self.cache.clear(texts.len());
        } else if let Values::FlowId = cells.values {
            self.forms = Forms::new(self.field.name, &format!("{journal}-"));
        }
    }

    /// Writes the field of a row, unless the row lacks it.
    pub(super) fn write(&mut self, cells: &Cells<'_>, row: usize, log: &mut OpenLog<'_>) {
        if !cells.is_null(row) {
            // A row that the column is too short for lacks the field.
            let _ = self.write_value(&cells.values, row, log);
        }
    }

    fn write_value(
        &mut self,
        values: &Values<'_>,
        row: usize,
        log: &mut OpenLog<'_>,
    ) -> Option<()> {
        match values {
            Values::Absent => {}
            Values::Constant => log.out.extend_from_slice(&self.scratch),
            Values::FlowId => self.forms.write(log.seq, log.out),
            Values::Time(times, is_up) => self.time(*times.get(row)?, *is_up, log.out),
            Values::U8(values) => self.octet(*values.get(row)?, log.out),
            Values::U16(values) => self.count((*values.get(row)?).into(), log.out),
            Values::U32(values) => self.count((*values.get(row)?).into(), log.out),
            Values::U64(values) => self.count(*values.get(row)?, log.out),
            Values::Factor(values) => self.factor(*values.get(row)?, log.out),
            Values::Text(codes, texts) => self.text(*codes.get(row)?, texts, log),
            Values::Map(entries) => self.map(entries, row, log),
        }
        Some(())
    }

    /// A number of a column: small ones are in most rows, and made once each.
    fn count(&mut self, value: u64, out: &mut Vec<u8>) {
        match u8::try_from(value) {
            Ok(octet) => self.octet(octet, out),
            Err(_) => self.forms.write(value, out),
        }
    }

    /// Whole seconds of a time: a flow began before its first millisecond and
    /// ended after its last.
    fn time(&mut self, ms: i64, is_up: bool, out: &mut Vec<u8>) {
        let is_between = is_up && ms.rem_euclid(1000) != 0;
        let seconds = ms.div_euclid(1000) + i64::from(is_between);
        if let Ok(seconds) = u64::try_from(seconds) {
            return self.forms.write(seconds, out);
        }
        let text = seconds.to_string();
        put::pair(put::CONTENTS, self.field.name, text.as_bytes(), out);
    }

    /// A number of 8 bits: there are few, so each is made once.
    fn octet(&mut self, value: u8, out: &mut Vec<u8>) {
        let name = self.field.name;
        let word = match self.field.source {
            Source::Direction => direction(value),
            Source::Action => action(value),
            Source::Column(_) | Source::Constant(_) | Source::FlowId => Word::Number,
        };
        let place = usize::from(value);
        let span = self.cache.span(place, |out| match word {
            Word::Number => {
                let text = value.to_string();
                put::pair(put::CONTENTS, name, text.as_bytes(), out);
            }
            Word::Known(word) => put::pair(put::CONTENTS, name, word.as_bytes(), out),
            Word::Unknown => {}
        });
        self.cache.contents.copy(span, out);
    }

    /// A factor; that of the row before is most often the same. One that is no
    /// number is left out.
    fn factor(&mut self, value: f64, out: &mut Vec<u8>) {
        if !value.is_finite() {
            return;
        }
        if self.factor != Some(value.to_bits()) {
            let mut text = Vec::new();
            // Writing to a Vec cannot fail.
            let _ = write!(text, "{value}");
            self.scratch.clear();
            put::pair(put::CONTENTS, self.field.name, &text, &mut self.scratch);
            self.factor = Some(value.to_bits());
        }
        out.extend_from_slice(&self.scratch);
    }

    fn text(&mut self, code: i32, texts: &StringArray, log: &mut OpenLog<'_>) {
        let Ok(code) = usize::try_from(code) else {
            return;
        };
        if let Some(span) = self.cache.get(code) {
            return log.append(&self.cache.contents, span);
        }
        if code >= texts.len() || texts.is_null(code) {
            return;
        }
        let (name, text) = (self.field.name, texts.value(code));
        if text.len() > VALUE_BYTES_MAX {
            return log.pair(name, text.as_bytes());
        }
        let write = |out: &mut Vec<u8>| put::pair(put::CONTENTS, name, text.as_bytes(), out);
        let span = self.cache.span(code, write);
        log.append(&self.cache.contents, span);
    }

    /// A field for each entry.
    fn map(&mut self, entries: &Entries<'_>, row: usize, log: &mut OpenLog<'_>) {
        for (name, octets) in entries.of(row) {
            self.scratch.clear();
            match is_text(name) {
                true => mend(octets, &mut self.scratch),
                false => hexadecimal(octets, &mut self.scratch),
            }
            log.pair(name, &self.scratch);
        }
    }
}

impl OpenLog<'_> {
    /// Adds a Content if there is room for it.
    fn append(&mut self, contents: &Contents, span: Span) {
        let octets = self.out.len().saturating_sub(self.start);
        if octets.saturating_add(span.len()) > LOG_BYTES_MAX {
            self.cut += 1;
            return;
        }
        contents.copy(span, self.out);
    }

    /// Adds a Content of UTF-8, cut to what a value may have, if there is room.
    fn pair(&mut self, key: &str, value: &[u8]) {
        let kept = within(value, VALUE_BYTES_MAX);
        let octets = self.out.len().saturating_sub(self.start);
        let content = put::pair_overhead(key.as_bytes(), kept.len()) + kept.len();
        let fits = octets.saturating_add(content) <= LOG_BYTES_MAX;
        if kept.len() < value.len() || !fits {
            self.cut += 1;
        }
        if fits {
            put::pair(put::CONTENTS, key, kept, self.out);
        }
    }
}

/// A field's Content by the count of its number's digits, but with other digits.
struct Forms {
    spans: [Span; DIGITS_MAX + 1],
    contents: Contents,
}

impl Forms {
    /// Forms of a number that follows `lead`.
    fn new(name: &str, lead: &str) -> Self {
        let mut contents = Contents::default();
        let spans = std::array::from_fn(|digits| {
            contents.push(|out| {
                put::pair_head(put::CONTENTS, name, lead.as_bytes(), digits, out);
                out.resize(out.len() + digits, b'0');
            })
        });
        Self { spans, contents }
    }

    fn write(&self, value: u64, out: &mut Vec<u8>) {
        let digits = count(value);
        if let Some(span) = self.spans.get(digits) {
            self.contents.copy(*span, out);
            // In their place: a buffer of their own would be read before it is
            // written through.
            let start = out.len().saturating_sub(digits);
            fill(value, out.get_mut(start..).unwrap_or_default());
        }
    }
}

/// Contents that were written before, by place.
#[derive(Default)]
struct Cache {
    /// Empty for what was not written yet.
    spans: Vec<Span>,
    contents: Contents,
}

impl Cache {
    /// Forgets everything and makes place for so many.
    fn clear(&mut self, places: usize) {
        self.contents.clear();
        self.spans.clear();
        self.spans.resize(places, Span::default());
    }

    fn get(&self, place: usize) -> Option<Span> {
        self.spans
            .get(place)
            .copied()
            .filter(|span| !span.is_empty())
    }

    /// The Content of a place, which `write` writes the first time.
    fn span(&mut self, place: usize, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        match self.get(place) {
            Some(span) => span,
            None => self.write(place, write),
        }
    }

    #[cold]
    fn write(&mut self, place: usize, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        if self.contents.len() > CACHE_BYTES_MAX {
            self.clear(self.spans.len());
        }
        let span = self.contents.push(write);
        if let Some(place) = self.spans.get_mut(place) {
            *place = span;
        }
        span
    }
}

/// What a number of 8 bits is written as.
enum Word {
    Number,
    Known(&'static str),
    Unknown,
}

fn direction(value: u8) -> Word {
    match value {
        0 => Word::Known("in"),
        1 => Word::Known("out"),
        _ => Word::Unknown,
    }
}

/// The two highest bits of `forwarding-status`: forwarded or consumed is
/// accepted, dropped is rejected. RFC 7270 §4.12.
fn action(value: u8) -> Word {
    match value >> 6 {
        0b01 | 0b11 => Word::Known("ACCEPT"),
        0b10 => Word::Known("REJECT"),
        _ => Word::Unknown,
    }
}

/// Whether the element of this name is text; a second one is `name#2`.
fn is_text(name: &str) -> bool {
    let name = name.split_once('#').map_or(name, |(name, _)| name);
    element::by_name(name).is_some_and(|element| element.data_type == DataType::String)
}

/// Text, with U+FFFD for what is none.
fn mend(octets: &[u8], out: &mut Vec<u8>) {
    for chunk in octets.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// `0x` and two digits for each octet, as queries show octets.
fn hexadecimal(octets: &[u8], out: &mut Vec<u8>) {
    let digit = |half: u8| match half {
        0..10 => b'0' + half,
        _ => b'a' + (half - 10),
    };
    out.extend_from_slice(b"0x");
    out.extend(
        octets
            .iter()
            .flat_map(|octet| [digit(octet >> 4), digit(octet & 0xf)]),
    );
}

/// The longest part from the front of UTF-8 that has at most `max` octets.
fn within(text: &[u8], max: usize) -> &[u8] {
    let is_continuation = |at: usize| text.get(at).is_some_and(|octet| octet & 0xc0 == 0x80);
    let mut end = max.min(text.len());
    while is_continuation(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Octets of contents that a column remembers at most, roughly.
const CACHE_BYTES_MAX: usize = 64 << 20;
