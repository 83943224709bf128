//! Messages decoded again.
