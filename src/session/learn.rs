//! What options data teaches.

use crate::session::Plan;
use crate::session::Sessions;
use crate::session::entry::Owner;
use crate::session::options::Terms;
use crate::session::table::Domain;

impl<P: Plan> Sessions<P> {
    /// Learns from options data.
    pub(crate) fn learn(&mut self, owner: Owner, slot: u32, body: &[u8]) {
        let templates = &self.templates;
        let (Some(known), Some((session, domain))) =
            (templates.shelf.get(slot), self.table.both_mut(owner.domain))
        else {
            return;
        };
        let fields_of = |id| {
            let known = templates.of(owner.domain, id)?;
            Some(known.template.fields.len())
        };
        for record in known.template.split(body).flatten() {
            let entries = domain.entries();
            let bytes = domain.options.bytes();
            let terms = Terms {
                room: session.option_entries < self.limits.option_entries_max
                    && self.option_bytes < self.limits.option_bytes_max,
                name_max: self.limits.name_bytes_max,
                fields_of: &fields_of,
            };
            let Domain {
                options, samplers, ..
            } = domain;
            let rejected = options.learn(samplers, &known.template, record, terms);
            session.option_entries += domain.entries() - entries;
            self.option_bytes = self.option_bytes - bytes + domain.options.bytes();
            self.stats.reject(rejected);
        }
        if let Some(boot_ms) = domain.options.boot_ms {
            domain.clock.set_boot(boot_ms);
        }
    }
}
