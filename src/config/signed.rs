//! `[http.signed]`: a listener for whoever can sign a request.

use std::net::SocketAddr;

use super::http::{Certificate, certificate};
use super::table::Table;
use super::value::Value;

/// Where the APIs that ask everybody for a signature are served, and nothing
/// else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// TCP address, of any network.
    pub address: SocketAddr,
    /// Certificate and key in PEM; then only TLS is spoken.
    pub certificate: Option<Certificate>,
    /// Names it is reached by, beside addresses; in small letters.
    pub hosts: Vec<String>,
}

/// Reads the section. `can_sign` says whether there is a key that a request
/// can be signed with, `local` where the other listener is.
pub(super) fn read(table: &mut Table<'_, '_>, can_sign: bool, local: SocketAddr) -> Option<Signed> {
    let advice = "write address:port, such as \"[::]:9993\"";
    let address = table.required("address", advice, |it| it.parsed(advice));
    let certificate = certificate(table);
    let is_plaintext = table.boolean("plaintext").unwrap_or_default();
    let hosts = table.list("hosts", host).unwrap_or_default();
    if !can_sign {
        let advice = "define [[credential]] or [[access-key]]; with `control.open` nobody is \
                      asked for a credential";
        table.refuse("address", "there is no key to sign a request with", advice);
    }
    let address: SocketAddr = address?;
    if address == local && local.port() != 0 {
        let advice = "it is a listener of its own; give it a port of its own";
        table.refuse("address", format!("{address} is `http.address`"), advice);
    }
    let is_near = address.ip().to_canonical().is_loopback();
    if certificate.is_none() && !is_near && !is_plaintext {
        let what = format!("without TLS what is sent to {address} can be read on the way");
        let advice = "name certificate-file and key-file, or write plaintext = true";
        table.refuse("address", what, advice);
    }
    Some(Signed {
        address,
        certificate,
        hosts,
    })
}

/// A name of hosts; `*` as its first label stands for any one label.
fn host(value: Value<'_, '_>) -> Option<String> {
    let text = value.as_text().unwrap_or_default().to_ascii_lowercase();
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_letter);
    let labels = text.strip_prefix("*.").unwrap_or(&text);
    if !labels.split('.').all(is_label) {
        value.refuse(
            "is no name of a host",
            "write one such as \"flows.example.net\"",
        );
        return None;
    }
    Some(text)
}
