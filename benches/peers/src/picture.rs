//! The same as bars: CPU time of a million records, by version.

use std::fmt::Write;

use crate::load::VERSIONS;
use crate::table::Row;

const WIDTH: f64 = 860.0;
/// Where bars begin, behind their names.
const LEFT: f64 = 190.0;
/// What is kept free for the number behind the longest bar.
const RIGHT: f64 = 70.0;
const BAR: f64 = 16.0;
const STEP: f64 = 24.0;
const HEADING: f64 = 40.0;

/// Readable on white and on black: text takes the reader's colours.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.head{font-weight:600;font-size:15px}\
.note{fill:#59636e;font-size:12px}\
.peer{fill:#8c959f}.own{fill:#0969da}\
.spread{stroke:#1f2328;stroke-width:1.5}\
.axis{stroke:#d1d9e0}\
@media (prefers-color-scheme:dark){\
text{fill:#f0f6fc}.note{fill:#9198a1}\
.peer{fill:#656c76}.own{fill:#4493f8}\
.spread{stroke:#f0f6fc}.axis{stroke:#3d444d}}";

/// A picture of all rows, one panel for each version, all of one scale.
pub fn svg(rows: &[Row]) -> String {
    let most = rows
        .iter()
        .filter_map(Row::cpu)
        .map(|[.., most]| most)
        .fold(0.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / most.max(f64::MIN_POSITIVE);
    let mut body = String::new();
    let mut top = 24.0;
    for version in VERSIONS {
        let of_version: Vec<&Row> = rows.iter().filter(|row| row.version == version).collect();
        if of_version.is_empty() {
            continue;
        }
        let _ = writeln!(
            body,
            r#"<text class="head" x="8" y="{top}">{version}</text>"#
        );
        let first = top + 12.0;
        let end = first + STEP * of_version.len() as f64;
        let _ = writeln!(
            body,
            r#"<line class="axis" x1="{LEFT}" y1="{first}" x2="{LEFT}" y2="{end}"/>"#
        );
        for (at, row) in of_version.iter().enumerate() {
            bar(&mut body, row, first + STEP * at as f64, scale);
        }
        top = end + HEADING;
    }
    let note = "CPU seconds, user and system, per million records: median; line: least to most. \
                Less is better.";
    let _ = writeln!(body, r#"<text class="note" x="8" y="{top}">{note}</text>"#);
    let height = top + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>CPU time of a million records, flowlogd beside others</title>\n\
         <style>{STYLE}</style>\n{body}</svg>\n"
    )
}

fn bar(body: &mut String, row: &Row, top: f64, scale: f64) {
    let Some([median, least, most]) = row.cpu() else {
        return;
    };
    let (top, middle) = (top + (STEP - BAR) / 2.0, top + STEP / 2.0);
    let class = if row.name.starts_with("flowlogd") {
        "own"
    } else {
        "peer"
    };
    let (name_end, base) = (LEFT - 8.0, middle + 4.5);
    let width = median * scale;
    let (from, to) = (LEFT + least * scale, LEFT + most * scale);
    let behind = to.max(LEFT + width) + 8.0;
    let _ = writeln!(
        body,
        "<text x=\"{name_end:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width:.1}\" \
         height=\"{BAR}\" rx=\"2\"/>\
         <line class=\"spread\" x1=\"{from:.1}\" y1=\"{middle:.1}\" x2=\"{to:.1}\" \
         y2=\"{middle:.1}\"/><text x=\"{behind:.1}\" y=\"{base:.1}\">{median:.3}</text>",
        row.name
    );
}
