//! Where rows go that leave the house: Logstores of SLS.
//!
//! What both sides of the SLS API need is here by name, for the room that
//! answers as the service does.

pub mod sls;

pub use sls::credentials::Secret;
pub use sls::proto::{Content, Log, LogGroup, LogGroupList, LogTag};
pub use sls::sign;
pub use sls::{Compression, Compressor, Destination, Endpoint, FieldChoice, Sender, decompress};
