//! How much an encoded log group (proto2) holds, before it is built.

use bytes::Buf;

/// How much a log group holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Measure {
    /// Logs.
    pub(super) logs: usize,
    /// Fields of all logs, and tags.
    pub(super) fields: usize,
}

/// Counts what an encoded log group holds, without building it: two octets
/// of an empty log become forty in memory.
///
/// None when it is not well-formed, or when a field that the schema requires
/// is missing, which prost would let pass.
pub(super) fn measure(group: &[u8]) -> Option<Measure> {
    let mut measure = Measure::default();
    let mut group = Fields(group);
    while let Some(field) = group.next()? {
        match field {
            Field::Octets(1, log) => measure.add_log(log)?,
            Field::Octets(6, tag) => measure.add_pair(tag)?,
            Field::Octets(..) | Field::Other(_) => {}
        }
    }
    Some(measure)
}

impl Measure {
    fn add_log(&mut self, log: &[u8]) -> Option<()> {
        self.logs += 1;
        let mut has_time = false;
        let mut log = Fields(log);
        while let Some(field) = log.next()? {
            match field {
                Field::Octets(2, pair) => self.add_pair(pair)?,
                Field::Other(1) => has_time = true,
                Field::Octets(..) | Field::Other(_) => {}
            }
        }
        has_time.then_some(())
    }

    fn add_pair(&mut self, pair: &[u8]) -> Option<()> {
        self.fields += 1;
        let (mut has_key, mut has_value) = (false, false);
        let mut pair = Fields(pair);
        while let Some(field) = pair.next()? {
            match field {
                Field::Octets(1, _) => has_key = true,
                Field::Octets(2, _) => has_value = true,
                Field::Octets(..) | Field::Other(_) => {}
            }
        }
        (has_key && has_value).then_some(())
    }
}

/// A field of an encoded message, by its number.
enum Field<'a> {
    /// Length-delimited.
    Octets(usize, &'a [u8]),
    /// A number of any size.
    Other(usize),
}

/// The fields of an encoded message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The next field, none at the end; an outer none when it is malformed.
    fn next(&mut self) -> Option<Option<Field<'a>>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        let field = match key & 7 {
            0 => {
                self.varint()?;
                Field::Other(number)
            }
            1 => self.skip(8, number)?,
            2 => {
                let length = self.varint()?;
                let (octets, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Field::Octets(number, octets)
            }
            5 => self.skip(4, number)?,
            _ => return None,
        };
        Some(Some(field))
    }

    fn skip(&mut self, octets: usize, number: usize) -> Option<Field<'a>> {
        let (_, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(Field::Other(number))
    }

    fn varint(&mut self) -> Option<usize> {
        let mut left = self.0;
        let value = prost::decode_length_delimiter(&mut left).ok()?;
        let read = self.0.len().checked_sub(left.remaining())?;
        self.0 = self.0.get(read..)?;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use prost::Message as _;

    use super::*;
    use crate::sink::Content;
    use crate::sink::Log;
    use crate::sink::LogGroup;
    use crate::sink::LogTag;

    fn group() -> LogGroup {
        let content = |key: &str, value: &'static [u8]| Content {
            key: key.to_owned(),
            value: Bytes::from_static(value),
        };
        let log = |time| Log {
            time,
            contents: vec![content("srcaddr", b"10.0.0.1"), content("raw", b"\xff\x00")],
            time_ns: Some(7),
        };
        LogGroup {
            logs: vec![log(1), log(2)],
            topic: Some("netflow".to_owned()),
            log_tags: vec![LogTag {
                key: "__pack_id__".to_owned(),
                value: "A-1".to_owned(),
            }],
            ..LogGroup::default()
        }
    }

    #[test]
    fn a_group_is_measured_without_building_it() {
        let measured = measure(&group().encode_to_vec());
        assert_eq!(measured, Some(Measure { logs: 2, fields: 5 }));
        assert_eq!(measure(&[]), Some(Measure::default()));
    }

    #[test]
    fn a_group_that_is_cut_short_is_malformed() {
        let whole = group().encode_to_vec();
        // After the logs, the topic and the tag a shorter group ends well.
        let ends: Vec<_> = (0..whole.len())
            .filter(|end| measure(&whole[..*end]).is_some())
            .collect();
        assert_eq!(ends, [0, 41, 82, 91]);
    }

    #[test]
    fn a_log_without_time_or_a_field_without_value_is_malformed() {
        assert_eq!(measure(&[0x0a, 0x00]), None);
        let only_key = [0x0a, 0x07, 0x08, 0x01, 0x12, 0x03, 0x0a, 0x01, b'k'];
        assert_eq!(measure(&only_key), None);
    }

    #[test]
    fn values_need_not_be_text() {
        let decoded = LogGroup::decode(Bytes::from(group().encode_to_vec())).unwrap();
        assert_eq!(decoded, group());
    }
}
