//! Bodies compressed and uncompressed, as `x-log-compresstype` names it.

use std::io::Read;

use bytes::Bytes;
use flate2::read::ZlibDecoder;

use super::Failure;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Compression {
    /// A raw LZ4 block: its size is told beside it.
    Lz4,
    /// A Zstandard frame.
    Zstd,
    /// A zlib stream (RFC 1950), whether called `deflate` or `gzip`.
    Zlib,
}

impl Compression {
    /// The compression a request names.
    ///
    /// # Errors
    /// `InvalidCompressType`.
    pub(super) fn of_body(name: &str) -> Result<Self, Failure> {
        match name {
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            "deflate" | "gzip" => Ok(Self::Zlib),
            _ => {
                let message = format!("x-log-compresstype {name} is unsupported");
                Err(Failure::bad("InvalidCompressType", message))
            }
        }
    }

    /// The first compression of an `Accept-Encoding` that answers can have.
    ///
    /// Only those that the SDKs undo by `x-log-compresstype`: what HTTP
    /// libraries ask for by themselves (`gzip, deflate`) is no wish of theirs.
    pub(super) fn of_answer(accepted: &str) -> Option<Self> {
        accepted.split(',').find_map(|name| match name.trim() {
            "lz4" => Some(Self::Lz4),
            "zstd" => Some(Self::Zstd),
            _ => None,
        })
    }

    /// The name in `x-log-compresstype`.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Zlib => "deflate",
        }
    }

    /// The body as it was, which must be of the size told.
    ///
    /// `raw_bytes` is allocated at once: the caller has capped it.
    ///
    /// # Errors
    /// `PostBodyUncompressError`.
    pub(super) fn decompress(self, body: &[u8], raw_bytes: usize) -> Result<Bytes, Failure> {
        let raw = match self {
            Self::Lz4 => lz4_flex::block::decompress(body, raw_bytes).ok(),
            Self::Zstd => zstd::bulk::decompress(body, raw_bytes).ok(),
            Self::Zlib => inflate(body, raw_bytes),
        };
        let raw = raw.filter(|raw| raw.len() == raw_bytes);
        raw.map(Bytes::from).ok_or_else(|| {
            let message = format!("the body is no {} of {raw_bytes} octets", self.label());
            Failure::bad("PostBodyUncompressError", message)
        })
    }

    /// An answer's body, smaller.
    ///
    /// # Errors
    /// The library has no memory left.
    pub(super) fn compress(self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Lz4 => Ok(lz4_flex::block::compress(body)),
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL)
                .map_err(|_| Failure::internal("the answer could not be compressed")),
            Self::Zlib => Err(Failure::internal("answers are never zlib")),
        }
    }
}

/// The fastest: answers are read once.
const ZSTD_LEVEL: i32 = 1;

fn inflate(body: &[u8], raw_bytes: usize) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(raw_bytes);
    // One more than told shows that there is more.
    let most = u64::try_from(raw_bytes).ok()?.checked_add(1)?;
    let mut decoder = ZlibDecoder::new(body).take(most);
    decoder.read_to_end(&mut raw).ok()?;
    Some(raw)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn zlib(raw: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::fast();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(raw).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_compression_gives_back_what_it_took() {
        let raw = b"flow flow flow flow flow".repeat(40);
        for (kind, body) in [
            (Compression::Lz4, Compression::Lz4.compress(&raw).unwrap()),
            (Compression::Zstd, Compression::Zstd.compress(&raw).unwrap()),
            (Compression::Zlib, zlib(&raw)),
        ] {
            let back = kind.decompress(&body, raw.len()).unwrap();
            assert_eq!(back, raw, "{kind:?}");
        }
    }

    #[test]
    fn a_body_of_another_size_than_told_is_refused() {
        let raw = vec![b'x'; 1000];
        for (kind, body) in [
            (Compression::Lz4, Compression::Lz4.compress(&raw).unwrap()),
            (Compression::Zstd, Compression::Zstd.compress(&raw).unwrap()),
            (Compression::Zlib, zlib(&raw)),
        ] {
            for told in [0, 999, 1001] {
                let refusal = kind.decompress(&body, told).unwrap_err();
                assert_eq!(refusal.code, "PostBodyUncompressError", "{kind:?} {told}");
            }
        }
    }

    #[test]
    fn answers_are_compressed_for_those_who_can_read_them() {
        for (accepted, chosen) in [
            ("lz4", Some(Compression::Lz4)),
            ("zstd, lz4", Some(Compression::Zstd)),
            ("gzip, deflate", None),
            ("identity", None),
            ("", None),
        ] {
            assert_eq!(Compression::of_answer(accepted), chosen, "{accepted}");
        }
    }
}
