//! What Template Sets say.

use crate::session::Consumer;
use crate::session::Plan;
use crate::session::Sessions;
use crate::session::SetOutcome;
use crate::session::Transport;
use crate::session::decode::Context;
use crate::session::templates::Defined;
use crate::session::templates::Terms;
use crate::wire::Definition;
use crate::wire::Set;
use crate::wire::Template;
use crate::wire::TemplateKind;

impl<P: Plan> Sessions<P> {
    /// A Template Set or Options Template Set.
    pub(crate) fn definitions(
        &mut self,
        context: &Context,
        set: &Set<'_>,
        consumer: &mut impl Consumer<P>,
    ) -> SetOutcome {
        let mut taken = 0;
        let mut refused = None;
        for definition in set.definitions(self.limits.fields_per_template_max) {
            match definition {
                Ok(Definition::Define(template)) => {
                    self.define(context, template, consumer);
                    taken += 1;
                }
                Ok(Definition::Invalid { id, error }) => {
                    self.fault(Some(context.owner.session), error, consumer);
                    self.templates.invalidate(context.owner.domain, id);
                    self.supersede(context, id);
                    refused = Some(error);
                }
                Ok(Definition::Withdraw(id)) => {
                    self.withdraw(context, id);
                    taken += 1;
                }
                Ok(Definition::WithdrawAll(kind)) => {
                    self.withdraw_all(context, kind);
                    taken += 1;
                }
                Err(error) => {
                    self.fault(Some(context.owner.session), error, consumer);
                    refused = Some(error);
                }
            }
        }
        refused.map_or(SetOutcome::Ok(taken), |error| {
            SetOutcome::Malformed(taken, error)
        })
    }

    fn define(&mut self, context: &Context, template: Template, consumer: &mut impl Consumer<P>) {
        let id = template.id;
        let owner = context.owner;
        if !self.templates.holds(owner.domain, &template) && !self.may_define(context) {
            self.templates.stats.refused += 1;
            return;
        }
        let terms = Terms {
            at: context.received,
            limits: &self.limits,
            settings: &self.settings,
        };
        let defined = self.templates.define(owner, template, &terms);
        if defined == Defined::Refused {
            return;
        }
        if let Some(known) = self.templates.of(owner.domain, id) {
            consumer.template(&known.template);
        }
        match defined {
            Defined::New => self.replay_all(context, id, consumer),
            Defined::Other => self.supersede(context, id),
            Defined::Same | Defined::Refused => {}
        }
    }

    /// Whether the session may change what is known of it. P-801.
    fn may_define(&mut self, context: &Context) -> bool {
        let rate = self.limits.definitions_per_second;
        let session = self.table.session_mut(context.owner.session);
        session.is_some_and(|session| {
            let burst = rate.saturating_mul(60);
            session
                .definitions
                .take(context.received.now_ms, rate, burst)
        })
    }

    fn withdraw(&mut self, context: &Context, id: u16) {
        match self.transport {
            Transport::Datagrams => self.templates.stats.withdrawals_ignored += 1,
            Transport::Stream => {
                self.templates.withdraw(context.owner.domain, id);
                self.supersede(context, id);
            }
        }
    }

    fn withdraw_all(&mut self, context: &Context, kind: TemplateKind) {
        match self.transport {
            Transport::Datagrams => self.templates.stats.withdrawals_ignored += 1,
            Transport::Stream => self.templates.withdraw_all(context.owner, kind),
        }
    }
}
