//! Which compressions are taken and given, and what clients are told otherwise.

use bytes::Bytes;

use super::Failure;
use crate::sink::Compression;
use crate::sink::Compressor;
use crate::sink::decompress;

/// The compression that `x-log-compresstype` names.
///
/// # Errors
/// `InvalidCompressType`.
pub(super) fn of_body(name: &str) -> Result<Compression, Failure> {
    let known = Compression::from_name(name).filter(|known| *known != Compression::None);
    known.ok_or_else(|| {
        let message = format!("x-log-compresstype {name} is unsupported");
        Failure::bad("InvalidCompressType", message)
    })
}

/// The first compression of an `Accept-Encoding` that answers can have.
///
/// Only those that the SDKs undo by `x-log-compresstype`: what HTTP
/// libraries ask for by themselves (`gzip, deflate`) is no wish of theirs.
pub(super) fn of_answer(accepted: &str) -> Option<Compression> {
    accepted.split(',').find_map(|name| match name.trim() {
        "lz4" => Some(Compression::Lz4),
        "zstd" => Some(Compression::Zstd),
        _ => None,
    })
}

/// The body as it was, which must be of the size told.
///
/// `raw_bytes` is allocated at once: the caller has capped it.
///
/// # Errors
/// `PostBodyUncompressError`.
pub(super) fn undo(
    compression: Compression,
    body: &[u8],
    raw_bytes: usize,
) -> Result<Bytes, Failure> {
    let raw = decompress(compression, body, raw_bytes, raw_bytes);
    raw.map(Bytes::from).map_err(|_| {
        let name = compression.name().unwrap_or_default();
        let message = format!("the body is no {name} of {raw_bytes} octets");
        Failure::bad("PostBodyUncompressError", message)
    })
}

/// An answer's body, smaller.
///
/// # Errors
/// The library has no memory left.
pub(super) fn apply(compression: Compression, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut small = Vec::new();
    Compressor::new(compression)
        .and_then(|mut compressor| compressor.compress(body, &mut small))
        .map_err(|_| Failure::internal("the answer could not be compressed"))?;
    Ok(small)
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
            (Compression::Lz4, apply(Compression::Lz4, &raw).unwrap()),
            (Compression::Zstd, apply(Compression::Zstd, &raw).unwrap()),
            (Compression::Deflate, zlib(&raw)),
        ] {
            let back = undo(kind, &body, raw.len()).unwrap();
            assert_eq!(back, raw, "{kind:?}");
        }
    }

    #[test]
    fn a_body_of_another_size_than_told_is_refused() {
        let raw = vec![b'x'; 1000];
        for (kind, body) in [
            (Compression::Lz4, apply(Compression::Lz4, &raw).unwrap()),
            (Compression::Zstd, apply(Compression::Zstd, &raw).unwrap()),
            (Compression::Deflate, zlib(&raw)),
        ] {
            for told in [0, 999, 1001] {
                let refusal = undo(kind, &body, told).unwrap_err();
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
            assert_eq!(of_answer(accepted), chosen, "{accepted}");
        }
    }
}
