//! Any changed octet of what is signed is noticed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(captures::good);

/// What a scheme protects of a request.
#[derive(Debug, Eq, PartialEq)]
struct Essence {
    line: Vec<String>,
    parameters: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn essence(sample: &Sample) -> Option<Essence> {
    sample.arrived(|arrived| {
        let (_, scheme) = Scheme::of(arrived);
        let mut line = vec![format!("{scheme:?}"), arrived.method.to_owned()];
        let merged = || {
            let merged = arrived.merged().into_iter();
            merged.map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let mut parameters = Vec::new();
        let mut names = vec!["authorization"];
        let mut body = Vec::new();
        match scheme {
            Scheme::AlibabaRpc => {
                parameters.extend(merged());
                names.clear();
            }
            Scheme::AlibabaV3 => {
                line.push(arrived.path.to_owned());
                parameters = super::parameters(arrived.raw_query).unwrap();
                names.extend(signed_names(arrived));
                body.extend(arrived.body);
            }
            Scheme::TencentV3 => {
                line.extend([arrived.path.to_owned(), arrived.raw_query.to_owned()]);
                names.extend(signed_names(arrived));
                names.extend(["x-tc-timestamp", "x-tc-content-sha256"]);
                let payload = arrived.header("x-tc-content-sha256");
                if payload.is_none() {
                    body.extend(arrived.body);
                }
            }
            Scheme::TencentOld => {
                line.push(arrived.path.to_owned());
                parameters.extend(merged().map(|(name, value)| (name.replace('_', "."), value)));
                names.clear();
            }
        }
        parameters.sort();
        let values = names.into_iter().map(|name| {
            let value = arrived.header(name).unwrap_or_default();
            let is_any_case = scheme == Scheme::TencentV3 && name != "authorization";
            let value = if is_any_case {
                value.to_lowercase()
            } else {
                value.to_owned()
            };
            (name.to_owned(), value)
        });
        Essence {
            line,
            parameters,
            headers: values.collect(),
            body,
        }
    })
}

fn signed_names<'a>(arrived: &Arrived<'a>) -> Vec<&'a str> {
    let header = arrived.header("authorization").unwrap_or_default();
    let names = header.split_once("SignedHeaders=");
    let names = names.and_then(|(_, rest)| rest.split_once(','));
    names.map_or_else(Vec::new, |(names, _)| names.split(';').collect())
}

/// Puts an octet in the place of another, somewhere in the request; none when
/// it was the same.
fn tampered(sample: &Sample, part: usize, place: usize, octet: u8) -> Option<Sample> {
    let mut changed = sample.clone();
    let put = |text: &mut String| {
        let mut octets = std::mem::take(text).into_bytes();
        let place = place % octets.len().max(1);
        if let Some(old) = octets.get_mut(place) {
            *old = octet;
        }
        *text = String::from_utf8(octets).ok()?;
        Some(())
    };
    match part {
        0 => put(&mut changed.method)?,
        1 | 2 => put(&mut changed.target)?,
        3 | 4 => {
            let count = changed.headers.len();
            let (_, value) = changed.headers.get_mut(place % count)?;
            put(value)?;
        }
        _ => {
            let place = place % changed.body.len().max(1);
            *changed.body.get_mut(place)? = octet;
        }
    }
    Some(changed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn a_changed_octet_of_what_is_signed_is_noticed(
        which in any::<prop::sample::Index>(),
        part in 0_usize..7,
        place in any::<usize>(),
        octet in 0x20_u8..0x7f,
    ) {
        let sample = which.get(&SAMPLES);
        let Some(changed) = tampered(sample, part, place, octet) else {
            return Ok(());
        };
        let Some(after) = essence(&changed) else {
            return Ok(());
        };
        let is_same = essence(sample).as_ref() == Some(&after);
        let verdict = changed.verdict(&ours(), CAPTURED_AT);
        if !is_same {
            prop_assert!(verdict.is_err(), "{changed:?}");
        }
    }

    #[test]
    fn an_added_parameter_is_noticed(
        which in any::<prop::sample::Index>(),
        name in "[a-zA-Z][a-zA-Z0-9._]{0,8}",
        value in "[^@\\x00-\\x1f%&=+ ]{0,8}",
    ) {
        let sample = which.get(&SAMPLES);
        let mut changed = sample.clone();
        let mark = if changed.target.contains('?') { '&' } else { '?' };
        changed.target.push(mark);
        changed.target.push_str(&format!("{name}={}", escaped(&value)));
        let is_same = essence(sample) == essence(&changed);
        prop_assert_eq!(changed.verdict(&ours(), CAPTURED_AT).is_ok(), is_same);
    }

    #[test]
    fn nothing_that_arrives_is_too_odd(
        method in ".{0,8}",
        target in "[/?]{0,2}(Action|SecretId|Signature|Nonce|[&=%_@.0-9a-z])*",
        authorization in "(ACS3-HMAC-SHA256 |TC3-HMAC-SHA256 |Credential=|SignedHeaders=|Signature=|[,;/ a-z])*",
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let sample = Sample {
            method,
            target,
            headers: vec![("authorization".to_owned(), authorization)],
            body,
        };
        let window = Window::default();
        let now = SIGNED_AT.parse().unwrap();
        for scheme in [
            Scheme::AlibabaRpc,
            Scheme::AlibabaV3,
            Scheme::TencentV3,
            Scheme::TencentOld,
        ] {
            let mut replays = Replays::default();
            let is_denied = sample.arrived(|arrived| {
                verify(arrived, scheme, &ours(), &window, now, &mut replays).is_err()
            });
            prop_assert_ne!(is_denied, Some(false));
        }
    }
}
