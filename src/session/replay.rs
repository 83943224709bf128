//! What becomes of Data Sets whose Template is not known yet. P-414, P-415.

use crate::session::Consumer;
use crate::session::Plan;
use crate::session::ScopeMode;
use crate::session::Sessions;
use crate::session::decode::Context;
use crate::session::decode::Records;
use crate::session::orphans::Orphan;
use crate::session::orphans::is_aged;
use crate::session::templates::Lookup;
use crate::wire::Layout;
use crate::wire::Set;

impl<P: Plan> Sessions<P> {
    /// Keeps a Data Set for its Template to come, unless there is none to come.
    pub(crate) fn orphan(&mut self, context: &Context, set: &Set<'_>, miss: Lookup) {
        self.stats.orphans.missing += 1;
        let Some((session, domain)) = self.table.both_mut(context.owner.domain) else {
            return;
        };
        domain.tally.missing_sets += 1;
        let is_kept = miss != Lookup::Gone && self.limits.session_orphan_bytes_max > 0;
        if !is_kept {
            self.stats.orphans.refused += 1;
            return;
        }
        let orphan = Orphan {
            id: set.id,
            body: set.body.into(),
            clock: domain.clock.clone(),
            arrived_ms: context.received.now_ms,
        };
        domain.orphans.keep(
            orphan,
            &mut session.orphan_bytes,
            &mut self.orphan_bytes,
            &self.limits,
            &mut self.stats.orphans,
        );
    }

    /// Decodes what waited for a Template that is now known, on this port and
    /// on those that may use it.
    pub(crate) fn replay_all(
        &mut self,
        context: &Context,
        id: u16,
        consumer: &mut impl Consumer<P>,
    ) {
        self.replay(context, id, consumer);
        if self.scope_mode == ScopeMode::Strict || !self.has_siblings(context) {
            return;
        }
        let siblings: Vec<u32> = self.siblings(context).collect();
        for at in siblings {
            let Some(domain) = self.table.domain(at) else {
                continue;
            };
            if !domain.orphans.is_empty() {
                let context = Context {
                    owner: domain.owner,
                    source: domain.source,
                    ..*context
                };
                self.replay(&context, id, consumer);
            }
        }
    }

    /// Gives up what waited for a Template that came in another shape (P-415).
    pub(crate) fn supersede(&mut self, context: &Context, id: u16) {
        let Some((session, domain)) = self.table.both_mut(context.owner.domain) else {
            return;
        };
        if domain.orphans.is_empty() {
            return;
        }
        let given_up = domain
            .orphans
            .take(id, &mut session.orphan_bytes, &mut self.orphan_bytes);
        self.stats.orphans.superseded += u64::try_from(given_up.len()).unwrap_or(0);
    }

    fn replay(&mut self, context: &Context, id: u16, consumer: &mut impl Consumer<P>) {
        let Some((session, domain)) = self.table.both_mut(context.owner.domain) else {
            return;
        };
        if domain.orphans.is_empty() {
            return;
        }
        let waiting = domain
            .orphans
            .take(id, &mut session.orphan_bytes, &mut self.orphan_bytes);
        let Lookup::Found(slot) = self.resolve(context, id) else {
            self.stats.orphans.superseded += u64::try_from(waiting.len()).unwrap_or(0);
            return;
        };
        for orphan in waiting {
            if is_aged(&orphan, context.received.now_ms, &self.limits) {
                self.stats.orphans.aged += 1;
                continue;
            }
            self.replay_one(context, slot, &orphan, consumer);
        }
    }

    fn replay_one(
        &mut self,
        context: &Context,
        slot: u32,
        orphan: &Orphan,
        consumer: &mut impl Consumer<P>,
    ) {
        self.stats.orphans.replayed += 1;
        let Some(known) = self.templates.take(slot, &self.settings) else {
            return;
        };
        if known.template.layout == Layout::Empty {
            self.stats.empty_sets += 1;
            return;
        }
        let extent = known.template.validate(&orphan.body);
        let mut context = Context {
            records_left: self.limits.records_per_datagram_max,
            ..*context
        };
        let records = Records {
            body: &orphan.body,
            extent,
            replayed_by: Some(&orphan.clock),
        };
        self.stats.orphans.replayed_records += u64::from(extent.records);
        self.deliver(&mut context, slot, records, consumer);
        if let Some(fault) = extent.fault {
            self.stats.malformed_sets += 1;
            self.fault(Some(context.owner.session), fault, consumer);
        }
    }
}
