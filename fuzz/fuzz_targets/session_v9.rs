//! A stream of v9 datagrams to one lane; see `stream`.

#![no_main]

mod stream;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| stream::feed(input, 9));
