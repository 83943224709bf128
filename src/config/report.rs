//! What was found while reading a document.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::flowlog::Problem;

/// What was found while reading: problems, and where everything stands.
#[derive(Debug, Default)]
pub(super) struct Report {
    found: RefCell<Vec<(Option<Range<usize>>, Problem)>>,
    places: RefCell<BTreeMap<String, Range<usize>>>,
}

impl Report {
    /// Notes where a place is; a place named again has moved.
    pub(super) fn note(&self, place: &str, span: Range<usize>) {
        self.places.borrow_mut().insert(place.to_owned(), span);
    }

    /// Notes a problem of a span.
    pub(super) fn at(&self, span: Option<Range<usize>>, problem: Problem) {
        self.found.borrow_mut().push((span, problem));
    }

    /// Notes a problem of a place, or of the innermost table around it that
    /// the document has, unless something is wrong with that place already:
    /// then this is most often a consequence.
    pub(super) fn add(&self, problem: Problem) {
        let span = {
            let places = self.places.borrow();
            around(&problem.place).find_map(|place| places.get(place).cloned())
        };
        let is_known = {
            let found = self.found.borrow();
            let mut found = found.iter();
            found.any(|(known, other)| *known == span && other.place == problem.place)
        };
        if !is_known {
            self.at(span, problem);
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// All problems, in no order.
    pub(super) fn into_found(self) -> Vec<(Option<Range<usize>>, Problem)> {
        self.found.into_inner()
    }
}

/// A place, what holds it, what holds that, …: `a[0].b`, `a[0]`, `a`.
fn around(place: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(place), |place| {
        let end = place.rfind(['.', '['])?;
        place.get(..end)
    })
}
