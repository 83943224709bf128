//! A record's octets into an [`Image`], sixteen at a time, where its flow is to be.
//!
//! A shuffle takes sixteen octets of a record, and puts each where it belongs
//! in sixteen octets of the image, the rest being 0: all fields at once, in our
//! byte order and extended to our widths, without a branch.

#![expect(
    unsafe_code,
    reason = "the one file that names a processor's instructions"
)]

use super::image::IMAGE_LEN;
use super::image::Image;
use super::image::Move;
use crate::flow::FlowRecord;
use vector::Vector;

/// Octets that one shuffle takes, and makes.
const BLOCK: usize = 16;
/// Blocks of an image.
const BLOCKS: usize = IMAGE_LEN / BLOCK;
/// Shuffles that every record goes through, by the block they add to; some are
/// mostly gathered from two places of a record.
const STEPS: [usize; 11] = [0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 2];
/// In a mask: 0, whatever the source.
const ZERO: u8 = 0x80;

/// All shuffles of a Template's records.
#[derive(Clone, Debug)]
pub(super) struct Shuffle {
    steps: [Step; STEPS.len()],
    /// Where a block takes more than [`STEPS`] has for it.
    more: Box<[(usize, Step)]>,
    /// Octets that every record has, [`BLOCK`] at least.
    length: usize,
}

/// One shuffle.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Which octet of the source each octet of the block is, or [`ZERO`].
    mask: [u8; BLOCK],
    /// Where the source begins: `offset + BLOCK <= length` of the [`Shuffle`].
    offset: usize,
}

impl Step {
    const NOTHING: Self = Self {
        mask: [ZERO; BLOCK],
        offset: 0,
    };
}

impl Shuffle {
    /// Shuffles that move these octets of records of `length` octets or more.
    ///
    /// `None` for records shorter than 16 octets, and on a processor that
    /// lacks the instruction.
    pub(super) fn of(moves: &[Move], length: usize) -> Option<Self> {
        if length < BLOCK || !vector::is_there() {
            return None;
        }
        let mut steps = [Step::NOTHING; STEPS.len()];
        let mut more = Vec::new();
        for block in 0..BLOCKS {
            let places = STEPS.iter().zip(&mut steps);
            let mut places = places.filter(|(of, _)| **of == block).map(|(_, step)| step);
            for step in gather(moves, block, length)? {
                match places.next() {
                    Some(place) => *place = step,
                    None => more.push((block, step)),
                }
            }
        }
        Some(Self {
            steps,
            more: more.into(),
            length,
        })
    }

    /// Octets it occupies beside its own size.
    pub(super) fn heap(&self) -> usize {
        size_of_val(&*self.more)
    }

    /// Hands on each record that is long enough with its image, which has what
    /// `base` has too, and with what comes beside it; how many those were.
    #[inline]
    pub(super) fn each<'a, T>(
        &self,
        base: &Image,
        records: impl Iterator<Item = (&'a [u8], T)>,
        take: impl FnMut(&[u8], Blocks, T),
    ) -> usize {
        // SAFETY: `of` makes a `Shuffle` only where the instruction is there.
        unsafe { self.each_by_vectors(base, records, take) }
    }

    #[inline]
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "ssse3"))]
    #[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
    unsafe fn each_by_vectors<'a, T>(
        &self,
        base: &Image,
        records: impl Iterator<Item = (&'a [u8], T)>,
        mut take: impl FnMut(&[u8], Blocks, T),
    ) -> usize {
        let mut taken = 0;
        for (record, beside) in records.filter(|(record, _)| record.len() >= self.length) {
            // SAFETY: it has `length` octets.
            let blocks = unsafe { self.blocks(base, record) };
            take(record, blocks, beside);
            taken += 1;
        }
        taken
    }

    /// # Safety
    /// The record has `length` octets at least, and the instruction is there.
    #[inline]
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "ssse3"))]
    #[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
    unsafe fn blocks(&self, base: &Image, record: &[u8]) -> Blocks {
        let step = |step: &Step| {
            // SAFETY: `gather` keeps `offset + BLOCK` within `length`, which
            // the record has.
            let source = unsafe { Vector::load(record.as_ptr().add(step.offset)) };
            source.shuffle(&step.mask)
        };
        // SAFETY: both are as long, and any octets are valid for them.
        let [b0, b1, b2, b3, b4, b5, b6, b7]: [Vector; BLOCKS] =
            unsafe { std::mem::transmute(*base) };
        let [s0, s1, s2, s3, s4, t4, s5, s6, s7, t7, t2] = &self.steps;
        let mut blocks = [
            b0.or(step(s0)),
            b1.or(step(s1)),
            b2.or(step(s2)).or(step(t2)),
            b3.or(step(s3)),
            b4.or(step(s4)).or(step(t4)),
            b5.or(step(s5)),
            b6.or(step(s6)),
            b7.or(step(s7)).or(step(t7)),
        ];
        for (of, more) in &self.more {
            let more = step(more);
            // Not by index, which would keep the blocks out of registers.
            for (at, block) in blocks.iter_mut().enumerate() {
                if at == *of {
                    *block = block.or(more);
                }
            }
        }
        Blocks(blocks)
    }
}

