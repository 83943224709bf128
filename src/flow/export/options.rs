//! Options of exporters, sent on as options. P-210, P-651.
//!
//! Written as data, a record of theirs that has addresses would be a flow to
//! whoever reads it.

use crate::element::ElementId;
use crate::element::V9_SCOPE_PEN;
use crate::flow::export::Lacks;
use crate::flow::export::extras::Extras;
use crate::flow::export::extras::Form;
use crate::flow::export::fields::Features;
use crate::flow::export::fields::Store;
use crate::flow::export::row::Row;
use crate::wire::FieldSpecifier;
use crate::wire::Version;

/// v9's scopes. RFC 3954 §6.1.
const SYSTEM: ElementId = v9_scope(1);
const INTERFACE: ElementId = v9_scope(2);
const LINE_CARD: ElementId = v9_scope(3);
const TEMPLATE: ElementId = v9_scope(5);

const fn v9_scope(id: u16) -> ElementId {
    ElementId {
        pen: V9_SCOPE_PEN,
        id,
    }
}

type Element<'e> = (ElementId, &'e [u8]);

impl Extras {
    /// Takes the elements of options, those of their scope first, and between
    /// them and the others whose options they are; how many fields are the
    /// scope, and what cannot be carried. `None` if they say nothing.
    pub(super) fn take_options<'e>(
        &mut self,
        row: &Row,
        origin: Features,
        elements: impl Iterator<Item = Element<'e>>,
        version: Version,
    ) -> Option<(usize, Lacks)> {
        self.clear();
        let elements: Vec<_> = elements.collect();
        let scopes = usize::from(row.detail.scopes.unwrap_or_default());
        let parts = elements.split_at_checked(scopes);
        let (scope, said) = parts.unwrap_or((&elements, &[]));
        let (scopes, mut lacks) = match version {
            Version::V5 | Version::V9 => self.scope_v9(row, origin, scope),
            Version::Ipfix => self.scope_ipfix(row, origin, scope),
        };
        let about = self.specifiers.len();
        for &element in said {
            lacks |= self.keep_option(element, version);
        }
        (self.specifiers.len() > about).then_some((scopes, lacks))
    }

    /// v9 knows five scopes; what else options are about follows as if they
    /// said it.
    fn scope_v9(&mut self, row: &Row, origin: Features, scope: &[Element<'_>]) -> (usize, Lacks) {
        let is_scope = |(element, _): &&Element<'_>| element.pen == V9_SCOPE_PEN;
        let mut lacks = Lacks::empty();
        for &(element, octets) in scope.iter().filter(is_scope) {
            lacks |= match element {
                // Ids of its Templates are the exporter's own.
                TEMPLATE => Lacks::EXTRA,
                _ => self.put_fixed(element, Form::Exact, octets),
            };
        }
        if self.specifiers.is_empty() {
            lacks |= self.put_fixed(SYSTEM, Form::Exact, &[0; 4]);
        }
        let scopes = self.specifiers.len();
        self.put_features(origin, row);
        for element in scope.iter().filter(|element| !is_scope(element)) {
            lacks |= self.keep_option(*element, Version::V9);
        }
        (scopes, lacks)
    }

    /// Of all domains of all exporters that come this way, those of one. An
    /// IPFIX scope is not empty: RFC 7011 §3.4.2.2.
    fn scope_ipfix(
        &mut self,
        row: &Row,
        origin: Features,
        scope: &[Element<'_>],
    ) -> (usize, Lacks) {
        self.put_features(origin, row);
        let mut lacks = Lacks::empty();
        for &(element, octets) in scope {
            lacks |= match element {
                SYSTEM => Lacks::empty(),
                INTERFACE => self.keep_option((ElementId::iana(10), octets), Version::Ipfix),
                LINE_CARD => self.keep_option((ElementId::iana(141), octets), Version::Ipfix),
                _ => self.keep_option((element, octets), Version::Ipfix),
            };
        }
        if self.specifiers.is_empty() {
            self.put_features(Features::DOMAIN, row);
        }
        (self.specifiers.len(), lacks)
    }

    fn keep_option(&mut self, (element, octets): Element<'_>, version: Version) -> Lacks {
        match is_foreign(element) {
            true => Lacks::EXTRA,
            false => self.keep(element, octets, version),
        }
    }

    fn put_features(&mut self, features: Features, row: &Row) {
        let field = |id, octets: u8| FieldSpecifier {
            element: ElementId::iana(id),
            length: octets.into(),
        };
        let fields = features.fields();
        self.specifiers
            .extend(fields.map(|own| field(own.id, own.octets)));
        let octets = features.fields().map(|field| usize::from(field.octets));
        Store::all(&features.stores(), octets.sum(), row, &mut self.octets);
    }
}

/// What would be taken as said of this process or its Templates: uptimes, boot
/// and timers, selectors and their rates.
fn is_foreign(ElementId { pen, id }: ElementId) -> bool {
    let is_own = matches!(
        id,
        21 | 22 | 34..=37 | 48..=50 | 145 | 158..=160 | 302 | 304..=306 | 309..=311
    );
    pen == 0 && is_own
}
