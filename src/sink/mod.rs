//! Where rows go that leave the house: Logstores of SLS, other collectors.
//!
//! What both sides of the SLS API need is here by name, for the room that
//! answers as the service does.

pub mod netflow;
pub mod sls;

pub use netflow::{CollectorReading, Exports, ExportsReading, ExportsSettings, Tally};
pub use sls::sign;
pub use sls::{Compression, Compressor, decompress};
pub use sls::{Content, Log, LogGroup, LogGroupList, LogTag};
pub use sls::{Destination, Endpoint, FieldChoice, Secret, Sender};