/// An [`Image`] in registers.
#[derive(Clone, Copy)]
pub(super) struct Blocks([Vector; BLOCKS]);

impl Blocks {
    /// Puts it where its flow is to be, which lies alike but is not finished then.
    #[inline]
    pub(super) fn put(self, flow: &mut FlowRecord) -> &Image {
        let place = std::ptr::from_mut(flow).cast::<Image>();
        // SAFETY: a `FlowRecord` begins with the numbers of an `Image`, as is
        // asserted there, and any octets are valid for those.
        unsafe {
            place.cast::<[Vector; BLOCKS]>().write_unaligned(self.0);
            &*place
        }
    }
}

/// The fewest shuffles that gather a block, ascending by source; `None` if the
/// moves reach beyond a record.
fn gather(moves: &[Move], block: usize, length: usize) -> Option<Vec<Step>> {
    let begin = block * BLOCK;
    let within = |at: &usize| (begin..begin + BLOCK).contains(at);
    let octets = moves.iter().flat_map(Move::octets);
    let mut octets: Vec<_> = octets.filter(|(_, to)| within(to)).collect();
    octets.sort_unstable();
    let mut steps: Vec<Step> = Vec::new();
    for (from, to) in octets {
        if from >= length {
            return None;
        }
        let open = steps.last().is_some_and(|step| from < step.offset + BLOCK);
        if !open {
            steps.push(Step {
                offset: from.min(length - BLOCK),
                ..Step::NOTHING
            });
        }
        let step = steps.last_mut()?;
        let place = step.mask.get_mut(to - begin)?;
        *place = u8::try_from(from - step.offset).ok()?;
    }
    Some(steps)
}

/// Sixteen octets in one register.
#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::__m128i;
    use std::arch::x86_64::_mm_loadu_si128;
    use std::arch::x86_64::_mm_or_si128;
    use std::arch::x86_64::_mm_shuffle_epi8;

    use super::BLOCK;

    #[derive(Clone, Copy)]
    #[repr(transparent)]
    pub(super) struct Vector(__m128i);

    /// Whether the processor has the instruction: SSSE3, of 2006.
    pub(super) fn is_there() -> bool {
        is_x86_feature_detected!("ssse3")
    }

    impl Vector {
        /// # Safety
        /// Sixteen octets can be read there.
        #[inline]
        #[target_feature(enable = "ssse3")]
        pub(super) unsafe fn load(from: *const u8) -> Self {
            // SAFETY: as the caller says; it takes any alignment.
            Self(unsafe { _mm_loadu_si128(from.cast()) })
        }

        #[inline]
        #[target_feature(enable = "ssse3")]
        pub(super) fn of(octets: &[u8; BLOCK]) -> Self {
            // SAFETY: there are sixteen.
            unsafe { Self::load(octets.as_ptr()) }
        }

        #[inline]
        #[target_feature(enable = "ssse3")]
        pub(super) fn shuffle(self, mask: &[u8; BLOCK]) -> Self {
            Self(_mm_shuffle_epi8(self.0, Self::of(mask).0))
        }

        #[inline]
        #[target_feature(enable = "ssse3")]
        pub(super) fn or(self, other: Self) -> Self {
            Self(_mm_or_si128(self.0, other.0))
        }
    }
}

/// Sixteen octets in one register.
#[cfg(target_arch = "aarch64")]
mod vector {
    use std::arch::aarch64::uint8x16_t;
    use std::arch::aarch64::vld1q_u8;
    use std::arch::aarch64::vorrq_u8;
    use std::arch::aarch64::vqtbl1q_u8;

    use super::BLOCK;

    #[derive(Clone, Copy)]
    #[repr(transparent)]
    pub(super) struct Vector(uint8x16_t);

    /// Whether the processor has the instruction: all of this architecture do.
    pub(super) fn is_there() -> bool {
        true
    }

