//! Exports with real sockets.
