//! `[control]` and `[[credential]]`: who makes flow logs through the clouds'
//! flow-log APIs, and how many.

use std::path::PathBuf;
use std::time::Duration;

use crate::flowlog::Prefix;

use super::table::Table;
use super::value::Value;

/// What the flow-log APIs grant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// Whether nobody is asked for a signature.
    pub is_open: bool,
    /// Flow logs of an account in a region, at most.
    pub quota: usize,
    /// Whether what is active may be made active again.
    pub may_reactivate: bool,
    /// Resource group that answers show where a call names none.
    pub resource_group: String,
    /// Where flow logs of the APIs may send flows to; everywhere if empty.
    pub destinations: Vec<Prefix>,
    /// SLS project that stands for Tencent Cloud's log service.
    pub cls_project: Option<String>,
    /// Whether a key may call no more often than at the vendors.
    pub has_rates: bool,
    /// How far the times in Tencent's answers are ahead of UTC, in seconds.
    pub utc_offset_s: i32,
    /// How far the time of an Alibaba Cloud request may be from ours.
    pub alibaba_window: Duration,
    /// How far the time of a Tencent Cloud request may be from ours.
    pub tencent_window: Duration,
    /// Who may call what; nobody if empty.
    pub credentials: Vec<Credential>,
}

/// A key of the flow-log APIs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential {
    /// What a request names: AccessKeyId or SecretId.
    pub id: String,
    /// File with the secret, on its first line.
    pub secret_file: PathBuf,
    /// File with the session token that must come along, if the key is a
    /// temporary one.
    pub token_file: Option<PathBuf>,
    /// Account whose flow logs it makes and sees.
    pub account: Option<String>,
    /// Products whose actions it may call.
    pub products: Vec<Product>,
    /// Actions it may call there; `*` stands for any characters.
    pub actions: Vec<String>,
}

/// Products that have flow logs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the vendors' own names")]
pub enum Product {
    Smartag,
    ExpressConnectRouter,
    Vpc,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            is_open: false,
            quota: QUOTA,
            may_reactivate: true,
            resource_group: RESOURCE_GROUP.to_owned(),
            destinations: Vec::new(),
            cls_project: None,
            has_rates: false,
            utc_offset_s: UTC_OFFSET_S,
            alibaba_window: ALIBABA_WINDOW,
            tencent_window: TENCENT_WINDOW,
            credentials: Vec::new(),
        }
    }
}

impl Control {
    /// Reads the section; the credentials stand beside it.
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            is_open: table.boolean("open").unwrap_or(default.is_open),
            quota: table.integer("quota", 1..=10_000).unwrap_or(default.quota),
            may_reactivate: table
                .boolean("reactivate")
                .unwrap_or(default.may_reactivate),
            resource_group: table
                .text("resource-group")
                .unwrap_or(default.resource_group),
            destinations: table
                .list("destinations", |value| value.parsed(""))
                .unwrap_or_default(),
            cls_project: table.text("cls-project"),
            has_rates: table.boolean("rate-limits").unwrap_or(default.has_rates),
            utc_offset_s: table
                .integer("tencent-utc-offset-s", 0..=50_400)
                .unwrap_or(default.utc_offset_s),
            alibaba_window: table
                .seconds("alibaba-window-s", 1..=86_400)
                .unwrap_or(default.alibaba_window),
            tencent_window: table
                .seconds("tencent-window-s", 1..=86_400)
                .unwrap_or(default.tencent_window),
            credentials: Vec::new(),
        }
    }
}

/// Reads all credentials.
pub(super) fn credentials(table: &mut Table<'_, '_>) -> Vec<Credential> {
    table.each_once(
        "credential",
        |table| credential(table),
        |credential| &credential.id,
    )
}

fn credential(table: &mut Table<'_, '_>) -> Option<Credential> {
    let id = table.required("id", "the key id that clients name", Value::text);
    let secret_file = table.required(
        "secret-file",
        "an absolute path; the secret itself does not belong here",
        Value::path,
    );
    let token_file = table.path("token-file");
    let account = table.text("account");
    let products = table.list("products", |value| value.choice(PRODUCTS));
    let actions = table.list("actions", Value::text);
    Some(Credential {
        id: id?,
        secret_file: secret_file?,
        token_file,
        account,
        products: products.unwrap_or_else(|| PRODUCTS.iter().map(|(_, it)| *it).collect()),
        actions: actions.unwrap_or_else(|| vec!["*".to_owned()]),
    })
}

const PRODUCTS: &[(&str, Product)] = &[
    ("smartag", Product::Smartag),
    ("ecr", Product::ExpressConnectRouter),
    ("vpc", Product::Vpc),
];
/// The vendor says no number.
const QUOTA: usize = 10;
/// In the vendor's format; there are no resource groups here.
const RESOURCE_GROUP: &str = "rg-flowlogd0000001";
/// Tencent Cloud tells the time in China.
const UTC_OFFSET_S: i32 = 8 * 60 * 60;
/// The vendors' own windows.
const ALIBABA_WINDOW: Duration = Duration::from_secs(15 * 60);
const TENCENT_WINDOW: Duration = Duration::from_secs(5 * 60);