    impl Vector {
        /// # Safety
        /// Sixteen octets can be read there.
        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) unsafe fn load(from: *const u8) -> Self {
            // SAFETY: as the caller says; it takes any alignment.
            Self(unsafe { vld1q_u8(from) })
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn of(octets: &[u8; BLOCK]) -> Self {
            // SAFETY: there are sixteen.
            unsafe { Self::load(octets.as_ptr()) }
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn shuffle(self, mask: &[u8; BLOCK]) -> Self {
            Self(vqtbl1q_u8(self.0, Self::of(mask).0))
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn or(self, other: Self) -> Self {
            Self(vorrq_u8(self.0, other.0))
        }
    }
}

/// Sixteen octets in as many steps: right anywhere, quick nowhere.
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod plain {
    use super::BLOCK;

    #[derive(Clone, Copy)]
    #[repr(transparent)]
    pub(super) struct Vector([u8; BLOCK]);

    /// Whether it is quicker than to do without.
    #[cfg_attr(test, expect(dead_code, reason = "tests call the rest"))]
    pub(super) fn is_there() -> bool {
        false
    }

    impl Vector {
        /// # Safety
        /// Sixteen octets can be read there.
        #[cfg_attr(test, expect(dead_code, reason = "tests have slices"))]
        pub(super) unsafe fn load(from: *const u8) -> Self {
            // SAFETY: as the caller says; octets have no alignment.
            Self(unsafe { from.cast::<[u8; BLOCK]>().read() })
        }

        pub(super) fn of(octets: &[u8; BLOCK]) -> Self {
            Self(*octets)
        }

        pub(super) fn shuffle(self, mask: &[u8; BLOCK]) -> Self {
            let octet = |from: u8| match from & super::ZERO {
                0 => self.0.get(usize::from(from)).copied().unwrap_or(0),
                _ => 0,
            };
            Self(mask.map(octet))
        }

        pub(super) fn or(mut self, other: Self) -> Self {
            for (octet, other) in self.0.iter_mut().zip(other.0) {
                *octet |= other;
            }
            self
        }

        #[cfg(test)]
        pub(super) fn octets(self) -> [u8; BLOCK] {
            self.0
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    use super::*;
    use crate::flow::plan::load::Span;
    use crate::flow::plan::slot::Slot;

    /// The image of a record by the same steps without vectors.
    fn plainly(shuffle: &Shuffle, base: &Image, record: &[u8]) -> Vec<u8> {
        let steps = STEPS.iter().copied().zip(shuffle.steps);
        let steps: Vec<_> = steps.chain(shuffle.more.iter().copied()).collect();
        let blocks = base.as_bytes().chunks(BLOCK).enumerate();
        let block = |(block, base): (usize, &[u8])| {
            let base = plain::Vector::of(base.first_chunk().unwrap());
            let of_block = steps.iter().filter(|(of, _)| *of == block);
            let octets = of_block.fold(base, |sum, (_, step)| {
                let source = record[step.offset..].first_chunk().unwrap();
                sum.or(plain::Vector::of(source).shuffle(&step.mask))
            });
            octets.octets()
        };
        blocks.flat_map(block).collect()
    }

    const SLOTS: [Slot; 12] = [
        Slot::Src4,
        Slot::Dst4,
        Slot::InIf,
        Slot::OutIf,
        Slot::SrcPort,
        Slot::DstPort,
        Slot::Protocol,
        Slot::Octets,
        Slot::Packets,
        Slot::SrcAs,
        Slot::TcpFlags,
        Slot::EndReason,
    ];

    proptest! {
        /// Fields may lie anywhere and overlap: that is the Template's affair.
        #[test]
        fn vectors_make_what_octets_make(
            records in prop::collection::vec(any::<u8>(), 16..200),
            places in prop::collection::vec((0_u16..64, 1_u16..=8), SLOTS.len()),
            direction: u8,
        ) {
            // Without spare room, in which a read beyond them would go unseen.
            let records = records.into_boxed_slice();
            let length = records.len().min(64);
            let fits = |(offset, width): &(u16, u16)| usize::from(offset + width) <= length;
            let places = SLOTS.iter().zip(places).filter(|(_, place)| fits(place));
            let moves: Vec<_> = places
                .map(|(slot, (offset, width))| {
                    let span = Span { run: 0, offset, width };
                    Move::of(span, *slot).unwrap()
                })
                .collect();
            let base = Image { direction, vlan: 7, ..Image::default() };
            let Some(shuffle) = Shuffle::of(&moves, length) else {
                prop_assume!(false);
                return Ok(());
            };
            let mut seen = 0;
            let numbered = records.chunks(length).zip(0..);
            let taken = shuffle.each(&base, numbered, |record, blocks, number| {
                assert_eq!(number, seen);
                seen += 1;
                let mut flow = FlowRecord::default();
                let image = blocks.put(&mut flow);
                assert_eq!(image.as_bytes(), plainly(&shuffle, &base, record));
            });
            prop_assert_eq!((seen, taken), (records.len() / length, records.len() / length));
        }
    }

    #[test]
    fn records_shorter_than_a_vector_have_no_shuffle() {
        assert!(Shuffle::of(&[], 15).is_none());
    }

    #[test]
    fn a_field_beyond_the_record_has_no_shuffle() {
        let span = |offset| Span {
            run: 0,
            offset,
            width: 4,
        };
        let shuffle = |offset| Shuffle::of(&[Move::of(span(offset), Slot::InIf).unwrap()], 20);
        assert!(shuffle(17).is_none());
        assert_eq!(shuffle(16).is_some(), vector::is_there());
    }
}
