//! Templates of an earlier run: to octets and back. P-413, P-833.
//!
//! A restarted collector would otherwise be blind until every exporter has
//! sent its Templates again, up to half an hour. The Templates are kept as the
//! Messages an exporter would send, and come back through the same validation.
//!
//! ```text
//! "flowtmpl" | version u16 | export time, ms u64 | entry … | CRC-32 u32
//! entry: address 16 | port u16 | local port u16 | age, ms u64 | length u16 | Message
//! ```

use std::net::IpAddr;
use std::net::Ipv6Addr;

use crate::session::Arrival;
use crate::session::Peer;
use crate::session::Plan;
use crate::session::Sessions;
use crate::session::Transport;
use crate::session::entry::Received;
use crate::session::entry::State;
use crate::session::templates::Defined;
use crate::session::templates::Terms;
use crate::wire::Definition;
use crate::wire::Header;
use crate::wire::Message;
use crate::wire::MessageWriter;
use crate::wire::Template;
use crate::wire::Version;

/// Why an image of Templates cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ImageError {
    /// Not an image of Templates.
    #[error("not an image of templates")]
    Magic,
    /// An image of another version.
    #[error("image version {0} is not supported (must be {VERSION})")]
    Version(u16),
    /// The checksum does not fit the content.
    #[error("checksum is {0:#010x}, content has {1:#010x}")]
    Checksum(u32, u32),
    /// An entry ends early.
    #[error("entry at byte {0} is truncated")]
    Truncated(usize),
}

/// What came of an image.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Imported {
    /// Templates taken.
    pub taken: u64,
    /// Too old, no longer valid, known better from the wire, or without room.
    pub discarded: u64,
}

impl<P: Plan> Sessions<P> {
    /// An image of the Templates of established sessions.
    pub fn export(&self, now: Arrival) -> Vec<u8> {
        let mut image = MAGIC.to_vec();
        image.extend(VERSION.to_be_bytes());
        image.extend(now.unix_ms.to_be_bytes());
        if self.transport == Transport::Datagrams {
            for entry in self.templates.shelf.entries() {
                let is_due = self.templates.shelf.is_due(
                    entry,
                    now.monotonic_ms,
                    self.transport,
                    &self.limits,
                );
                if entry.state == State::Live
                    && !is_due
                    && self.table.is_established(entry.owner.session)
                    && let Some(domain) = self.table.domain(entry.owner.domain)
                    && let Some(message) = message_of(&entry.known.template, domain.id)
                {
                    put_entry(
                        &mut image,
                        domain.peer,
                        entry.age_ms(now.monotonic_ms),
                        &message,
                    );
                }
            }
        }
        let checksum = crc32(&image);
        image.extend(checksum.to_be_bytes());
        image
    }

    /// Takes an image of an earlier run; what the wire said stays as it is.
    ///
    /// # Errors
    /// When the image is none, is of another version, or is damaged; nothing
    /// of it is taken then, but for the entries before a truncated one.
    pub fn import(&mut self, image: &[u8], now: Arrival) -> Result<Imported, ImageError> {
        let (content, checksum) = image.split_last_chunk().ok_or(ImageError::Magic)?;
        let body = content.strip_prefix(MAGIC).ok_or(ImageError::Magic)?;
        let mut reader = Reader { rest: body };
        let version = reader.u16().ok_or(ImageError::Magic)?;
        if version != VERSION {
            return Err(ImageError::Version(version));
        }
        let (said, is) = (u32::from_be_bytes(*checksum), crc32(content));
        if said != is {
            return Err(ImageError::Checksum(said, is));
        }
        let written_ms = reader.u64().ok_or(ImageError::Magic)?;
        let since_ms = now.unix_ms.saturating_sub(written_ms);
        let mut imported = Imported::default();
        while !reader.rest.is_empty() {
            let at = content.len() - reader.rest.len();
            let entry = reader.entry().ok_or(ImageError::Truncated(at))?;
            let spent_ms = entry.age_ms.saturating_add(since_ms);
            if self.import_entry(&entry, spent_ms, now) {
                imported.taken += 1;
            } else {
                imported.discarded += 1;
            }
        }
        Ok(imported)
    }

