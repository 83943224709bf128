//! One Observation Domain of a stream: its Templates, and when they are told.

use std::collections::VecDeque;

use super::Message;
use super::Moment;
use super::RefreshEvery;
use super::Refused;
use super::StreamSettings;
use super::open::Open;
use crate::flow::Amount;
use crate::flow::FlowBatch;
use crate::flow::Lacks;
use crate::flow::Records;
use crate::flow::Report;
use crate::flow::ReportPart;
use crate::flow::RowEncoder;
use crate::flowlog::ExportedDomains;
use crate::wire::Version;
use crate::wire::v5;

/// Gives domains and engines their numbers, which stay for the process's life.
#[derive(Debug)]
pub(super) struct Numbers {
    next: u32,
}

impl Numbers {
    pub(super) fn new(domains: ExportedDomains) -> Self {
        let next = match domains {
            ExportedDomains::One(number) => number,
            ExportedDomains::PerExporter => 1,
        };
        Self { next }
    }

    /// That of the process itself, which is no exporter's. RFC 7011 §3.1.
    pub(super) fn of_process() -> Self {
        Self { next: 0 }
    }

    fn take(&mut self) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        number
    }
}

/// Everything that is sent under one domain.
#[derive(Debug)]
pub(super) struct Domain {
    encoder: RowEncoder,
    version: Version,
    boot_ms: u64,
    message_bytes: usize,
    refresh: Option<RefreshEvery>,
    /// How often each Template was told in this round, and then each options record.
    told_templates: Vec<u8>,
    told_options: Vec<u8>,
    refreshed_ms: u64,
    /// Messages with flows since Templates were last repeated.
    messages: u32,
    /// The open messages; v5 has one for each sampling word, others one.
    open: Vec<(u16, Open)>,
}

impl Domain {
    pub(super) fn new(settings: &StreamSettings, now: Moment) -> Self {
        let export = settings.export;
        Self {
            encoder: RowEncoder::new(export),
            version: export.version,
            boot_ms: export.boot_ms,
            message_bytes: match export.version {
                Version::V5 => settings.message_bytes.min(V5_BYTES_MAX),
                Version::V9 | Version::Ipfix => settings.message_bytes,
            },
            refresh: settings.refresh,
            told_templates: Vec::new(),
            told_options: Vec::new(),
            refreshed_ms: now.monotonic_ms,
            messages: 0,
            open: Vec::new(),
        }
    }

    /// Writes a row as records.
    pub(super) fn encode(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        now: Moment,
        records: &mut Records,
    ) -> Result<Lacks, Refused> {
        self.encoder.set_now(now.unix_ms);
        self.encoder
            .encode(batch, row, records)
            .map_err(Refused::Row)
    }

    /// Adds the records of a row.
    pub(super) fn add(
        &mut self,
        records: &Records,
        amount: Amount,
        now: Moment,
        numbers: &mut Numbers,
        ready: &mut VecDeque<Message>,
    ) -> Result<(), Refused> {
        let place = self.place(records.sampling, numbers)?;
        self.put(place, records, now, ready)?;
        if let Some((_, open)) = self.open.get_mut(place) {
            open.end_row(amount, now);
        }
        Ok(())
    }

    /// Adds what the process says of itself, as far as there is room for the
    /// Templates; nothing waits for flows to follow.
    pub(super) fn report(
        &mut self,
        report: &Report,
        now: Moment,
        records: &mut Records,
        numbers: &mut Numbers,
        ready: &mut VecDeque<Message>,
    ) {
        let Ok(place) = self.place(0, numbers) else {
            return;
        };
        for part in ReportPart::ALL {
            let written = self.encoder.encode_report(report, part, records);
            if written.is_err() || self.put(place, records, now, ready).is_err() {
                break;
            }
        }
        let open = self.open.get(place);
        if !open.is_some_and(|(_, open)| open.has_rows()) {
            self.finish(place, now, ready);
        }
    }

    /// Adds records to an open message, and before them what is new.
    fn put(
        &mut self,
        place: usize,
        records: &Records,
        now: Moment,
        ready: &mut VecDeque<Message>,
    ) -> Result<(), Refused> {
        if records.is_new {
            self.announce(place, false, now, ready);
        }
        for record in records.iter() {
            self.make_room(place, records.template, record.len(), now, ready)?;
            let template = self.encoder.templates().get(records.template);
            if let (Some(template), Some((_, open))) = (template, self.open.get_mut(place)) {
                open.writer.record(template, record);
            }
        }
        Ok(())
    }

    /// Where the open message of a sampling word is.
    fn place(&mut self, sampling: u16, numbers: &mut Numbers) -> Result<usize, Refused> {
        let found = self.open.iter().position(|(word, _)| *word == sampling);
        if let Some(place) = found {
            return Ok(place);
        }
        if self.open.len() >= ENGINES_MAX {
            return Err(Refused::Domains);
        }
        let open = Open::new(self.version, self.boot_ms, numbers.take(), sampling);
        self.open.push((sampling, open));
        Ok(self.open.len().saturating_sub(1))
    }

