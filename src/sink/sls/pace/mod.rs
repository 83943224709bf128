//! How often, how many at a time and how fast: pure, with time as an argument.
//!
//! `now` is what has passed since an arbitrary start, on a clock that never
//! goes back.

mod aimd;
mod backoff;
mod drain;
mod limiters;

pub use aimd::Aimd;
pub use aimd::Feedback;
pub use backoff::Backoff;
pub use drain::Drain;
pub use limiters::Limiters;
pub use limiters::Permit;
