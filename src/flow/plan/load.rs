//! Straight loads: from offsets of a record into [`Slots`].

use crate::flow::plan::slot::Slot;
use crate::flow::plan::slot::Slots;

/// Where a field of fixed length lies in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    /// Which run of fixed-length fields; 0 in a Template without variable ones.
    pub(super) run: u8,
    /// Octets from the begin of its run.
    pub(super) offset: u16,
    /// Octets it has; at least 1.
    pub(super) width: u16,
}

/// One load: a number of at most 8 octets into a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Load {
    pub(super) span: Span,
    pub(super) slot: Slot,
}

/// All loads of a Template, in two lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    /// The least preferred load of each slot.
    first: Vec<Load>,
    /// Loads that take the place of an earlier one unless they are 0.
    better: Vec<Load>,
    straight: Option<Straight>,
}

/// The same lists for records of a fixed length, at least 8.
#[derive(Clone, Debug)]
struct Straight {
    first: Box<[Window]>,
    better: Box<[Window]>,
}

/// Eight octets around a field, and what leaves only the field of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    mask: u64,
    offset: u16,
    shift: u8,
    slot: Slot,
}

impl Loads {
    /// Octets the lists occupy.
    pub(super) fn heap(&self) -> usize {
        let straight = self.straight.as_ref().map_or(0, |straight| {
            size_of_val(&*straight.first) + size_of_val(&*straight.better)
        });
        straight + (self.first.capacity() + self.better.capacity()) * size_of::<Load>()
    }

    /// Takes the loads from the least to the most preferred of each slot.
    ///
    /// `length` is that of every record, if they have all the same.
    pub(super) fn new(ascending: impl IntoIterator<Item = Load>, length: Option<usize>) -> Self {
        let mut loads = Self::default();
        for load in ascending {
            if loads.first.iter().any(|earlier| earlier.slot == load.slot) {
                loads.better.push(load);
            } else {
                loads.first.push(load);
            }
        }
        if length.is_some_and(|length| length >= 8) {
            loads.straight = Some(Straight {
                first: loads.first.iter().map(Window::around).collect(),
                better: loads.better.iter().map(Window::around).collect(),
            });
            loads.first = Vec::new();
            loads.better = Vec::new();
        }
        loads
    }

    /// Loads all numbers of a record; slots without a load stay as they are.
    #[inline]
    pub(super) fn run(&self, record: &[u8], bases: &[u16], slots: &mut Slots) {
        match &self.straight {
            Some(straight) => straight.run(record, slots),
            None => self.walk(record, bases, slots),
        }
    }

    fn walk(&self, record: &[u8], bases: &[u16], slots: &mut Slots) {
        for load in &self.first {
            slots.set(load.slot, load.span.number(record, bases));
        }
        for load in &self.better {
            let value = load.span.number(record, bases);
            if value != 0 {
                slots.set(load.slot, value);
            }
        }
    }
}

impl Straight {
    #[inline]
    fn run(&self, record: &[u8], slots: &mut Slots) {
        for window in &self.first {
            slots.set(window.slot, window.load(record));
        }
        for window in &self.better {
            let value = window.load(record);
            if value != 0 {
                slots.set(window.slot, value);
            }
        }
    }
}

impl Window {
    /// The window ends where the field ends, or begins where the record begins.
    pub(super) fn around(load: &Load) -> Self {
        let Span { offset, width, .. } = load.span;
        let end = offset.saturating_add(width);
        let after = 8_u16.saturating_sub(end) * 8;
        Self {
            mask: u64::MAX >> (64 - 8 * width.clamp(1, 8)),
            offset: end.saturating_sub(8),
            shift: u8::try_from(after).unwrap_or_default(),
            slot: load.slot,
        }
    }

    #[inline]
    pub(super) fn load(&self, record: &[u8]) -> u64 {
        let tail = record.get(usize::from(self.offset)..);
        let Some(octets) = tail.and_then(|tail| tail.first_chunk()) else {
            return 0;
        };
        (u64::from_be_bytes(*octets) >> (self.shift & 63)) & self.mask
    }
}

impl Span {
    /// The octets of the field.
    pub(super) fn octets<'a>(&self, record: &'a [u8], bases: &[u16]) -> Option<&'a [u8]> {
        record
            .get(self.start(bases)?..)?
            .get(..usize::from(self.width))
    }

    /// The field, of at most 8 octets, as an unsigned number; 0 if the record
    /// lacks it.
    pub(super) fn number(&self, record: &[u8], bases: &[u16]) -> u64 {
        let Some(tail) = self.start(bases).and_then(|start| record.get(start..)) else {
            return 0;
        };
        match tail.first_chunk() {
            Some(eight) => u64::from_be_bytes(*eight) >> (64 - 8 * self.width.clamp(1, 8)),
            None => {
                let octets = tail.get(..usize::from(self.width)).unwrap_or_default();
                octets
                    .iter()
                    .fold(0, |number, &octet| (number << 8) | u64::from(octet))
            }
        }
    }

    fn start(&self, bases: &[u16]) -> Option<usize> {
        let base = bases.get(usize::from(self.run))?;
        Some(usize::from(*base) + usize::from(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The windows and the octet-by-octet walk read the same numbers.
        #[test]
        fn a_window_reads_what_the_octets_say(
            record in prop::collection::vec(any::<u8>(), 8..64),
            offset in 0_u16..64,
            width in 1_u16..=8,
        ) {
            prop_assume!(usize::from(offset + width) <= record.len());
            let span = Span { run: 0, offset, width };
            let load = Load { span, slot: Slot::Octets };
            let mut slots = Slots::empty();
            Loads::new([load], Some(record.len())).run(&record, &[0], &mut slots);
            prop_assert_eq!(slots.get(Slot::Octets), span.number(&record, &[0]));
        }
    }

    #[test]
    fn a_better_load_of_zero_leaves_the_other() {
        let load = |offset| Load {
            span: Span {
                run: 0,
                offset,
                width: 1,
            },
            slot: Slot::InIf,
        };
        for length in [None, Some(8)] {
            let loads = Loads::new([load(0), load(1)], length);
            let mut slots = Slots::empty();
            loads.run(&[3, 0, 0, 0, 0, 0, 0, 0], &[0], &mut slots);
            assert_eq!(slots.get(Slot::InIf), 3);
            loads.run(&[3, 4, 0, 0, 0, 0, 0, 0], &[0], &mut slots);
            assert_eq!(slots.get(Slot::InIf), 4);
        }
    }
}
