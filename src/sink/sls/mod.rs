//! Delivery to Alibaba Cloud Simple Log Service (SLS) through PutLogs.

mod dead_letter;
mod delivery;
mod pace;
mod skew;
mod verdict;

pub use dead_letter::DeadLetter;
pub use dead_letter::DeadLetterError;
pub use dead_letter::DeadLetters;
pub use dead_letter::DeadLettersFound;
pub use delivery::Action;
pub use delivery::Delivery;
pub use delivery::Outcome;
pub use delivery::Patience;
pub use delivery::Piece;
pub use delivery::Why;
pub use pace::Aimd;
pub use pace::Backoff;
pub use pace::Drain;
pub use pace::Feedback;
pub use pace::Limiters;
pub use pace::Permit;
pub use skew::Skew;
pub use verdict::Hold;
pub use verdict::Scope;
pub use verdict::Verdict;
pub use verdict::verdict;