    fn import_entry(&mut self, entry: &Stored<'_>, spent_ms: u64, now: Arrival) -> bool {
        if spent_ms > self.limits.template_lifetime_ms {
            return false;
        }
        let Some((header, template)) = self.template_in(entry.message) else {
            return false;
        };
        let Some(owner) = self.owner_of(entry.peer, &header, now) else {
            return false;
        };
        let received = Received {
            now_ms: now.monotonic_ms,
            export_secs: header.export_secs,
            transport: self.transport,
            is_imported: true,
            spent_ms,
        };
        let known = self.templates.of(owner.domain, template.id).is_some();
        let terms = Terms {
            at: received,
            limits: &self.limits,
            settings: &self.settings,
        };
        !known && self.templates.define(owner, template, &terms) != Defined::Refused
    }

    /// The one Template of a stored Message, judged as if it came by wire (P-833).
    fn template_in(&self, message: &[u8]) -> Option<(Header, Template)> {
        let message = Message::parse(message).ok()?;
        let set = message.sets().next()?.ok()?;
        let mut definitions = set.definitions(self.limits.fields_per_template_max);
        match definitions.next()?.ok()? {
            Definition::Define(template) => Some((message.header, template)),
            Definition::Invalid { .. } | Definition::Withdraw(_) | Definition::WithdrawAll(_) => {
                None
            }
        }
    }
}

/// One entry of an image.
#[derive(Debug)]
struct Stored<'a> {
    peer: Peer,
    age_ms: u64,
    message: &'a [u8],
}

#[derive(Debug)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*chunk)
    }

    fn u16(&mut self) -> Option<u16> {
        self.chunk().map(u16::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.chunk().map(u64::from_be_bytes)
    }

    fn entry(&mut self) -> Option<Stored<'a>> {
        let exporter = Ipv6Addr::from(self.chunk::<16>()?).to_canonical();
        let peer = Peer {
            exporter,
            port: self.u16()?,
            local_port: self.u16()?,
        };
        let age_ms = self.u64()?;
        let length = usize::from(self.u16()?);
        let (message, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Stored {
            peer,
            age_ms,
            message,
        })
    }
}

/// A Message that defines one Template, as its exporter would send it.
fn message_of(template: &Template, domain: u32) -> Option<Vec<u8>> {
    let uptime = (template.version == Version::V9).then_some(0);
    let mut writer = MessageWriter::new(Header {
        version: template.version,
        count: 0,
        length: 0,
        sys_uptime: uptime,
        export_secs: 0,
        export_nanos: 0,
        sequence: 0,
        domain,
        sampling: 0,
    });
    writer.define(template);
    writer.finish().ok()
}

/// Appends an entry; a Message never outgrows its length's 16 bits.
fn put_entry(image: &mut Vec<u8>, peer: Peer, age_ms: u64, message: &[u8]) {
    let Ok(length) = u16::try_from(message.len()) else {
        return;
    };
    let address = match peer.exporter {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    image.extend(address.octets());
    image.extend(peer.port.to_be_bytes());
    image.extend(peer.local_port.to_be_bytes());
    image.extend(age_ms.to_be_bytes());
    image.extend(length.to_be_bytes());
    image.extend(message);
}

/// CRC-32 of IEEE 802.3, reflected.
fn crc32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |crc: u32, &octet| {
        let [low, ..] = (crc ^ u32::from(octet)).to_le_bytes();
        let row = CRC_TABLE.get(usize::from(low)).copied().unwrap_or(0);
        row ^ (crc >> 8)
    })
}

/// CRC-32 of each octet.
const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let mut crc = octet as u32;
        let mut bit = 0;
        while bit < 8 {
            let carry = if crc & 1 == 0 { 0 } else { 0xedb8_8320 };
            crc = (crc >> 1) ^ carry;
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "below the length, at compile time")]
        {
            table[octet] = crc;
        }
        octet += 1;
    }
    table
}

