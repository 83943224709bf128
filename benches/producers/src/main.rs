//! The vendor's producer on the records of the bench "send".

use std::time::{Duration, Instant};

use aliyun_log_producer::{Log, Producer, ProducerConfig};
use nix::sys::resource::{UsageWho, getrusage};

type Line = (u32, Vec<(String, String)>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, file, count] = &arguments[..] else {
        return Err("usage: rust-producer ENDPOINT FILE RECORDS".into());
    };
    // It puts the project before the host's name; the endpoint has none.
    // Nothing else runs yet that might read the environment.
    unsafe { std::env::set_var("http_proxy", url) };
    let lines: Vec<Line> = std::fs::read_to_string(file)?.lines().map(line).collect();
    let count: usize = count.parse()?;
    let config = ProducerConfig::default()
        .with_endpoint("http://sls.local")
        .with_access_key("id", "secret")
        .with_max_attempts(1);
    let (began, before) = (Instant::now(), cpu());
    let producer = Producer::create(config)?;
    let writer = producer.writer("project", "logstore")?;
    for (time, fields) in lines.iter().cycle().take(count) {
        loop {
            let mut log = Log::from_unixtime(*time);
            for (key, value) in fields {
                log.add_content_kv(key.as_str(), value.as_str());
            }
            match writer.send(log) {
                Ok(()) => break,
                // Its buffer is full.
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
    producer.close_blocking()?;
    println!(
        "{count} {} {}",
        cpu() - before,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn line(line: &str) -> Line {
    let mut words = line.split('\t').map(str::to_owned);
    let time = words.next().and_then(|time| time.parse().ok()).unwrap_or(0);
    let mut fields = Vec::new();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        fields.push((key, value));
    }
    (time, fields)
}

fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system knows");
    [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum()
}
