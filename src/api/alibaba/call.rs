//! What calls of all products have in common: parameters, and a caller.

use std::collections::BTreeMap;

use super::failure::Failure;
use crate::api::auth::Product;
use crate::api::auth::control::Proof;
use crate::api::control::Request;

/// The parameters of a call, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Call {
    params: BTreeMap<String, String>,
    account: String,
    key_id: String,
}

impl Call {
    /// The call that a request makes.
    pub(super) fn new(request: &Request<'_>, proof: Proof<'_>) -> Self {
        let arrived = request.raw.arrived();
        let params = arrived.merged().into_iter();
        let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let account = proof.credential.and_then(|it| it.account_uid.clone());
        Self {
            params: params.collect(),
            account: account.unwrap_or_default(),
            key_id: key_id(proof).to_owned(),
        }
    }

    /// Whether the caller may call this action.
    ///
    /// # Errors
    /// The key has not this right.
    pub(super) fn allowed(
        proof: Proof<'_>,
        product: Product,
        action: &str,
        right: &str,
    ) -> Result<(), Failure> {
        let forbidden = || Failure::forbidden(right.to_owned(), key_id(proof));
        let may = proof.may(product, action);
        may.then_some(()).ok_or_else(forbidden)
    }

    /// Account of the caller; empty where keys have none.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// Who may not do twice what it asked for once: the account, else the key.
    pub(super) fn owner(&self) -> &str {
        let texts = [self.account.as_str(), &self.key_id];
        let mut known = texts.into_iter().filter(|text| !text.is_empty());
        known.next().unwrap_or_default()
    }

    /// A parameter as it came: absent, or a text that may be empty.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// A parameter, if there is one and it is not empty.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|text| !text.is_empty())
    }

    /// All parameters in the order of their names.
    pub(super) fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        let params = self.params.iter();
        params.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Id of the caller's key; empty where nobody is asked for one.
fn key_id<'a>(proof: Proof<'a>) -> &'a str {
    proof.credential.map_or("", |it| &it.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_keys_are_one_owner() {
        let owner = |account: &str, key_id: &str| {
            let call = Call {
                params: BTreeMap::new(),
                account: account.to_owned(),
                key_id: key_id.to_owned(),
            };
            call.owner().to_owned()
        };
        assert_eq!(owner("1234", "LTAI1"), "1234");
        assert_eq!(owner("", "LTAI1"), "LTAI1");
        assert_eq!(owner("", ""), "");
    }
}
