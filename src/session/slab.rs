//! Values under numbers that stay the same.

/// A table whose rows keep their numbers; those of removed rows are used again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        self.rows.get(usize::try_from(at).ok()?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.rows.get_mut(usize::try_from(at).ok()?)?.as_mut()
    }

    /// Adds a row; its number is `None` only beyond 2^32 of them.
    pub(crate) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(at) = self.free.pop() {
            *self.rows.get_mut(usize::try_from(at).ok()?)? = Some(value);
            return Some(at);
        }
        let at = u32::try_from(self.rows.len()).ok()?;
        self.rows.push(Some(value));
        Some(at)
    }

    pub(crate) fn remove(&mut self, at: u32) -> Option<T> {
        let value = self.rows.get_mut(usize::try_from(at).ok()?)?.take()?;
        self.free.push(at);
        Some(value)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flatten()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Numbers given so far, those of removed rows too: for sweeps.
    pub(crate) fn slots(&self) -> u32 {
        u32::try_from(self.rows.len()).unwrap_or(u32::MAX)
    }
}
