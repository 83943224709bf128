//! The recorder behind the metric macros, and what `/metrics` shows.

use metrics::describe_gauge;
use metrics::gauge;
use metrics_exporter_prometheus::BuildError;
use metrics_exporter_prometheus::Matcher;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;

use super::family::Family;
use super::family::Kind;
use super::process;

/// What the process has counted, for Prometheus.
#[derive(Clone, Debug)]
pub struct Metrics {
    recorder: PrometheusHandle,
    started_unix_ms: u64,
}

impl Metrics {
    /// Has all metric macros of this process count here.
    ///
    /// Histograms have fixed buckets: a `_seconds` from 10 µs to 10 s, a
    /// `_rows` from 1 to 131 072.
    ///
    /// # Errors
    ///
    /// If it is done a second time.
    pub fn install(started_unix_ms: u64) -> Result<Self, BuildError> {
        let recorder = builder()?.install_recorder()?;
        describe();
        Ok(Self {
            recorder,
            started_unix_ms,
        })
    }

    /// Everything, in Prometheus' text form 0.0.4.
    pub fn render(&self) -> String {
        let mut text = self.recorder.render();
        text.push_str(&process::render(self.started_unix_ms));
        text
    }

    /// What [`render`](Self::render) shows whatever the daemon counts.
    pub fn families() -> impl Iterator<Item = Family> {
        [BUILD_INFO].into_iter().chain(process::FAMILIES)
    }

    /// Moves what was counted into histograms; to be called every few seconds.
    ///
    /// Without it, what a histogram has seen since the last scrape is kept
    /// value by value.
    pub fn upkeep(&self) {
        self.recorder.run_upkeep();
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let rows = Matcher::Suffix("_rows".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &SECONDS)?
        .set_buckets_for_metric(rows, &ROWS)
}

fn describe() {
    describe_gauge!(BUILD_INFO.name.into_owned(), BUILD_INFO.help.into_owned());
    gauge!(BUILD_INFO.name.into_owned(), "version" => env!("CARGO_PKG_VERSION")).set(1);
}

const BUILD_INFO: Family = Family::new(
    Kind::Gauge,
    "flowlogd_build_info",
    Some("version"),
    "Always 1; the label tells what is running.",
);

const SECONDS: [f64; 19] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

const ROWS: [f64; 10] = [
    1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 131_072.0,
];

#[cfg(test)]
mod tests {
    use metrics::counter;
    use metrics::histogram;

    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let recorder = builder().unwrap().build_recorder();
        let shown = Metrics {
            recorder: recorder.handle(),
            started_unix_ms: 1_700_000_000_250,
        };
        metrics::with_local_recorder(&recorder, || {
            describe();
            counter!("flowlogd_wire_messages_total", "version" => "ipfix").increment(7);
            histogram!("flowlogd_sink_request_seconds").record(0.003);
            histogram!("flowlogd_daemon_batch_rows").record(1_000.0);
        });
        shown.upkeep();
        let text = shown.render();
        let version = env!("CARGO_PKG_VERSION");
        for line in [
            "# HELP flowlogd_build_info Always 1; the label tells what is running.",
            "# TYPE flowlogd_build_info gauge",
            &format!("flowlogd_build_info{{version=\"{version}\"}} 1"),
            "flowlogd_wire_messages_total{version=\"ipfix\"} 7",
            "flowlogd_sink_request_seconds_bucket{le=\"0.0025\"} 0",
            "flowlogd_sink_request_seconds_bucket{le=\"0.005\"} 1",
            "flowlogd_daemon_batch_rows_bucket{le=\"1024\"} 1",
            "# TYPE process_cpu_seconds_total counter",
            "process_start_time_seconds 1700000000.25",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line:?} in\n{text}");
        }
    }
}
