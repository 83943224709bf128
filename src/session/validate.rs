//! Whether an IPFIX Message is sound as a whole, before any of it is taken.

use crate::session::Plan;
use crate::session::Sessions;
use crate::session::Transport;
use crate::session::decode::Context;
use crate::session::templates::Lookup;
use crate::wire::Definition;
use crate::wire::Message;
use crate::wire::Reason;
use crate::wire::Set;
use crate::wire::SetKind;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::WireError;

impl<P: Plan> Sessions<P> {
    /// Walks all Sets of an IPFIX Message; changes nothing.
    ///
    /// RFC 7011 §9.1 has a malformed Message discarded entirely, Templates and
    /// all (P-111). Definitions take effect in wire order (P-119), so a Data
    /// Set is judged by those that stand before it in this very Message.
    ///
    /// # Errors
    /// The first fault that makes the Message malformed.
    pub(crate) fn validate(
        &self,
        context: &Context,
        message: &Message<'_>,
    ) -> Result<(), WireError> {
        let mut defines = false;
        for set in message.sets() {
            let kind = set?.kind;
            defines |= matches!(kind, SetKind::Templates | SetKind::OptionsTemplates);
        }
        let is_fixed =
            !self.templates.shelf.has_variable(context.owner.domain) && !self.has_siblings(context);
        if !defines && is_fixed {
            // No records of fixed layout can be malformed: the rest is padding.
            return Ok(());
        }
        let mut defined = Vec::new();
        for set in message.sets() {
            let set = set?;
            match set.kind {
                SetKind::Templates | SetKind::OptionsTemplates => {
                    self.collect(&set, &mut defined)?;
                }
                SetKind::Data => self.validate_data(context, &set, &defined)?,
                SetKind::Reserved => {}
            }
        }
        Ok(())
    }

    fn collect(&self, set: &Set<'_>, defined: &mut Vec<Definition>) -> Result<(), WireError> {
        for definition in set.definitions(self.limits.fields_per_template_max) {
            let definition = definition?;
            if let Definition::Invalid { error, .. } = definition
                && !costs_only_itself(error.reason)
            {
                return Err(error);
            }
            defined.push(definition);
        }
        Ok(())
    }

    fn validate_data(
        &self,
        context: &Context,
        set: &Set<'_>,
        defined: &[Definition],
    ) -> Result<(), WireError> {
        let fault = match self.in_message(set.id, defined) {
            Said::Defined(template) => template.validate(set.body).fault,
            Said::Ended => None,
            Said::Nothing { withdrawn } => match self.resolve(context, set.id) {
                Lookup::Found(slot) => self
                    .templates
                    .shelf
                    .get(slot)
                    .filter(|known| !withdrawn.contains(&Some(known.template.kind)))
                    .and_then(|known| known.template.validate(set.body).fault),
                Lookup::Unknown | Lookup::Expired | Lookup::Gone | Lookup::Disputed => None,
            },
        };
        fault.map_or(Ok(()), |fault| {
            Err(WireError {
                offset: set.body_offset + fault.offset,
                ..fault
            })
        })
    }

    /// What the Message itself has said of a Template so far.
    fn in_message<'d>(&self, id: u16, defined: &'d [Definition]) -> Said<'d> {
        let obeys = self.transport == Transport::Stream;
        let mut withdrawn = [None; 2];
        for definition in defined.iter().rev() {
            match definition {
                Definition::Define(template) if template.id == id => {
                    return if withdrawn.contains(&Some(template.kind)) {
                        Said::Ended
                    } else {
                        Said::Defined(template)
                    };
                }
                Definition::Invalid { id: ended, .. } if *ended == id => return Said::Ended,
                Definition::Withdraw(ended) if *ended == id && obeys => return Said::Ended,
                Definition::WithdrawAll(TemplateKind::Data) if obeys => {
                    withdrawn[0] = Some(TemplateKind::Data);
                }
                Definition::WithdrawAll(TemplateKind::Options) if obeys => {
                    withdrawn[1] = Some(TemplateKind::Options);
                }
                Definition::Define(_)
                | Definition::Invalid { .. }
                | Definition::Withdraw(_)
                | Definition::WithdrawAll(_) => {}
            }
        }
        Said::Nothing { withdrawn }
    }
}

enum Said<'d> {
    Defined(&'d Template),
    Ended,
    /// Nothing of this one, but that all of these kinds end.
    Nothing {
        withdrawn: [Option<TemplateKind>; 2],
    },
}

/// Whether a definition is nonsense but its lengths are not: then it costs
/// itself and what it would replace (P-106, P-408), not the Message.
fn costs_only_itself(reason: Reason) -> bool {
    matches!(reason, Reason::ScopeCount(..) | Reason::TooManyFields(..))
}
