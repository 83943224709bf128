//! The flows of the caches, kept for a start after an unclean end.
//!
//! ```text
//! keeper ─► journal: begin ─► lanes: a piece now and then ─► journal: save
//! start  ◄─ journal: snapshot, and the rows since ◄───────────┘
//! ```
//!
//! A snapshot notes the journal's position before the lanes walk over their
//! caches; whoever resumes it drops the flows that stand in a row journaled
//! since. What was merged after the walk came by is lost with a crash, and what
//! is in no journaled row is resumed: nothing is exported twice. DESIGN §6.
//!
//! That needs a journal that has every row which somebody may have got. While
//! the disk takes none, there is no snapshot either.

mod keep;
mod resume;

#[cfg(test)]
mod tests;

pub(super) use keep::Keeper;
pub(super) use resume::resume;
