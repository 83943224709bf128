//! Where the name of a collector leads.

use std::net::SocketAddr;

use thiserror::Error;

use crate::flowlog::Refusal;

/// The address of a collector that is known by name.
///
/// One in use stays as long as the name has it, and as long as the name leads
/// nowhere, or only to where nothing may be sent.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    address: Option<SocketAddr>,
    trouble: Option<Trouble>,
}

/// Why a look-up gave no address.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Trouble {
    /// The resolver says so, or says nothing.
    #[error("{0}")]
    Unresolved(String),
    /// Nothing may be sent to any, the last of which is this.
    #[error("{0} {1}")]
    Refused(SocketAddr, Refusal),
}

impl Resolved {
    /// The last good address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Why the last look-up gave none.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Takes in what a look-up found, or why it found nothing, leaving out what
    /// `refusal` refuses; says whether the address is another now.
    pub fn learn(
        &mut self,
        found: Result<Vec<SocketAddr>, String>,
        refusal: impl Fn(SocketAddr) -> Option<Refusal>,
    ) -> bool {
        let mut good = Vec::new();
        let mut trouble = Trouble::Unresolved("it has no address".to_owned());
        match found {
            Err(why) => trouble = Trouble::Unresolved(why),
            Ok(found) => {
                for address in found {
                    let ip = address.ip().to_canonical();
                    let address = SocketAddr::new(ip, address.port());
                    match refusal(address) {
                        Some(why) => trouble = Trouble::Refused(address, why),
                        None => good.push(address),
                    }
                }
            }
        }
        let Some(first) = good.first() else {
            self.trouble = Some(trouble);
            return false;
        };
        self.trouble = None;
        // Of many addresses any will do.
        if self.address.is_some_and(|address| good.contains(&address)) {
            return false;
        }
        self.address = Some(*first);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowlog::refusal;

    fn found(texts: &[&str]) -> Result<Vec<SocketAddr>, String> {
        Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    /// What is known after a look-up by somebody who listens on 192.0.2.9:9995.
    fn learn(
        resolved: &mut Resolved,
        found: Result<Vec<SocketAddr>, String>,
    ) -> (bool, Option<String>, Option<String>) {
        let own = ["192.0.2.9:9995".parse().unwrap()];
        let is_new = resolved.learn(found, |address| refusal(address, &own));
        let address = resolved.address().map(|address| address.to_string());
        (is_new, address, resolved.trouble().map(Trouble::to_string))
    }

    #[test]
    fn an_address_in_use_is_kept_as_long_as_the_name_has_it() {
        let mut resolved = Resolved::default();
        let (one, two) = ("192.0.2.1:9995", "192.0.2.2:9995");
        for (texts, is_new, address) in [
            (&[one, two][..], true, one),
            (&[two, one], false, one),
            (&[two], true, two),
            (&["[::ffff:192.0.2.2]:9995"], false, two),
        ] {
            let expected = (is_new, Some(address.to_owned()), None);
            assert_eq!(learn(&mut resolved, found(texts)), expected);
        }
    }

    #[test]
    fn the_last_good_address_outlasts_a_name_that_leads_nowhere() {
        let mut resolved = Resolved::default();
        let because = |why: &str| Some(why.to_owned());
        let none = because("it has no address");
        assert_eq!(
            learn(&mut resolved, found(&[])),
            (false, None, none.clone())
        );
        learn(&mut resolved, found(&["192.0.2.1:1"]));
        let good = because("192.0.2.1:1");
        assert_eq!(
            learn(&mut resolved, found(&[])),
            (false, good.clone(), none)
        );
        let failed = learn(&mut resolved, Err("timed out".to_owned()));
        assert_eq!(failed, (false, good, because("timed out")));
        learn(&mut resolved, found(&["192.0.2.1:1"]));
        assert_eq!(resolved.trouble(), None);
    }

    #[test]
    fn what_is_refused_is_passed_over_and_told_where_nothing_is_left() {
        let mut resolved = Resolved::default();
        let (own, metadata) = ("192.0.2.9:9995", "169.254.169.254:9995");
        let refused = learn(&mut resolved, found(&[metadata, own]));
        assert_eq!((refused.0, refused.1), (false, None));
        let why = Trouble::Refused(own.parse().unwrap(), Refusal::Own);
        assert_eq!(resolved.trouble(), Some(&why));
        let mixed = found(&[own, "192.0.2.1:9995", metadata]);
        let good = Some("192.0.2.1:9995".to_owned());
        assert_eq!(learn(&mut resolved, mixed), (true, good.clone(), None));
        assert_eq!(learn(&mut resolved, found(&[own])).1, good);
    }
}
