//! `flowlogd flow-log`: the flow-log API for people.

mod call;
mod shown;

use std::io::{self, BufWriter, Write};

use serde_json::Value;

use crate::cli::Failure;
use crate::cli::output::Format;

use call::{ApiArgs, Parameters};

/// Make, bind, stop and list flow logs of a running daemon
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Calls are signed with the first [[credential]] of --config, or with the key of \
        ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET; without either they are \
        not signed, which is enough for a daemon with `[control] open = true`."
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List all flow logs of the region, and those of the configuration
    List {
        /// How to print the list
        #[arg(short, long, value_enum, default_value_t = Format::Table)]
        output: Format,
    },
    /// Show all of a flow log, with the gateways bound to it
    Show {
        /// Id of the flow log
        id: String,
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = Format::Table)]
        output: Format,
    },
    /// Make a flow log, and print its id
    Create(Attributes),
    /// Change what is given of a flow log
    Modify {
        /// Id of the flow log
        id: String,
        #[command(flatten)]
        attributes: Attributes,
    },
    /// Bind a gateway to a flow log: its flows are logged from now on
    Associate(Binding),
    /// Free a gateway from a flow log
    Disassociate(Binding),
    /// Start a stopped flow log
    Activate(Named),
    /// Stop a flow log; its gateways stay bound
    Deactivate(Named),
    /// Remove a flow log that no gateway is bound to
    Delete(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// Id of the flow log
    id: String,
}

#[derive(Debug, clap::Args)]
struct Binding {
    /// Id of the flow log
    id: String,
    /// Instance id of the gateway
    gateway: String,
}

/// What a flow log is told. The daemon says what is missing or out of range.
#[derive(Debug, clap::Args)]
struct Attributes {
    /// Where flows go: sls, netflow or all
    #[arg(long, value_name = "TYPE")]
    output: Option<String>,
    /// Name, for people
    #[arg(long)]
    name: Option<String>,
    /// Description, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Collector to send flows to
    #[arg(long, value_name = "IP")]
    server: Option<String>,
    /// Its port [daemon's default: 9995]
    #[arg(long)]
    port: Option<String>,
    /// What it understands: V5, V9 or V10 [daemon's default: V9]
    #[arg(long, value_name = "VERSION")]
    netflow_version: Option<String>,
    /// SLS project
    #[arg(long)]
    project: Option<String>,
    /// Logstore of the project
    #[arg(long)]
    logstore: Option<String>,
    /// Region of the project
    #[arg(long, value_name = "REGION")]
    sls_region: Option<String>,
    /// Longest a flow is merged before it is exported, in seconds [daemon's default: 300]
    #[arg(long, value_name = "S")]
    active: Option<String>,
    /// Longest a flow without new records waits, in seconds [daemon's default: 15]
    #[arg(long, value_name = "S")]
    inactive: Option<String>,
}

impl Attributes {
    fn parameters(&self) -> Parameters {
        let named = [
            ("OutputType", &self.output),
            ("Name", &self.name),
            ("Description", &self.description),
            ("NetflowServerIp", &self.server),
            ("NetflowServerPort", &self.port),
            ("NetflowVersion", &self.netflow_version),
            ("ProjectName", &self.project),
            ("LogstoreName", &self.logstore),
            ("SlsRegionId", &self.sls_region),
            ("ActiveAging", &self.active),
            ("InactiveAging", &self.inactive),
        ];
        let given = named.into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect()
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let api = args.api.open()?;
    let of = |id: &str| Parameters::from([("FlowLogId".to_owned(), id.to_owned())]);
    let both = |binding: &Binding| {
        let mut parameters = of(&binding.id);
        parameters.insert("SmartAGId".to_owned(), binding.gateway.clone());
        parameters
    };
    let (action, parameters) = match &args.action {
        Action::List { output } => {
            let logs = api.all("DescribeFlowLogs", &Parameters::new(), shown::FLOW_LOGS)?;
            return print(|out| shown::list(out, &logs, *output));
        }
        Action::Show { id, output } => {
            let logs = api.all("DescribeFlowLogs", &of(id), shown::FLOW_LOGS)?;
            let [log] = logs.as_slice() else {
                return Err(Failure::failed(format!("there is no flow log {id}")));
            };
            let gateways = api.all("DescribeFlowLogSags", &of(id), shown::GATEWAYS)?;
            return print(|out| shown::whole(out, log, &gateways, *output));
        }
        Action::Create(attributes) => {
            let made = api.call("CreateFlowLog", attributes.parameters())?;
            let id = made.get("FlowLogId").and_then(Value::as_str);
            return print(|out| writeln!(out, "{}", id.unwrap_or_default()));
        }
        Action::Modify { id, attributes } => {
            let mut parameters = attributes.parameters();
            parameters.extend(of(id));
            ("ModifyFlowLogAttribute", parameters)
        }
        Action::Associate(binding) => ("AssociateFlowLog", both(binding)),
        Action::Disassociate(binding) => ("DisassociateFlowLog", both(binding)),
        Action::Activate(named) => ("ActiveFlowLog", of(&named.id)),
        Action::Deactivate(named) => ("DeactiveFlowLog", of(&named.id)),
        Action::Delete(named) => ("DeleteFlowLog", of(&named.id)),
    };
    api.call(action, parameters)?;
    Ok(())
}

fn print(
    show: impl FnOnce(&mut BufWriter<io::StdoutLock<'_>>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    show(&mut out)?;
    Ok(out.flush()?)
}
