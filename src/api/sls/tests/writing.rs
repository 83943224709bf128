//! PutLogs in all its forms.

use std::io::Write as _;

use prost::Message as _;

use super::{NOW_S, get, group, open, put, put_body};
use crate::api::sls::compress;
use crate::sink::Compression;

const ALL: &str = "/logstores/flows?type=log&from=0&to=1900000000";

#[tokio::test]
async fn logs_are_put_through_three_urls() {
    for target in [
        "/logstores/flows",
        "/logstores/flows/shards/lb",
        "/logstores/flows/shards/route?key=00000000000000000000000000000001&seqid=7",
    ] {
        let front = open();
        let put = put_body(&front, target, group("t", 3).encode_to_vec(), &[]).await;
        assert_eq!((put.status, put.body.len()), (200, 0), "{target}");
        assert_eq!(get(&front, ALL).await.header("x-log-count"), "3");
    }
}

#[tokio::test]
async fn logs_are_put_in_four_compressions() {
    let raw = group("t", 3).encode_to_vec();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&raw).unwrap();
    let zlib = zlib.finish().unwrap();
    let size = raw.len().to_string();
    for (name, body) in [
        ("lz4", compress::apply(Compression::Lz4, &raw).unwrap()),
        ("zstd", compress::apply(Compression::Zstd, &raw).unwrap()),
        ("deflate", zlib.clone()),
        ("gzip", zlib),
    ] {
        let front = open();
        let headers = [
            ("x-log-compresstype", name),
            ("x-log-bodyrawsize", size.as_str()),
        ];
        let put = put_body(&front, "/logstores/flows", body, &headers).await;
        assert_eq!(put.status, 200, "{name}: {put:?}");
        assert_eq!(get(&front, ALL).await.header("x-log-count"), "3", "{name}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_log_group_is_refused() {
    let front = open();
    let raw = group("t", 3).encode_to_vec();
    let cut = raw[..raw.len() - 1].to_vec();
    let lz4 = ("x-log-compresstype", "lz4");
    let size = ("x-log-bodyrawsize", "5");
    let text = ("Content-Type", "text/plain");
    for (body, headers, status, code) in [
        (cut, &[][..], 400, "PostBodyInvalid"),
        (b"{}".to_vec(), &[], 400, "PostBodyInvalid"),
        (vec![0x1a, 1, 0xff], &[], 400, "InvalidEncoding"),
        (
            raw.clone(),
            &[("x-log-compresstype", "br")],
            400,
            "InvalidCompressType",
        ),
        (raw.clone(), &[lz4], 400, "MissingBodyRawSize"),
        (
            raw.clone(),
            &[lz4, ("x-log-bodyrawsize", "-1")],
            400,
            "InvalidBodyRawSize",
        ),
        (raw.clone(), &[lz4, size], 400, "PostBodyUncompressError"),
        (
            raw.clone(),
            &[("x-log-mode", "batch_group")],
            400,
            "ParameterInvalid",
        ),
    ] {
        let refused = put_body(&front, "/logstores/flows", body, headers).await;
        assert_eq!(refused.refusal(), (status, code.to_owned()));
    }
    let request = super::request("POST", "/logstores/flows").header(text.0, text.1);
    let refused = super::send(&front, request.body(raw.into()).unwrap()).await;
    assert_eq!(refused.refusal(), (415, "InvalidContentType".to_owned()));
    assert_eq!(get(&front, ALL).await.header("x-log-count"), "0");
}

#[tokio::test]
async fn logs_for_a_logstore_that_is_not_there_are_refused() {
    let front = open();
    let body = group("t", 1).encode_to_vec();
    let refused = put_body(&front, "/logstores/none", body, &[]).await;
    assert_eq!(refused.refusal(), (404, "LogStoreNotExist".to_owned()));
}

#[tokio::test]
async fn one_log_out_of_the_window_refuses_its_group() {
    let front = open();
    for (time, status) in [
        (NOW_S - 7 * 86_400 - 1, 400),
        (NOW_S - 7 * 86_400, 200),
        (NOW_S + 900, 200),
        (NOW_S + 901, 400),
    ] {
        let mut group = group("t", 2);
        group.logs[1].time = time;
        let answer = put(&front, &group).await;
        assert_eq!(answer.status, status, "{time}");
        if status == 400 {
            assert_eq!(answer.refusal().1, "PostBodyInvalid");
        }
    }
    assert_eq!(get(&front, ALL).await.header("x-log-count"), "4");
}

/// An empty log is two octets on the wire.
#[tokio::test]
async fn a_group_of_too_many_logs_is_refused_before_it_is_built() {
    let front = open();
    let mut log = vec![0x0a, 6, 0x08];
    prost::encoding::encode_varint(u64::from(NOW_S), &mut log);
    assert_eq!(log.len(), 8);
    let refused = put_body(&front, "/logstores/flows", log.repeat(100_001), &[]).await;
    assert_eq!(refused.refusal(), (413, "PostBodyTooLarge".to_owned()));
    let fine = put_body(&front, "/logstores/flows", log.repeat(10), &[]).await;
    assert_eq!(fine.status, 200);
}
