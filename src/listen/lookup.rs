//! Names to addresses, as the system resolves them.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use tokio::net::lookup_host;

/// What is asked for addresses.
pub trait Lookup: Send + Sync {
    /// Looks a name up; it may take as long as the resolver's patience.
    fn look_up(&self, name: &str) -> Looking;
}

/// A look-up under way; no address at all is an answer too.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// `getaddrinfo`, on threads of tokio's own.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl Lookup for System {
    fn look_up(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let found = lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
