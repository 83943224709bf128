//! Ids in the clouds' formats (control-plane.md §10).

/// How ids of one kind look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Format {
    /// What they begin with.
    pub(super) prefix: &'static str,
    /// How many of `a-z 0-9` follow.
    pub(super) length: usize,
}

impl Format {
    /// Whether a text could be such an id.
    pub(super) fn has(self, text: &str) -> bool {
        let is_letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        text.strip_prefix(self.prefix)
            .is_some_and(|rest| rest.len() == self.length && rest.bytes().all(is_letter))
    }
}

/// Where ids come from: octets that nobody can guess, from outside.
pub struct Ids<'a> {
    random: &'a mut dyn FnMut(&mut [u8]),
}

impl<'a> Ids<'a> {
    /// Ids from such octets.
    pub fn new(random: &'a mut dyn FnMut(&mut [u8])) -> Self {
        Self { random }
    }

    /// An id that `is_taken` says is free.
    pub(super) fn fresh(&mut self, format: Format, is_taken: impl Fn(&str) -> bool) -> String {
        loop {
            let id = self.any(format);
            if !is_taken(&id) {
                return id;
            }
        }
    }

    fn any(&mut self, Format { prefix, length }: Format) -> String {
        let mut id = prefix.to_owned();
        while id.len() < prefix.len() + length {
            let mut octet = [0];
            (self.random)(&mut octet);
            // 252 is the largest multiple of 36: every letter is as likely.
            if let [octet @ 0..252] = octet {
                id.extend(char::from_digit(u32::from(octet) % RADIX, RADIX));
            }
        }
        id
    }
}

impl Ids<'_> {
    /// Octets that follow from texts, the same in each run: FNV-1a, continued
    /// by SplitMix64. Whoever chooses the texts can foresee them.
    pub(super) fn octets_of(texts: [&str; 2]) -> impl FnMut(&mut [u8]) {
        // No text has this octet: it keeps what ends one from beginning the next.
        let octets = texts.iter().flat_map(|text| text.bytes().chain([0xff]));
        let mut state = octets.fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
        });
        move |octets| {
            for octet in octets {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                [*octet, ..] = (mixed ^ (mixed >> 31)).to_be_bytes();
            }
        }
    }
}

const RADIX: u32 = 36;

#[cfg(test)]
mod tests {
    use super::*;

    fn format(prefix: &'static str, length: usize) -> Format {
        Format { prefix, length }
    }

    #[test]
    fn an_id_that_follows_from_texts_is_always_the_same() {
        let id = |texts: [&str; 2]| {
            let mut octets = Ids::octets_of(texts);
            Ids::new(&mut octets).fresh(format("fl-", 8), |_| false)
        };
        // From the definitions of FNV-1a and SplitMix64, by another program.
        assert_eq!(id(["branches", "eni-1"]), "fl-u94aabvj");
        assert_eq!(id(["branches", "eni-2"]), "fl-8sl8wkee");
        assert_eq!(id(["branch", "eseni-1"]), "fl-3iecr5v5");
        let ids: std::collections::BTreeSet<_> = (0..20_000)
            .map(|number| id(["branches", &format!("eni-{number}")]))
            .collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.iter().all(|id| format("fl-", 8).has(id)));
    }

    #[test]
    fn what_is_no_id_of_a_format_is_not_taken_for_one() {
        let fits = |text| format("fl-", 3).has(text);
        assert!(fits("fl-a0z"));
        for text in [
            "fl-a0", "fl-a0zz", "fl-A0z", "fl-a-z", "fla0z", "a0z", "fl-流",
        ] {
            assert!(!fits(text), "{text}");
        }
    }

    #[test]
    fn an_id_is_of_small_letters_and_digits() {
        let mut next = 0_u8;
        let mut random = |octets: &mut [u8]| {
            octets.fill(next);
            next = next.wrapping_add(37);
        };
        let id = Ids::new(&mut random).fresh(format("fl-", 18), |_| false);
        assert_eq!(id, "fl-012345634567896789");
    }

    #[test]
    fn an_id_in_use_is_not_given_again() {
        let mut next = 0_u8;
        let mut random = |octets: &mut [u8]| {
            octets.fill(next);
            next += 1;
        };
        let id = Ids::new(&mut random).fresh(format("x-", 1), |id| id == "x-0" || id == "x-1");
        assert_eq!(id, "x-2");
    }
}
