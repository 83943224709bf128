//! What flows can be ranked by.

use std::str::FromStr;

use clap::ValueEnum;

/// One thing to group flows by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Dimension {
    /// Source address
    #[value(name = "srcaddr", alias = "srcip")]
    SrcAddr,
    /// Destination address
    #[value(name = "dstaddr", alias = "dstip")]
    DstAddr,
    /// Either address: a flow counts for both
    #[value(name = "addr", alias = "ip")]
    Addr,
    /// Source port
    #[value(name = "srcport")]
    SrcPort,
    /// Destination port
    #[value(name = "dstport")]
    DstPort,
    /// Either port: a flow counts for both
    #[value(name = "port")]
    Port,
    /// IP protocol
    #[value(name = "proto", alias = "protocol")]
    Proto,
    /// Source AS
    #[value(name = "srcas")]
    SrcAs,
    /// Destination AS
    #[value(name = "dstas")]
    DstAs,
    /// Either AS: a flow counts for both
    #[value(name = "as")]
    As,
    /// Ingress interface
    #[value(name = "inport", alias = "inif")]
    InPort,
    /// Egress interface
    #[value(name = "outport", alias = "outif")]
    OutPort,
    /// Exporter's address
    #[value(name = "exporter", alias = "router")]
    Exporter,
    /// Flow log
    #[value(name = "flow-log", alias = "ident")]
    FlowLog,
    /// Type of service
    #[value(name = "tos")]
    Tos,
    /// VLAN
    #[value(name = "vlan")]
    Vlan,
}

impl Dimension {
    /// The column, seen from the source's side and from the destination's.
    pub(super) fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::SrcAddr => ("srcaddr", "srcaddr"),
            Self::DstAddr => ("dstaddr", "dstaddr"),
            Self::Addr => ("srcaddr", "dstaddr"),
            Self::SrcPort => ("srcport", "srcport"),
            Self::DstPort => ("dstport", "dstport"),
            Self::Port => ("srcport", "dstport"),
            Self::Proto => ("protocol", "protocol"),
            Self::SrcAs => ("srcas", "srcas"),
            Self::DstAs => ("dstas", "dstas"),
            Self::As => ("srcas", "dstas"),
            Self::InPort => ("inport", "inport"),
            Self::OutPort => ("outport", "outport"),
            Self::Exporter => ("exporter", "exporter"),
            Self::FlowLog => ("flow-log", "flow-log"),
            Self::Tos => ("tos", "tos"),
            Self::Vlan => ("vlan", "vlan"),
        }
    }

    /// Whether a flow counts once for each of its ends.
    pub(super) fn is_either(self) -> bool {
        let (source, destination) = self.columns();
        source != destination
    }

    /// The name in JSON and CSV.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Addr => "addr",
            Self::Port => "port",
            Self::As => "as",
            Self::Proto => "proto",
            Self::SrcAddr
            | Self::DstAddr
            | Self::SrcPort
            | Self::DstPort
            | Self::SrcAs
            | Self::DstAs
            | Self::InPort
            | Self::OutPort
            | Self::Exporter
            | Self::FlowLog
            | Self::Tos
            | Self::Vlan => self.columns().0,
        }
    }

    /// nfdump's heading.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::SrcAddr => "Src IP Addr",
            Self::DstAddr => "Dst IP Addr",
            Self::Addr => "IP Addr",
            Self::SrcPort => "Src Port",
            Self::DstPort => "Dst Port",
            Self::Port => "Port",
            Self::Proto => "Protocol",
            Self::SrcAs => "Src AS",
            Self::DstAs => "Dst AS",
            Self::As => "AS",
            Self::InPort => "Input If",
            Self::OutPort => "Output If",
            Self::Exporter => "Router IP",
            Self::FlowLog => "Flow Log",
            Self::Tos => "Tos",
            Self::Vlan => "Vlan",
        }
    }
}

/// Dimensions with commas between them, each at most once.
#[derive(Clone, Debug)]
pub(super) struct Dimensions(pub(super) Vec<Dimension>);

impl FromStr for Dimensions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut dimensions = Vec::new();
        for word in text.split(',') {
            let dimension = Dimension::from_str(word.trim(), true)
                .map_err(|_| format!("`{word}` is nothing to rank, expected {}", names()))?;
            if dimensions.contains(&dimension) {
                return Err(format!("{} is named twice", dimension.name()));
            }
            dimensions.push(dimension);
        }
        Ok(Self(dimensions))
    }
}

fn names() -> String {
    let names: Vec<&str> = Dimension::value_variants()
        .iter()
        .map(|dimension| dimension.name())
        .collect();
    names.join(", ")
}
