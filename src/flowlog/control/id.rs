//! Ids in the clouds' formats (control-plane.md §10).

/// Where ids come from: octets that nobody can guess, from outside.
pub struct Ids<'a> {
    random: &'a mut dyn FnMut(&mut [u8]),
}

impl<'a> Ids<'a> {
    /// Ids from such octets.
    pub fn new(random: &'a mut dyn FnMut(&mut [u8])) -> Self {
        Self { random }
    }

    /// An id that `is_taken` says is free: `prefix` and `length` of `a-z 0-9`.
    pub fn fresh(
        &mut self,
        prefix: &str,
        length: usize,
        is_taken: impl Fn(&str) -> bool,
    ) -> String {
        loop {
            let id = self.any(prefix, length);
            if !is_taken(&id) {
                return id;
            }
        }
    }

    fn any(&mut self, prefix: &str, length: usize) -> String {
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

const RADIX: u32 = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_small_letters_and_digits() {
        let mut next = 0_u8;
        let mut random = |octets: &mut [u8]| {
            octets.fill(next);
            next = next.wrapping_add(37);
        };
        let id = Ids::new(&mut random).fresh("fl-", 18, |_| false);
        assert_eq!(id, "fl-012345634567896789");
    }

    #[test]
    fn an_id_in_use_is_not_given_again() {
        let mut next = 0_u8;
        let mut random = |octets: &mut [u8]| {
            octets.fill(next);
            next += 1;
        };
        let id = Ids::new(&mut random).fresh("x-", 1, |id| id == "x-0" || id == "x-1");
        assert_eq!(id, "x-2");
    }
}
