//! Bodies made small, and made large again within limits.

use std::io;

use flate2::Compress;
use flate2::Decompress;
use flate2::FlushCompress;
use flate2::FlushDecompress;
use flate2::Status;
use lz4_flex::block::CompressTable;
use lz4_flex::block::compress_into_with_table;
use lz4_flex::block::decompress_into;
use lz4_flex::block::get_maximum_output_size;
use thiserror::Error;
use zstd::bulk;

/// How a body is compressed: the header `x-log-compresstype`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Compression {
    /// Not at all; the header is absent.
    None,
    /// A raw LZ4 block, without its size in front.
    #[default]
    Lz4,
    /// A Zstandard frame.
    Zstd,
    /// A zlib stream (RFC 1950), whatever its name says.
    Deflate,
}

impl Compression {
    /// The header's value.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Lz4 => Some("lz4"),
            Self::Zstd => Some("zstd"),
            Self::Deflate => Some("deflate"),
        }
    }

    /// Reads the header's value; SDKs that say gzip send zlib streams too.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "" => Some(Self::None),
            "lz4" => Some(Self::Lz4),
            "zstd" => Some(Self::Zstd),
            "deflate" | "gzip" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// Compresses body after body, with tables that it keeps.
pub struct Compressor {
    method: Method,
}

enum Method {
    None,
    Lz4(CompressTable),
    Zstd(bulk::Compressor<'static>),
    Deflate(Compress),
}

impl Compressor {
    /// A compressor of one kind, at the level that is fastest.
    ///
    /// # Errors
    /// No memory for Zstandard's tables.
    pub fn new(compression: Compression) -> Result<Self, CompressError> {
        let method = match compression {
            Compression::None => Method::None,
            Compression::Lz4 => Method::Lz4(CompressTable::large()),
            Compression::Zstd => Method::Zstd(bulk::Compressor::new(ZSTD_LEVEL)?),
            Compression::Deflate => {
                Method::Deflate(Compress::new(flate2::Compression::fast(), true))
            }
        };
        Ok(Self { method })
    }

