//! What there is to make flow logs of, as the configuration says.

use std::collections::BTreeMap;

use super::Operators;
use crate::flowlog::Attachment;
use crate::flowlog::Definition;
use crate::flowlog::Device;
use crate::flowlog::Role;
use crate::flowlog::Router;
use crate::flowlog::Support;
use crate::flowlog::Vpc;

/// What flow logs can be bound to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inventory {
    /// Flow logs that are not the APIs'.
    pub operators: Operators,
    /// Smart Access Gateways, and any other devices that stand for one, by
    /// instance id.
    pub gateways: BTreeMap<String, Gateway>,
    /// Express Connect Routers by id.
    pub routers: BTreeMap<String, Router>,
    /// Tencent Cloud's private networks by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// What is attached to these, by id.
    pub attachments: BTreeMap<String, Attachment>,
}

/// One device, or the two of a pair.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gateway {
    /// Name that answers show; may be empty.
    pub name: String,
    /// Region it is in; `None` is every region.
    pub region: Option<String>,
    /// Account it belongs to; `None` is every account.
    pub account: Option<String>,
    /// Whether its model has flow logs at all.
    pub has_flow_logs: bool,
    /// Devices of it whose edition lacks flow logs.
    pub lacking: Vec<Role>,
}

impl Inventory {
    /// The devices of a definition. What a pair has in common is told by the
    /// first of the two.
    pub fn new(definition: &Definition) -> Self {
        let mut gateways = BTreeMap::new();
        for device in &definition.devices {
            let gateway = gateways
                .entry(device.instance_id.clone())
                .or_insert_with(|| Gateway::new(device));
            gateway.take(device);
        }
        let routers = definition.routers.iter();
        let vpcs = definition.vpcs.iter();
        let attachments = definition.attachments.iter();
        Self {
            operators: Operators::new(definition),
            gateways,
            routers: routers.map(|it| (it.id.clone(), it.clone())).collect(),
            vpcs: vpcs.map(|it| (it.id.clone(), it.clone())).collect(),
            attachments: attachments.map(|it| (it.id.clone(), it.clone())).collect(),
        }
    }
}

impl Gateway {
    fn new(device: &Device) -> Self {
        Self {
            name: device.card.name.clone(),
            region: device.card.region.clone(),
            account: device.ali_uid.clone(),
            has_flow_logs: true,
            lacking: Vec::new(),
        }
    }

    fn take(&mut self, device: &Device) {
        match device.card.support {
            Support::Full => {}
            Support::NoModel => self.has_flow_logs = false,
            Support::NoEdition => self.lacking.push(device.card.role),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowlog::Card;

    #[test]
    fn the_devices_of_a_pair_are_one_gateway() {
        let device = |snid: &str, role, support| Device {
            instance_id: "sag-pair".to_owned(),
            snid: Some(snid.to_owned()),
            card: Card {
                name: snid.to_owned(),
                role,
                support,
                ..Card::default()
            },
            ..Device::default()
        };
        let definition = Definition {
            devices: vec![
                device("one", Role::Active, Support::Full),
                device("two", Role::Standby, Support::NoEdition),
            ],
            ..Definition::default()
        };
        let inventory = Inventory::new(&definition);
        let gateways: Vec<_> = inventory.gateways.into_iter().collect();
        let pair = Gateway {
            name: "one".to_owned(),
            region: None,
            account: None,
            has_flow_logs: true,
            lacking: vec![Role::Standby],
        };
        assert_eq!(gateways, [("sag-pair".to_owned(), pair)]);
    }
}
