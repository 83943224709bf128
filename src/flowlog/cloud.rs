//! What the clouds' flow logs are made of, beside Smart Access Gateways.

use serde::Deserialize;
use serde::Serialize;

use super::ExporterMatch;

/// An Express Connect Router of Alibaba Cloud.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Router {
    /// `ecr-…`, 1–128 characters.
    pub id: String,
    /// Region it is in; answers show it.
    pub region: Option<String>,
    /// Account it belongs to; `None` is every account.
    pub account: Option<String>,
    /// What may be done with it.
    pub status: RouterStatus,
}

/// What may be done with a router.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RouterStatus {
    /// Anything.
    #[default]
    Active,
    /// Nothing for now.
    Inactive,
    /// Nothing any more: it is being deleted with all that it has.
    Deleting,
}

/// A private network of Tencent Cloud.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Vpc {
    /// `vpc-…`, 1–128 characters.
    pub id: String,
    /// The id that API 2.0 had first: `gz_vpc_…`.
    pub legacy_id: Option<String>,
    /// Account it belongs to; `None` is every account.
    pub account: Option<String>,
    /// Ids of its subnets, `subnet-…`.
    pub subnets: Vec<String>,
}

/// What is attached to a network of a cloud, and sees the traffic of certain
/// interfaces of an exporter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Attachment {
    /// `Instance_id` of its rows; 1–128 characters, unique among attachments.
    pub id: String,
    /// What it is.
    pub kind: AttachmentKind,
    /// Id of the [`Router`] or [`Vpc`] it belongs to; `None` for what joins
    /// several.
    pub network: Option<String>,
    /// Subnet of that [`Vpc`] that it is in.
    pub subnet: Option<String>,
    /// Account it belongs to: `ali-uid` of its rows.
    pub account: Option<String>,
    /// Where its datagrams come from; at least one.
    pub exporters: Vec<ExporterMatch>,
    /// ifIndex of its interfaces, from 1: a record that came in or went out
    /// there is its own. None is all of the exporter's.
    pub interfaces: Vec<u32>,
    /// Names of the flow logs it is bound to, at most
    /// [`ROUTES_MAX`](super::ROUTES_MAX).
    pub flow_logs: Vec<String>,
}

/// What is attached.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum AttachmentKind {
    /// Virtual Border Router of a [`Router`].
    #[default]
    Vbr,
    /// Elastic Network Interface of a [`Vpc`].
    NetworkInterface,
    /// NAT gateway of a [`Vpc`].
    Nat,
    /// Direct Connect gateway of a [`Vpc`].
    Dcg,
    /// Cloud Connect Network, which joins several.
    Ccn,
}

impl AttachmentKind {
    /// Whether it is attached to a [`Vpc`], to a [`Router`], or to no one
    /// network.
    pub fn network(self) -> Network {
        match self {
            Self::Vbr => Network::Router,
            Self::NetworkInterface | Self::Nat | Self::Dcg => Network::Vpc,
            Self::Ccn => Network::None,
        }
    }
}

/// Kinds of networks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Network {
    /// [`Router`].
    Router,
    /// [`Vpc`].
    Vpc,
    /// No one network.
    None,
}

/// Which records a flow log takes, by what became of their packets.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Traffic {
    /// Every one.
    #[default]
    All,
    /// Only those told to be let through (forwardingStatus 64–127 and 192–255
    /// (RFC 7270 §4.12), firewallEvent of no denial).
    Accept,
    /// Only those told to be dropped or denied.
    Reject,
}
