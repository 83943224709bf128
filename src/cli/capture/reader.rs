//! Frames of a pcap or pcapng file.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError, TsResolution};

/// First octets of a pcapng file, in either byte order.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const NANOS_PER_SEC: u128 = 1_000_000_000;

/// Why a capture could not be read on.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ReadError {
    /// The file could not be opened or read.
    #[error("reading the capture")]
    Io(#[from] io::Error),
    /// Not a capture, or a damaged one.
    #[error("byte {position}: not a pcap or pcapng capture, or a damaged one")]
    Format {
        /// Octets read before that.
        position: u64,
        /// What the parser says.
        source: PcapError,
    },
}

/// One frame as captured.
pub(super) struct Frame {
    pub(super) time: Duration,
    /// LINKTYPE_ number of tcpdump.org.
    pub(super) link_type: u32,
    pub(super) octets: Vec<u8>,
}

/// Reads either format.
pub(super) struct Reader {
    format: Format,
    position: Rc<Cell<u64>>,
    length: u64,
}

enum Format {
    Pcap(PcapReader<Input>),
    PcapNg(Box<PcapNgReader<Input>>),
}

/// The file with its first octets put back, counting what is read.
type Input = Counted<io::Chain<io::Cursor<Vec<u8>>, File>>;

pub(super) struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count
            .set(self.count.get() + u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic)?;
        let is_pcapng = magic == PCAPNG_MAGIC;
        let position = Rc::new(Cell::new(0));
        let input = Counted {
            inner: io::Cursor::new(magic).chain(file),
            count: Rc::clone(&position),
        };
        let format = if is_pcapng {
            PcapNgReader::new(input).map(|reader| Format::PcapNg(Box::new(reader)))
        } else {
            PcapReader::new(input).map(Format::Pcap)
        };
        match format {
            Ok(format) => Ok(Self {
                format,
                position,
                length,
            }),
            Err(source) => Err(damaged(source, position.get())),
        }
    }

    /// The next frame; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        let frame = match &mut self.format {
            Format::Pcap(reader) => next_pcap(reader),
            Format::PcapNg(reader) => next_pcapng(reader),
        };
        frame.map_err(|source| damaged(source, self.position.get()))
    }

    pub(super) fn position(&self) -> u64 {
        self.position.get()
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

fn damaged(source: PcapError, position: u64) -> ReadError {
    if let PcapError::IoError(error) = source {
        return error.into();
    }
    ReadError::Format { position, source }
}

/// Takes raw packets: writers disagree on what the header's snap length means.
fn next_pcap(reader: &mut PcapReader<Input>) -> Result<Option<Frame>, PcapError> {
    let header = reader.header();
    let Some(packet) = reader.next_raw_packet().transpose()? else {
        return Ok(None);
    };
    let fraction = match header.ts_resolution {
        TsResolution::MicroSecond => Duration::from_micros(packet.ts_frac.into()),
        TsResolution::NanoSecond => Duration::from_nanos(packet.ts_frac.into()),
    };
    Ok(Some(Frame {
        time: Duration::from_secs(packet.ts_sec.into()) + fraction,
        link_type: header.datalink.into(),
        octets: packet.data.into_owned(),
    }))
}

/// What a pcapng interface says of its packets.
#[derive(Clone, Copy)]
struct Interface {
    link: DataLink,
    units_per_sec: u128,
}

fn next_pcapng(reader: &mut PcapNgReader<Input>) -> Result<Option<Frame>, PcapError> {
    loop {
        let interfaces: Vec<Interface> = reader.interfaces().iter().map(interface).collect();
        let Some(block) = reader.next_block().transpose()? else {
            return Ok(None);
        };
        let (id, units, octets) = match block {
            // The parser gives the timestamp's units as if they were nanoseconds.
            Block::EnhancedPacket(packet) => (
                packet.interface_id,
                packet.timestamp.as_nanos(),
                packet.data,
            ),
            Block::SimplePacket(packet) => (0, 0, packet.data),
            Block::Packet(packet) => (
                packet.interface_id.into(),
                u128::from(packet.timestamp),
                packet.data,
            ),
            Block::SectionHeader(_)
            | Block::InterfaceDescription(_)
            | Block::NameResolution(_)
            | Block::InterfaceStatistics(_)
            | Block::SystemdJournalExport(_)
            | Block::Unknown(_) => continue,
        };
        let interface = usize::try_from(id)
            .ok()
            .and_then(|id| interfaces.get(id))
            .copied();
        let interface = interface.ok_or(PcapError::InvalidInterfaceId(id))?;
        let nanos = units.saturating_mul(NANOS_PER_SEC) / interface.units_per_sec;
        return Ok(Some(Frame {
            time: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
            link_type: interface.link.into(),
            octets: octets.into_owned(),
        }));
    }
}

/// Units are microseconds unless `if_tsresol` says else: a power of 10, or of
/// 2 with the top bit set. draft-ietf-opsawg-pcapng §4.2.
fn interface(block: &InterfaceDescriptionBlock<'_>) -> Interface {
    let exponent = block.options.iter().find_map(|option| {
        if let InterfaceDescriptionOption::IfTsResol(exponent) = option {
            return Some(*exponent);
        }
        None
    });
    let units_per_sec = match exponent {
        None => Some(1_000_000),
        Some(exponent) if exponent & 0x80 == 0 => 10_u128.checked_pow(exponent.into()),
        Some(exponent) => 1_u128.checked_shl((exponent & 0x7f).into()),
    };
    Interface {
        link: block.linktype,
        units_per_sec: units_per_sec.unwrap_or(NANOS_PER_SEC),
    }
}
