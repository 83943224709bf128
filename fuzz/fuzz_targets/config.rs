//! A configuration file: it is taken whole, or every problem can be shown.

#![no_main]

use flowlogd::config::Config;
use flowlogd::flowlog::RoutingTable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    match Config::parse(text, "flowlogd.toml") {
        Ok(config) => {
            let table = RoutingTable::compile(&config.definition, None);
            assert!(table.is_ok(), "a checked definition compiles");
        }
        Err(problems) => {
            assert!(problems.iter().count() > 0, "a refusal has a reason");
            assert!(problems.to_string().contains("error: "));
        }
    }
});
