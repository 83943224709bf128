//! Which fields a log has and what they are called.

use thiserror::Error;

use crate::flow;
use crate::flow::COLUMNS;
use crate::flowlog::Naming;

/// The fields of a log, in order.
///
/// Each comes from a column; a field whose value a row lacks is left out of its
/// log. The column `rest` becomes a field for each of its elements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldChoice {
    pub(super) fields: Vec<Field>,
}

impl FieldChoice {
    /// The fields of a flow log of this kind, and others by the name of their
    /// column, once each.
    ///
    /// # Errors
    /// An extra field that is no column.
    pub fn new<'a>(
        naming: Naming,
        extra: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, UnknownField> {
        let fields = match naming {
            Naming::Sag => SAG,
            Naming::Vpc => VPC,
        };
        let mut fields = fields.to_vec();
        for name in extra {
            let mut chosen = fields.iter().chain(ALWAYS);
            if chosen.all(|field| field.name != name) {
                let known = COLUMNS.iter().find(|column| column.name == name);
                let known = known.ok_or_else(|| UnknownField(name.to_owned()))?;
                fields.push(same(known.name));
            }
        }
        fields.extend(ALWAYS);
        Ok(Self { fields })
    }

    /// Names of the fields that all logs can have, and the kind of each.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, flow::Kind)> {
        let kinds = self.fields.iter().map(|field| (field.name, field.kind()));
        kinds.filter(|(_, kind)| *kind != flow::Kind::Map)
    }
}

/// The field contract of a Smart Access Gateway.
impl Default for FieldChoice {
    fn default() -> Self {
        let fields = SAG.iter().chain(ALWAYS).copied().collect();
        Self { fields }
    }
}

/// A field was chosen that no column has.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("there is no field {0:?}; docs/schema.md lists all columns")]
pub struct UnknownField(pub String);

/// One field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field {
    /// Its key.
    pub(super) name: &'static str,
    /// What its value comes from.
    pub(super) source: Source,
}

/// What the value of a field comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// A column, as it is.
    Column(&'static str),
    /// `direction` as a word.
    Direction,
    /// `forwarding-status` as a word.
    Action,
    /// The same in every log.
    Constant(&'static str),
    /// The row's place in the journal.
    FlowId,
}

impl Field {
    fn kind(self) -> flow::Kind {
        match self.source {
            Source::Column(name) => {
                let column = COLUMNS.iter().find(|column| column.name == name);
                column.map_or(flow::Kind::Text, |column| column.kind)
            }
            Source::Direction | Source::Action | Source::Constant(_) | Source::FlowId => {
                flow::Kind::Text
            }
        }
    }
}

const fn column(name: &'static str, column: &'static str) -> Field {
    Field {
        name,
        source: Source::Column(column),
    }
}

const fn same(name: &'static str) -> Field {
    column(name, name)
}

const fn other(name: &'static str, source: Source) -> Field {
    Field { name, source }
}

/// sls.md §7, Smart Access Gateway.
const SAG: &[Field] = &[
    same("Instance_id"),
    same("snid"),
    same("ali-uid"),
    same("start"),
    same("end"),
    same("protocol"),
    same("srcaddr"),
    same("srcport"),
    same("dstaddr"),
    same("dstport"),
    same("packets"),
    same("bytes"),
    same("tcp-flags"),
    same("tos"),
    same("inport"),
    same("outport"),
];

/// sls.md §7, VPC, as far as NetFlow knows it: `eni-id` is the device, and
/// `action` is there only if the exporter tells the forwarding status.
const VPC: &[Field] = &[
    other("version", Source::Constant("1")),
    column("account-id", "ali-uid"),
    column("eni-id", "Instance_id"),
    same("srcaddr"),
    same("dstaddr"),
    same("srcport"),
    same("dstport"),
    same("protocol"),
    other("direction", Source::Direction),
    same("packets"),
    same("bytes"),
    same("start"),
    same("end"),
    same("tcp-flags"),
    other("action", Source::Action),
    other("log-status", Source::Constant("OK")),
];

/// Behind the others: what the flow log asked for by element, and the key that
/// tells a repeated row.
const ALWAYS: &[Field] = &[same("rest"), other("flow-id", Source::FlowId)];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(choice: &FieldChoice) -> Vec<&'static str> {
        choice.fields.iter().map(|field| field.name).collect()
    }

    #[test]
    fn the_default_is_the_contract_of_a_gateway() {
        let expected = "Instance_id snid ali-uid start end protocol srcaddr srcport dstaddr \
                        dstport packets bytes tcp-flags tos inport outport rest flow-id";
        assert_eq!(names(&FieldChoice::default()).join(" "), expected);
        let same = FieldChoice::new(Naming::Sag, []);
        assert_eq!(same, Ok(FieldChoice::default()));
    }

    #[test]
    fn extra_fields_stand_behind_once() {
        let choice =
            FieldChoice::new(Naming::Vpc, ["vlan", "srcaddr", "rest", "flow-id", "vlan"]).unwrap();
        let expected = "version account-id eni-id srcaddr dstaddr srcport dstport protocol \
                        direction packets bytes start end tcp-flags action log-status vlan rest \
                        flow-id";
        assert_eq!(names(&choice).join(" "), expected);
    }

    #[test]
    fn an_extra_field_must_be_a_column() {
        let refusal = FieldChoice::new(Naming::Sag, ["vlan", "vlam"]);
        assert_eq!(refusal, Err(UnknownField("vlam".to_owned())));
    }

    #[test]
    fn every_field_comes_from_a_column() {
        for field in SAG.iter().chain(VPC).chain(ALWAYS) {
            if let Source::Column(name) = field.source {
                assert!(COLUMNS.iter().any(|column| column.name == name), "{name}");
            }
        }
    }
}
