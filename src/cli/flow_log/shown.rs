//! Flow logs, as they are printed.

use std::io::{self, Write};

use serde_json::Value;

use crate::cli::output;
use crate::cli::output::Format;

/// Where an answer has its flow logs.
pub(super) const FLOW_LOGS: [&str; 2] = ["FlowLogs", "FlowLogSetType"];

/// Where an answer has its gateways.
pub(super) const GATEWAYS: [&str; 2] = ["Sags", "Sag"];

/// Prints a line for each flow log.
pub(super) fn list(out: &mut impl Write, logs: &[Value], format: Format) -> io::Result<()> {
    let rows = logs.iter().map(|log| {
        let field = |name: &str| log.get(name).cloned().unwrap_or_default();
        vec![
            field("FlowLogId"),
            field("Name"),
            field("Status"),
            field("TotalSagNum"),
            field("OutputType"),
            destination(log).into(),
            field("ActiveAging"),
            field("InactiveAging"),
        ]
    });
    let rows: Vec<_> = rows.collect();
    output::print(out, &COLUMNS, &rows, format)
}

/// Prints all that there is of one flow log.
pub(super) fn whole(
    out: &mut impl Write,
    log: &Value,
    gateways: &[Value],
    format: Format,
) -> io::Result<()> {
    let fields = log.as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| (name.as_str(), value.clone()));
    let ids = gateways
        .iter()
        .filter_map(|it| it.get("SmartAGId").cloned());
    let (names, values): (Vec<_>, Vec<_>) = match format {
        Format::Table | Format::Csv => {
            let ids = ids.map(|id| ("SmartAGId", id));
            let rows: Vec<_> = fields
                .chain(ids)
                .map(|(name, value)| vec![name.into(), value])
                .collect();
            return output::print(out, &["attribute", "value"], &rows, format);
        }
        Format::Json => fields
            .chain([("SmartAGIds", Value::Array(ids.collect()))])
            .unzip(),
    };
    output::json(out, &names, &[values])
}

/// `project/logstore`, `address:port version`, or both.
fn destination(log: &Value) -> String {
    let text = |name: &str| log.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = text("OutputType");
    let logstore = format!("{}/{}", text("ProjectName"), text("LogstoreName"));
    let port = log.get("NetflowServerPort").unwrap_or(&Value::Null);
    let server = match text("NetflowServerIp") {
        ip if ip.contains(':') => format!("[{ip}]:{port}"),
        ip => format!("{ip}:{port}"),
    };
    let collector = format!("{server} {}", text("NetflowVersion"));
    match kind {
        "sls" => logstore,
        "netflow" => collector,
        _ => format!("{logstore}, {collector}"),
    }
}

const COLUMNS: [&str; 8] = [
    "id",
    "name",
    "status",
    "gateways",
    "output",
    "to",
    "active-s",
    "inactive-s",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn log() -> Value {
        json!({
            "FlowLogId": "fl-1", "Name": "n", "Status": "Active", "TotalSagNum": 2,
            "OutputType": "all", "ActiveAging": 300, "InactiveAging": 15,
            "NetflowServerIp": "2001:db8::9", "NetflowServerPort": 2055, "NetflowVersion": "V10",
            "ProjectName": "flow-proj", "LogstoreName": "flows",
        })
    }

    fn printed(show: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        show(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_says_where_flows_go() {
        let text = printed(|out| list(out, &[log()], Format::Csv));
        assert_eq!(
            text,
            "id,name,status,gateways,output,to,active-s,inactive-s\r\n\
            fl-1,n,Active,2,all,\"flow-proj/flows, [2001:db8::9]:2055 V10\",300,15\r\n"
        );
        let mut other = log();
        other["OutputType"] = "netflow".into();
        other["NetflowServerIp"] = "192.0.2.9".into();
        assert_eq!(destination(&other), "192.0.2.9:2055 V10");
        other["OutputType"] = "sls".into();
        assert_eq!(destination(&other), "flow-proj/flows");
    }

    #[test]
    fn the_whole_of_a_flow_log_has_its_gateways() {
        let gateways = [json!({"SmartAGId": "sag-a", "Name": ""})];
        let text = printed(|out| whole(out, &log(), &gateways, Format::Csv));
        assert!(text.starts_with("attribute,value\r\n"), "{text}");
        assert!(text.ends_with("\r\nSmartAGId,sag-a\r\n"), "{text}");
        let text = printed(|out| whole(out, &log(), &gateways, Format::Json));
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(all[0]["SmartAGIds"], json!(["sag-a"]));
        assert_eq!(all[0]["FlowLogId"], "fl-1");
    }
}
