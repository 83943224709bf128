//! Templates by what they are for. P-722.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::element::ElementId;
use crate::flow::export::fields::Features;
use crate::flow::export::fields::Store;
use crate::flow::export::row::Row;
use crate::wire::DATA_SET_ID_MIN;
use crate::wire::FieldSpecifier;
use crate::wire::Template;
use crate::wire::TemplateKind;
use crate::wire::Version;

/// How records of one Template are written.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    features: Features,
    extra: Box<[FieldSpecifier]>,
    /// Fields that are the scope; 0 but for options.
    scopes: usize,
    stores: Box<[Store]>,
    /// Octets of the stores together.
    octets: usize,
    /// Index of its Template.
    pub(super) template: usize,
}

impl Layout {
    /// By what it is found.
    fn key(&self) -> (usize, Features, &[FieldSpecifier]) {
        (self.scopes, self.features, &self.extra)
    }

    /// Writes the fields of a row, and behind them its extra elements.
    pub(super) fn put(&self, row: &Row, extra: &[u8], out: &mut Vec<u8>) {
        Store::all(&self.stores, self.octets, row, out);
        out.extend_from_slice(extra);
    }
}

/// All Templates and layouts so far; what was made is kept (P-722).
#[derive(Clone, Debug)]
pub(super) struct Layouts {
    version: Version,
    max: usize,
    templates: Vec<Template>,
    layouts: Vec<Layout>,
    places: HashTable<usize>,
    hasher: RandomState,
    /// Place and features of the layout without extra elements used last.
    last: Option<(Features, usize)>,
}

impl Layouts {
    pub(super) fn new(version: Version, max: usize) -> Self {
        let ids = usize::from(u16::MAX - DATA_SET_ID_MIN) + 1;
        Self {
            version,
            max: max.min(ids),
            templates: Vec::new(),
            layouts: Vec::new(),
            places: HashTable::new(),
            hasher: RandomState::default(),
            last: None,
        }
    }

    pub(super) fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// The layout of such rows, made if there is none; `None` without room.
    pub(super) fn of(&mut self, features: Features, extra: &[FieldSpecifier]) -> Option<&Layout> {
        self.scoped(0, features, extra)
    }

    /// As [`Self::of`], the first so many fields being the scope of options.
    pub(super) fn scoped(
        &mut self,
        scopes: usize,
        features: Features,
        extra: &[FieldSpecifier],
    ) -> Option<&Layout> {
        let place = match self.last {
            Some((last, place)) if last == features && extra.is_empty() => place,
            Some(_) | None => {
                let place = self.find(scopes, features, extra);
                place.or_else(|| self.make(scopes, features, extra))?
            }
        };
        if extra.is_empty() {
            self.last = Some((features, place));
        }
        self.layouts.get(place)
    }

    fn find(&self, scopes: usize, features: Features, extra: &[FieldSpecifier]) -> Option<usize> {
        let key = (scopes, features, extra);
        let hash = self.hasher.hash_one(key);
        let is_it = |place: &usize| {
            let layout = self.layouts.get(*place);
            layout.is_some_and(|layout| layout.key() == key)
        };
        self.places.find(hash, is_it).copied()
    }

    fn make(
        &mut self,
        scopes: usize,
        features: Features,
        extra: &[FieldSpecifier],
    ) -> Option<usize> {
        let field = |id, length: u8| FieldSpecifier {
            element: ElementId::iana(id),
            length: length.into(),
        };
        let own = features.fields().map(|own| field(own.id, own.octets));
        let fields = own.chain(extra.iter().copied()).collect();
        let kind = match scopes {
            0 => TemplateKind::Data,
            _ => TemplateKind::Options,
        };
        let template = self.define(kind, scopes, fields)?;
        let place = self.layouts.len();
        let octets = features.fields().map(|field| usize::from(field.octets));
        self.layouts.push(Layout {
            features,
            extra: extra.into(),
            scopes,
            stores: features.stores(),
            octets: octets.sum(),
            template,
        });
        let hash = self.hasher.hash_one((scopes, features, extra));
        let Self {
            layouts, hasher, ..
        } = self;
        let rehash = |place: &usize| {
            let layout = layouts.get(*place);
            layout.map_or(0, |known| hasher.hash_one(known.key()))
        };
        self.places.insert_unique(hash, place, rehash);
        Some(place)
    }

    /// Makes a Template with the next id; its index, `None` without room.
    pub(super) fn define(
        &mut self,
        kind: TemplateKind,
        scopes: usize,
        fields: Box<[FieldSpecifier]>,
    ) -> Option<usize> {
        let index = self.templates.len();
        if index >= self.max {
            return None;
        }
        let id = u16::try_from(index).ok()?.checked_add(DATA_SET_ID_MIN)?;
        let template = Template::new(self.version, id, kind, scopes, fields);
        self.templates.push(template);
        Some(index)
    }
}