    /// Sees to it that a record fits, in this message or in one of the next two:
    /// Templates that are to be repeated may fill one.
    fn make_room(
        &mut self,
        place: usize,
        template: usize,
        octets: usize,
        now: Moment,
        ready: &mut VecDeque<Message>,
    ) -> Result<(), Refused> {
        for _ in 0..3 {
            let is_empty = |(_, open): &(u16, Open)| open.writer.is_empty();
            if self.open.get(place).is_some_and(is_empty) {
                self.announce(place, true, now, ready);
            }
            let template = self.encoder.templates().get(template);
            let (Some(template), Some((_, open))) = (template, self.open.get_mut(place)) else {
                return Err(Refused::TooLong);
            };
            if open.writer.len_with(template, octets) <= self.message_bytes {
                return Ok(());
            }
            self.finish(place, now, ready);
        }
        Err(Refused::TooLong)
    }

    /// Adds the Templates and options records that are new; at the start of a
    /// message, also those that are to be repeated.
    fn announce(
        &mut self,
        place: usize,
        is_start: bool,
        now: Moment,
        ready: &mut VecDeque<Message>,
    ) {
        if self.version == Version::V5 {
            return;
        }
        let Some((_, open)) = self.open.get_mut(place) else {
            return;
        };
        let repeats = if self.refresh.is_some() { REPEATS } else { 1 };
        let is_due = |told: &mut u8| {
            let due = *told == 0 || is_start && *told < repeats;
            *told = if due { *told + 1 } else { *told };
            due
        };
        let templates = self.encoder.templates();
        self.told_templates.resize(templates.len(), 0);
        for (template, told) in templates.iter().zip(&mut self.told_templates) {
            if is_due(told) {
                if open.writer.len_with_definition(template) > self.message_bytes {
                    open.finish(now, ready);
                }
                open.writer.define(template);
            }
        }
        let options = self.encoder.options().count();
        self.told_options.resize(options, 0);
        for ((index, octets), told) in self.encoder.options().zip(&mut self.told_options) {
            if let Some(template) = templates.get(index)
                && is_due(told)
            {
                if open.writer.len_with(template, octets.len()) > self.message_bytes {
                    open.finish(now, ready);
                }
                open.writer.record(template, octets);
            }
        }
    }

    fn finish(&mut self, place: usize, now: Moment, ready: &mut VecDeque<Message>) {
        let Some((_, open)) = self.open.get_mut(place) else {
            return;
        };
        self.messages = self.messages.saturating_add(u32::from(open.has_rows()));
        open.finish(now, ready);
        if self
            .refresh
            .is_some_and(|every| self.messages >= every.messages)
        {
            self.begin_round(now);
        }
    }

    /// Has all Templates told once more.
    fn begin_round(&mut self, now: Moment) {
        let told = self.told_templates.iter_mut().chain(&mut self.told_options);
        told.for_each(|told| *told = (*told).min(REPEATS - 1));
        self.refreshed_ms = now.monotonic_ms;
        self.messages = 0;
    }

    pub(super) fn tick(&mut self, now: Moment, ready: &mut VecDeque<Message>) {
        for place in 0..self.open.len() {
            let due_ms = self.open.get(place).and_then(|(_, open)| open.due_ms());
            if due_ms.is_some_and(|due| due <= now.monotonic_ms) {
                self.finish(place, now, ready);
            }
        }
        if self.refresh_ms().is_some_and(|due| due <= now.monotonic_ms) {
            self.flush(now, ready);
            self.begin_round(now);
            self.announce(0, true, now, ready);
            self.flush(now, ready);
        }
    }

    pub(super) fn flush(&mut self, now: Moment, ready: &mut VecDeque<Message>) {
        for place in 0..self.open.len() {
            self.finish(place, now, ready);
        }
    }

    /// When something is due, by the monotonic clock.
    pub(super) fn due_ms(&self) -> Option<u64> {
        let held = self.open.iter().filter_map(|(_, open)| open.due_ms());
        held.chain(self.refresh_ms()).min()
    }

    fn refresh_ms(&self) -> Option<u64> {
        let every = self.refresh.filter(|_| !self.told_templates.is_empty())?;
        Some(self.refreshed_ms.saturating_add(every.ms))
    }

    /// Says that nobody knows a Template: they go before the records that wait.
    pub(super) fn introduce(&mut self, now: Moment, ready: &mut VecDeque<Message>) {
        self.told_templates.fill(0);
        self.told_options.fill(0);
        for place in 0..self.open.len() {
            let Some((_, open)) = self.open.get_mut(place) else {
                return;
            };
            if !open.writer.is_empty() {
                let aside = open.set_aside();
                self.announce(place, true, now, ready);
                self.finish(place, now, ready);
                if let Some((_, open)) = self.open.get_mut(place) {
                    open.go_on(aside);
                }
            }
        }
    }

    /// Begins a new transport session.
    pub(super) fn restart(&mut self, now: Moment, ready: &mut VecDeque<Message>) {
        for (_, open) in &mut self.open {
            open.restart();
        }
        self.introduce(now, ready);
    }

    /// Templates there are.
    pub(super) fn templates(&self) -> usize {
        match self.version {
            Version::V5 => 0,
            Version::V9 | Version::Ipfix => self.encoder.templates().len(),
        }
    }
}

/// Over UDP a new Template is told in the message it is first needed in and in
/// the next, should the first be lost. RFC 7011 §8.4.
const REPEATS: u8 = 2;
/// Octets of a v5 message with as many records as its header can count (P-710).
const V5_BYTES_MAX: usize = v5::HEADER_LEN + v5::RECORDS_MAX as usize * v5::RECORD_LEN;
/// Sampling words of v5 at most: each is an engine.
const ENGINES_MAX: usize = 256;
