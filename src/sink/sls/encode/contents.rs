//! Contents that are written once and copied often.

/// Contents, one behind the other.
#[derive(Default)]
pub(super) struct Contents {
    /// Behind the last of them, [`STRIDE`] octets of nothing.
    octets: Vec<u8>,
}

/// Where one of [`Contents`] stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    /// Of no octets.
    pub(super) fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Octets.
    pub(super) fn len(self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }
}

impl Contents {
    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.octets.clear();
    }

    /// Octets of all of them.
    pub(super) fn len(&self) -> usize {
        self.octets.len().saturating_sub(STRIDE)
    }

    /// Adds what `write` writes; beyond 4 GiB, nothing.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.len();
        self.octets.truncate(start);
        write(&mut self.octets);
        let length = self.octets.len().saturating_sub(start);
        self.octets.resize(start + length + STRIDE, 0);
        let span = (u32::try_from(start), u32::try_from(length));
        let (Ok(start), Ok(length)) = span else {
            return Span::default();
        };
        Span { start, length }
    }

    /// Adds one of them to `out`.
    ///
    /// A copy of a size that the compiler knows is a few moves, any other a
    /// call; most Contents are shorter than a stride, so a stride is copied and
    /// what is too much cut off.
    #[inline]
    pub(super) fn copy(&self, span: Span, out: &mut Vec<u8>) {
        let rest = usize::try_from(span.start).map(|start| self.octets.get(start..));
        let rest = rest.ok().flatten().unwrap_or_default();
        match rest.first_chunk::<STRIDE>() {
            Some(stride) if span.len() <= STRIDE => {
                let end = out.len() + span.len();
                out.extend_from_slice(stride);
                out.truncate(end);
            }
            Some(_) | None => out.extend_from_slice(rest.get(..span.len()).unwrap_or_default()),
        }
    }
}

/// Octets copied at once.
const STRIDE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_any_length_come_back() {
        let lengths = [0, 1, STRIDE - 1, STRIDE, STRIDE + 1, 1000];
        let mut contents = Contents::default();
        let spans = lengths.map(|length| {
            let octet = u8::try_from(length % 251).unwrap();
            contents.push(|out| out.extend(vec![octet; length]))
        });
        assert_eq!(contents.len(), lengths.iter().sum::<usize>());
        for (span, length) in spans.into_iter().zip(lengths) {
            let mut out = b"before".to_vec();
            contents.copy(span, &mut out);
            let octet = u8::try_from(length % 251).unwrap();
            let expected = [b"before".to_vec(), vec![octet; length]].concat();
            assert_eq!(out, expected, "{length} octets");
            assert_eq!(span.is_empty(), length == 0);
        }
    }

    #[test]
    fn what_was_forgotten_is_nothing() {
        let mut contents = Contents::default();
        let span = contents.push(|out| out.extend(b"content"));
        contents.clear();
        let mut out = Vec::new();
        contents.copy(span, &mut out);
        assert_eq!((out.len(), contents.len()), (0, 0));
    }
}
