//! An Exporting Process: headers, sequence numbers, Templates in time.

use crate::element::ElementId;
use crate::wire::EncodeError;
use crate::wire::FieldSpecifier;
use crate::wire::Header;
use crate::wire::MessageWriter;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;
use crate::wire::put_record;

/// Octets of a datagram at most.
pub(super) const DATAGRAM_MAX: usize = 1_400;
/// How often Templates and options are sent again.
const REFRESH_MS: u64 = 30_000;
/// How long the device has been up when it starts to export.
const UP_BEFORE_MS: u64 = 20 * 86_400_000;
const V5_RECORDS_MAX: u32 = 30;

/// A record and the Template it follows.
pub(super) type Record<'t> = (&'t Template, Vec<u8>);

/// The state of one exporting process.
#[derive(Debug)]
pub(super) struct Process {
    version: Version,
    domain: u32,
    /// v5's sampling word.
    sampling: u16,
    /// Milliseconds since 1970.
    boot_ms: u64,
    sequence: u32,
    refreshed_ms: Option<u64>,
}

impl Process {
    pub(super) fn new(version: Version, domain: u32, sampling: u16, now_ms: u64) -> Self {
        Self {
            version,
            domain,
            sampling,
            boot_ms: now_ms.saturating_sub(UP_BEFORE_MS),
            sequence: 0,
            refreshed_ms: None,
        }
    }

    /// Whether Templates and options are due; if so, they count as sent.
    pub(super) fn refresh(&mut self, now_ms: u64) -> bool {
        let is_due = self
            .refreshed_ms
            .is_none_or(|sent_ms| now_ms >= sent_ms + REFRESH_MS);
        if is_due {
            self.refreshed_ms = Some(now_ms);
        }
        is_due
    }

    /// Milliseconds since boot, as v5 and v9 give times, modulo 2^32.
    pub(super) fn uptime(&self, at_ms: u64) -> u32 {
        low_32(at_ms.saturating_sub(self.boot_ms))
    }

    /// Writes definitions and records into as many datagrams as they need.
    pub(super) fn datagrams(
        &mut self,
        definitions: &[&Template],
        records: &[Record<'_>],
        now_ms: u64,
    ) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut datagrams = Vec::new();
        let mut writer = MessageWriter::new(self.header(now_ms));
        for template in definitions {
            writer.define(template);
        }
        let mut in_message = 0;
        for (template, record) in records {
            let is_full = writer.len() + record.len() + 8 > DATAGRAM_MAX
                || self.version == Version::V5 && in_message == V5_RECORDS_MAX;
            if is_full {
                self.sent(in_message);
                let next = MessageWriter::new(self.header(now_ms));
                datagrams.push(std::mem::replace(&mut writer, next).finish()?);
                in_message = 0;
            }
            writer.record(template, record);
            in_message += 1;
        }
        if !writer.is_empty() {
            self.sent(in_message);
            datagrams.push(writer.finish()?);
        }
        Ok(datagrams)
    }

    /// The header of its next Message.
    ///
    /// Whole seconds are rounded up, so that no flow ends after its export (P-724).
    pub(super) fn header(&self, now_ms: u64) -> Header {
        let secs = now_ms.div_ceil(1_000);
        let header = Header::new(self.version, low_32(secs), self.sequence, self.domain);
        match self.version {
            Version::Ipfix => header,
            Version::V9 => Header {
                sys_uptime: Some(self.uptime(secs * 1_000)),
                ..header
            },
            Version::V5 => Header {
                sys_uptime: Some(self.uptime(now_ms)),
                export_secs: low_32(now_ms / 1_000),
                export_nanos: low_32(now_ms % 1_000) * 1_000_000,
                sampling: self.sampling,
                ..header
            },
        }
    }

    /// Counts a Message of so many Data Records as sent.
    ///
    /// v9 counts Messages, v5 flows, IPFIX Data Records.
    pub(super) fn sent(&mut self, records: u32) {
        let step = match self.version {
            Version::V9 => 1,
            Version::V5 | Version::Ipfix => records,
        };
        self.sequence = self.sequence.wrapping_add(step);
    }
}

/// Lays out a Template of IANA's elements and v9's own, `(id, octets)`.
pub(super) fn template(
    version: Version,
    id: u16,
    scopes: usize,
    fields: &[(ElementId, u16)],
) -> Template {
    let kind = if scopes == 0 {
        TemplateKind::Data
    } else {
        TemplateKind::Options
    };
    let fields = fields.iter().map(|(element, length)| FieldSpecifier {
        element: *element,
        length: *length,
    });
    Template::new(version, id, kind, scopes, fields.collect())
}

/// Writes a record whose fields are all numbers, of whatever width.
pub(super) fn numbers<'t>(
    template: &'t Template,
    value: impl Fn(ElementId) -> u128,
) -> Result<Record<'t>, EncodeError> {
    let values: Vec<Vec<u8>> = template
        .fields
        .iter()
        .map(|field| {
            let wide = value(field.element).to_be_bytes();
            let from = wide.len().saturating_sub(field.length.into());
            wide.get(from..).unwrap_or_default().to_vec()
        })
        .collect();
    octets(template, &values)
}

/// Writes a record of octets as they are.
pub(super) fn octets<'t>(
    template: &'t Template,
    values: &[Vec<u8>],
) -> Result<Record<'t>, EncodeError> {
    let mut record = Vec::new();
    put_record(&mut record, template, values.iter().map(Vec::as_slice))?;
    Ok((template, record))
}

fn low_32(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