    /// Puts the compressed `raw` in place of what is in `out`.
    ///
    /// The header `x-log-bodyrawsize` is the length of `raw`.
    ///
    /// # Errors
    /// What the library says; none is known to occur.
    pub fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Result<(), CompressError> {
        match &mut self.method {
            Method::None => {
                out.clear();
                out.extend_from_slice(raw);
            }
            Method::Lz4(table) => {
                out.resize(get_maximum_output_size(raw.len()), 0);
                let length = compress_into_with_table(raw, out, table)?;
                out.truncate(length);
            }
            Method::Zstd(compressor) => {
                out.clear();
                out.reserve(zstd::zstd_safe::compress_bound(raw.len()));
                compressor.compress_to_buffer(raw, out)?;
            }
            Method::Deflate(compressor) => {
                compressor.reset();
                out.clear();
                // The fastest level writes an octet with at most 9 bits.
                out.reserve(raw.len() + raw.len() / 8 + DEFLATE_FRAME_MAX);
                let status = compressor.compress_vec(raw, out, FlushCompress::Finish)?;
                if status != Status::StreamEnd {
                    return Err(CompressError::Deflate);
                }
            }
        }
        Ok(())
    }
}

/// Why a body could not be compressed.
#[derive(Debug, Error)]
pub enum CompressError {
    /// LZ4.
    #[error("cannot compress with lz4: {0}")]
    Lz4(#[from] lz4_flex::block::CompressError),
    /// Zstandard.
    #[error("cannot compress with zstd: {0}")]
    Zstd(#[from] io::Error),
    /// zlib.
    #[error("cannot compress with deflate")]
    Deflate,
}

impl From<flate2::CompressError> for CompressError {
    fn from(_: flate2::CompressError) -> Self {
        Self::Deflate
    }
}

/// Reads a body whose sender says that it has `raw_bytes` when decompressed.
///
/// Takes no more memory than `raw_bytes`, which may be at most `max`.
///
/// # Errors
/// More than `max`, not exactly `raw_bytes`, or not of this kind.
pub fn decompress(
    compression: Compression,
    body: &[u8],
    raw_bytes: usize,
    max: usize,
) -> Result<Vec<u8>, DecompressError> {
    if raw_bytes > max {
        return Err(DecompressError::TooLarge { raw_bytes, max });
    }
    let raw = match compression {
        Compression::None => (body.len() == raw_bytes).then(|| body.to_vec()),
        Compression::Lz4 => unlz4(body, raw_bytes),
        Compression::Zstd => bulk::decompress(body, raw_bytes).ok(),
        Compression::Deflate => inflate(body, raw_bytes),
    };
    let raw = raw.filter(|raw| raw.len() == raw_bytes);
    raw.ok_or(DecompressError::Damaged { raw_bytes })
}

fn unlz4(body: &[u8], raw_bytes: usize) -> Option<Vec<u8>> {
    // An octet of a block stands for at most 255 octets.
    if raw_bytes / LZ4_RATIO_MAX > body.len() {
        return None;
    }
    let mut raw = vec![0; raw_bytes];
    let length = decompress_into(body, &mut raw).ok()?;
    (length == raw_bytes).then_some(raw)
}

fn inflate(body: &[u8], raw_bytes: usize) -> Option<Vec<u8>> {
    // One more than it may fill, so that a longer stream shows.
    let mut raw = Vec::with_capacity(raw_bytes.checked_add(1)?);
    let mut stream = Decompress::new(true);
    let status = stream.decompress_vec(body, &mut raw, FlushDecompress::Finish);
    matches!(status, Ok(Status::StreamEnd)).then_some(raw)
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DecompressError {
    /// The sender announces more than is taken.
    #[error("body of {raw_bytes} octets is larger than {max}")]
    TooLarge {
        /// What it announces.
        raw_bytes: usize,
        /// What is taken.
        max: usize,
    },
    /// Not what the sender announces.
    #[error("body does not decompress to {raw_bytes} octets")]
    Damaged {
        /// What it announces.
        raw_bytes: usize,
    },
}

/// The fastest level that is not a special one; so do the SDKs.
const ZSTD_LEVEL: i32 = 1;
/// Octets around the content of a zlib stream, and some to spare.
const DEFLATE_FRAME_MAX: usize = 64;
/// How much larger than a raw LZ4 block its content can be.
const LZ4_RATIO_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    const ALL: [Compression; 4] = [
        Compression::None,
        Compression::Lz4,
        Compression::Zstd,
        Compression::Deflate,
    ];

    fn compressed(compression: Compression, raw: &[u8]) -> Vec<u8> {
        let mut out = b"what was there before".to_vec();
        let mut compressor = Compressor::new(compression).unwrap();
        // The second body must not depend on the first.
        compressor.compress(b"another body", &mut out).unwrap();
        compressor.compress(raw, &mut out).unwrap();
        out
    }

    #[test]
    fn names_are_those_of_the_header() {
        for compression in ALL {
            let name = compression.name().unwrap_or_default();
            assert_eq!(Compression::from_name(name), Some(compression));
        }
        assert_eq!(Compression::from_name("gzip"), Some(Compression::Deflate));
        assert_eq!(Compression::from_name("LZ4"), None);
    }

    #[test]
    fn repetition_becomes_small() {
        let raw = b"srcaddr".repeat(1000);
        let lengths = ALL.map(|compression| compressed(compression, &raw).len());
        assert_eq!(lengths[0], 7000);
        assert!(
            lengths[1..].iter().all(|length| *length < 100),
            "{lengths:?}"
        );
    }

    #[test]
    fn an_announced_size_above_the_limit_is_refused_unread() {
        for compression in ALL {
            let refusal = decompress(compression, b"", usize::MAX, 10 << 20);
            let error = DecompressError::TooLarge {
                raw_bytes: usize::MAX,
                max: 10 << 20,
            };
            assert_eq!(refusal, Err(error));
        }
    }

    #[test]
    fn a_bomb_stops_at_the_announced_size() {
        let raw = vec![0; 1 << 20];
        for compression in ALL {
            let bomb = compressed(compression, &raw);
            for raw_bytes in [0, 1, 1000, (1 << 20) - 1, (1 << 20) + 1] {
                let error = DecompressError::Damaged { raw_bytes };
                let read = decompress(compression, &bomb, raw_bytes, 2 << 20);
                assert_eq!(read, Err(error), "{compression:?}");
            }
        }
    }

    #[test]
    fn a_body_cut_anywhere_is_damaged() {
        let raw = b"srcaddr 10.0.0.1 dstaddr 10.0.0.2 ".repeat(4);
        for compression in ALL {
            let body = compressed(compression, &raw);
            for length in 0..body.len() {
                let read = decompress(compression, &body[..length], raw.len(), 1 << 20);
                let error = DecompressError::Damaged {
                    raw_bytes: raw.len(),
                };
                assert_eq!(read, Err(error), "{compression:?} cut at {length}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_compressed_can_be_read(raw in vec(any::<u8>(), 0..5000)) {
            for compression in ALL {
                let body = compressed(compression, &raw);
                let read = decompress(compression, &body, raw.len(), 5000);
                prop_assert_eq!(read.as_deref(), Ok(raw.as_slice()));
            }
        }

        #[test]
        fn no_body_is_read_for_more_than_it_announces(
            body in vec(any::<u8>(), 0..200),
            raw_bytes in 0_usize..5000,
        ) {
            for compression in ALL {
                if let Ok(raw) = decompress(compression, &body, raw_bytes, 4000) {
                    prop_assert_eq!(raw.len(), raw_bytes);
                }
            }
        }
    }
}