/// First octets of an image.
const MAGIC: &[u8] = b"flowtmpl";
/// Layout of an image.
const VERSION: u16 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Limits;
    use crate::session::ScopeMode;
    use crate::session::SetOutcome;
    use crate::session::testing::Bench;
    use crate::session::testing::EXPORT_MS;
    use crate::session::testing::ipfix;
    use crate::session::testing::options_template;
    use crate::session::testing::set;
    use crate::session::testing::template;
    use crate::session::testing::v9;

    const NOW: Arrival = Arrival {
        monotonic_ms: 1_000_000,
        unix_ms: EXPORT_MS,
    };

    fn later(ms: u64) -> Arrival {
        Arrival {
            // Another boot: the monotonic clock starts again.
            monotonic_ms: 500,
            unix_ms: EXPORT_MS + ms,
        }
    }

    /// A lane that learnt a v9 Template, an IPFIX one and an IPFIX options one.
    fn taught() -> Bench {
        let mut bench = Bench::default();
        bench.recorder.listed = true;
        bench.send(&v9(1, 0, &[set(0, &template(256, &[(8, 4), (1, 4)]))]));
        let fields = template(300, &[(8, 4), (0x8001, 2), (0, 29305), (82, 65535)]);
        let mut fields = fields;
        fields[3] = 3;
        let options = options_template(301, 1, &[(149, 4), (34, 4)]);
        bench.send(&ipfix(7, 0, &[set(2, &fields), set(3, &options)]));
        bench
    }

    #[test]
    fn templates_survive_a_restart() {
        let image = taught().sessions.export(NOW);
        let mut bench = Bench::new(Limits::default(), ScopeMode::Strict);
        let imported = bench.sessions.import(&image, later(60_000)).unwrap();
        assert_eq!((imported.taken, imported.discarded), (3, 0));
        bench.send(&v9(1, 9, &[set(256, &[1; 8])]));
        bench.send(&ipfix(7, 9, &[set(300, &[1, 2, 3, 4, 5, 6, 1, b'x'])]));
        bench.send(&ipfix(7, 10, &[set(301, &[0, 0, 0, 1, 0, 0, 0, 9])]));
        let outcomes: Vec<SetOutcome> = bench.recorder.sets.iter().map(|set| set.1).collect();
        assert_eq!(outcomes, [SetOutcome::Ok(1); 3]);
        let views: Vec<_> = bench.sessions.templates(500).collect();
        assert!(views.iter().all(|view| view.imported));
        assert!(views.iter().all(|view| view.age_ms == 60_000));
    }

    #[test]
    fn what_is_older_than_a_lifetime_is_discarded() {
        let image = taught().sessions.export(NOW);
        let mut bench = Bench::default();
        let imported = bench.sessions.import(&image, later(5_400_001)).unwrap();
        assert_eq!((imported.taken, imported.discarded), (0, 3));
        let imported = bench.sessions.import(&image, later(5_400_000)).unwrap();
        assert_eq!(imported.taken, 3);
        bench.now_ms = 501;
        bench.send(&v9(1, 9, &[set(256, &[1; 8])]));
        assert_eq!(bench.recorder.sets, [(256, SetOutcome::NoTemplate)]);
    }

    /// P-413: the first definition received wins.
    #[test]
    fn the_wire_wins_over_what_an_earlier_run_left() {
        let image = taught().sessions.export(NOW);
        let mut bench = Bench::default();
        bench.send(&v9(1, 0, &[set(0, &template(256, &[(8, 2)]))]));
        bench.sessions.import(&image, later(0)).unwrap();
        bench.send(&v9(1, 1, &[set(256, &[1; 8])]));
        assert_eq!(bench.recorder.sets[1].1, SetOutcome::Ok(4));
        bench.send(&ipfix(7, 0, &[set(2, &template(300, &[(8, 2)]))]));
        bench.send(&ipfix(7, 0, &[set(300, &[1; 8])]));
        assert_eq!(bench.recorder.sets[3].1, SetOutcome::Ok(4));
        assert_eq!(bench.sessions.stats().templates.redefined, 0);
    }

    #[test]
    fn templates_of_sessions_on_probation_are_not_kept() {
        let mut bench = Bench::default();
        bench.send(&v9(1, 0, &[set(0, &template(256, &[(8, 4)]))]));
        let image = bench.sessions.export(NOW);
        let imported = Bench::default().sessions.import(&image, later(0)).unwrap();
        assert_eq!(imported, Imported::default());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let image = taught().sessions.export(NOW);
        for at in 0..image.len() * 8 {
            let mut damaged = image.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(
                Bench::default()
                    .sessions
                    .import(&damaged, later(0))
                    .is_err()
            );
        }
        for length in 0..image.len() {
            let mut bench = Bench::default();
            assert!(bench.sessions.import(&image[..length], later(0)).is_err());
        }
    }

    /// P-833: a checksum is no proof of sense.
    #[test]
    fn entries_are_judged_as_if_they_came_by_wire() {
        let mut image = taught().sessions.export(NOW);
        let content = image.len() - 4;
        // Template ids and counts of all entries become nonsense.
        for at in 18..content {
            if image[at..content].starts_with(&[1, 0, 0, 2]) {
                image[at + 3] = 200;
            }
        }
        let checksum = crc32(&image[..content]).to_be_bytes();
        image[content..].copy_from_slice(&checksum);
        let imported = Bench::default().sessions.import(&image, later(0)).unwrap();
        assert_eq!((imported.taken, imported.discarded), (2, 1));
    }

    #[test]
    fn the_checksum_is_the_one_of_ieee_802_3() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
