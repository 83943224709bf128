//! Requests made to cost much.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::*;

#[track_caller]
fn is_cut(verdict: Result<(), Denial>) {
    match verdict {
        Err(Denial::Mismatch { string_to_sign } | Denial::Incomplete { string_to_sign }) => {
            assert!(string_to_sign.len() <= control::STRING_TO_SIGN_MAX);
        }
        other => panic!("{other:?}"),
    }
}

fn with_parameters(sample: &Sample, count: usize, value: &str) -> Sample {
    let mut sample = sample.clone();
    for number in 0..count {
        sample.target.push_str(&format!("&p_{number}={value}"));
    }
    sample
}

/// Time this thread has worked: others may have the processor meanwhile.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

/// Eight times as much takes at most four times eight as long.
#[track_caller]
fn grows_linearly(make: impl Fn(usize) -> Sample) {
    let best = |count| {
        let sample = make(count);
        let took = (0..5).map(|_| {
            let start = worked();
            is_cut(sample.judged());
            worked() - start
        });
        took.min().unwrap()
    };
    let (few, many) = (best(2_000), best(16_000));
    assert!(many < few * 32, "{few:?} {many:?}");
}

#[test]
fn many_parameters_cost_no_more_than_their_number() {
    for (mut sample, _) in each() {
        if !sample.target.contains('?') {
            sample.target.push('?');
        }
        grows_linearly(|count| with_parameters(&sample, count, "%E6%B5%81"));
    }
}

#[test]
fn a_mebibyte_in_one_parameter_is_cut() {
    for (mut sample, _) in each() {
        if !sample.target.contains('?') {
            sample.target.push('?');
        }
        is_cut(with_parameters(&sample, 1, &"@_%26".repeat(200_000)).judged());
    }
}

#[test]
fn a_long_text_is_cut_between_characters() {
    for length in 0..4 {
        let sample = with_parameters(
            &old(),
            1,
            &format!("{}{}", "a".repeat(length), "流".repeat(9_000)),
        );
        let Err(Denial::Mismatch { string_to_sign }) = sample.judged() else {
            panic!("{:?}", sample.judged());
        };
        let spare = control::STRING_TO_SIGN_MAX - string_to_sign.len();
        assert!(spare < 3, "{spare}");
    }
}

#[test]
fn many_signed_headers_cost_no_more_than_their_number() {
    for sample in [acs3(), tc3()] {
        grows_linearly(|count| {
            let names = (0..count).map(|number| format!(";x-{number}"));
            let header = sample.header("authorization").unwrap();
            let (before, after) = header.split_once("Signature=").unwrap();
            let before = before.trim_end_matches([' ', ',']);
            let names: String = names.collect();
            let header = format!("{before}{names},Signature={after}");
            let mut many = sample.clone().setting("authorization", &header);
            let headers = (0..count).map(|number| (format!("x-{number}"), "v".to_owned()));
            many.headers.extend(headers);
            many
        });
    }
}

#[test]
fn many_headers_of_one_name_harm_nobody() {
    for sample in [acs3(), tc3()] {
        let mut same = sample;
        let values = vec![("x-acs-more".to_owned(), "v".to_owned()); 10_000];
        same.headers.extend(values);
        assert_eq!(same.judged(), Ok(()));
    }
}

/// One name many times would make a text of gigabytes of a short header.
#[test]
fn a_header_is_signed_once() {
    let names = ";host".repeat(50_000);
    let header = acs3().header("authorization").unwrap().to_owned();
    let header = header.replace(";host", &names);
    let sample = acs3().setting("authorization", &header);
    let sample = sample.setting("host", &"h".repeat(100_000));
    assert_eq!(sample.judged(), Err(Denial::Malformed));
}

#[test]
fn a_host_may_have_any_characters() {
    for value in ["流", "\u{a0}", "\t", "é, ü", "\u{feff}"] {
        for (sample, secret) in each() {
            let named = sample.setting("host", value);
            assert_eq!(named.signed(secret).judged(), Ok(()), "{value}");
        }
    }
}
