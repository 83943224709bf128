//! What the fuzz targets start from: `fuzz/corpus/TARGET/NAME.bin`.
//!
//! `UPDATE=1` writes the files anew.

use std::fs;
use std::path::Path;

use super::*;
use crate::element::lookup;

/// Compares a seed with its file, or writes it.
fn check(target: &str, name: &str, octets: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let file = path.join(name).with_extension("bin");
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path).unwrap();
        fs::write(&file, octets).unwrap();
    }
    assert_eq!(fs::read(&file).unwrap(), octets, "{}", file.display());
}

/// A v5 Message of `count` records, numbered octet by octet.
fn numbered(count: u8) -> Vec<u8> {
    let mut writer = MessageWriter::new(Header::new(Version::V5, 1_700_000_000, 7, 0x0102));
    for record in 0..count {
        let octets: Vec<u8> = (0..48).map(|octet| octet ^ record).collect();
        writer.record(&v5::template(), &octets);
    }
    writer.finish().unwrap()
}

/// A Message with one list in one record, and the Templates both need.
fn with_list(kind: u16, list: &[u8]) -> Vec<u8> {
    let outer = template(Version::Ipfix, 256, &[field(8, 4), field(kind, VARIABLE)]);
    let inner = template(Version::Ipfix, 257, &[field(4, 1), field(82, VARIABLE)]);
    let known = |id: u16| (id == inner.id).then_some(&inner);
    let of = ListKind::of(lookup(ElementId::iana(kind)).unwrap().data_type).unwrap();
    assert!(ListReader::new(&known, 100).read(of, list).is_ok());

    let mut writer = MessageWriter::new(Header::new(Version::Ipfix, 1_700_000_000, 7, 1));
    writer.define(&outer);
    writer.define(&inner);
    let mut record = Vec::new();
    put_record(&mut record, &outer, [&[192, 0, 2, 1][..], list]).unwrap();
    writer.record(&outer, &record);
    writer.finish().unwrap()
}

#[test]
fn the_seeds_of_v5_are_what_the_writer_writes() {
    check("wire_v5", "empty", &numbered(0));
    check("wire_v5", "two", &numbered(2));
    check(
        "wire_v5",
        "several-messages",
        &[numbered(2), numbered(1)].concat(),
    );
    check("wire_v5", "trailing", &[numbered(1), vec![0; 6]].concat());
}

#[test]
fn the_seeds_of_lists_are_what_the_writer_writes() {
    let records = [4, 1, 1, 6, 1, b'a', 17, 0];
    check(
        "lists",
        "basic",
        &with_list(291, &[3, 0, 4, 0, 1, 6, 17, 47]),
    );
    check(
        "lists",
        "basic-variable",
        &with_list(291, &[3, 0, 82, 0xff, 0xff, 1, b'a', 0]),
    );
    check("lists", "sub-template", &with_list(292, &records));
    let parts = [255, 1, 1, 0, 7, 6, 1, b'a', 2, 0, 0, 0, 2, 1, 0, 4];
    check("lists", "sub-template-multi", &with_list(293, &parts));
    let nested = [&[3, 1, 0x24, 0xff, 0xff, 8][..], &records].concat();
    check("lists", "nested", &with_list(291, &nested));
}
