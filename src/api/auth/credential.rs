//! Credentials of the control APIs and what each may do.

use std::collections::BTreeMap;

use super::{Pattern, Secret};

/// The credentials of a server; open when there are none to ask for.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// None: everybody may do everything.
    known: Option<BTreeMap<String, Credential>>,
}

impl Credentials {
    /// No authentication, for a lab: any signature is accepted, as is none.
    pub const fn open() -> Self {
        Self { known: None }
    }

    /// Only these. Of two with the same id the later one counts.
    pub fn new(credentials: impl IntoIterator<Item = Credential>) -> Self {
        let known = credentials.into_iter();
        let known = known.map(|credential| (credential.id.clone(), credential));
        Self {
            known: Some(known.collect()),
        }
    }

    /// Whether nothing needs to be proved.
    pub const fn is_open(&self) -> bool {
        self.known.is_none()
    }

    /// The credential with this id.
    pub fn find(&self, id: &str) -> Option<&Credential> {
        self.known.as_ref()?.get(id)
    }
}

/// A credential of the control APIs: one `[[credential]]` of the configuration.
#[derive(Clone, Debug)]
pub struct Credential {
    /// `AccessKeyId` or `SecretId`: what a request names.
    pub id: String,
    /// What a request proves to know.
    pub secret: Secret,
    /// The session token a request must show too, if the key is a temporary one.
    pub token: Option<Secret>,
    /// The account it belongs to.
    pub account_uid: Option<String>,
    /// Products whose actions it may call.
    pub products: Vec<Product>,
    /// Actions it may call there, such as `DescribeFlowLogs`, `Describe*` or `*`.
    pub actions: Vec<Pattern>,
}

impl Credential {
    /// Whether it may call this action, spelled as the product documents it.
    pub fn may(&self, product: Product, action: &str) -> bool {
        let mut actions = self.actions.iter();
        self.products.contains(&product) && actions.any(|pattern| pattern.matches(action))
    }
}

/// The products whose control APIs are spoken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Product {
    /// Alibaba Cloud Smart Access Gateway.
    Smartag,
    /// Alibaba Cloud Express Connect Router.
    ExpressConnectRouter,
    /// Tencent Cloud Virtual Private Cloud.
    Vpc,
}

impl Product {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Smartag, Self::ExpressConnectRouter, Self::Vpc];

    /// The word used in the configuration and in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Smartag => "smartag",
            Self::ExpressConnectRouter => "ecr",
            Self::Vpc => "vpc",
        }
    }

    /// The product that a word of the configuration means.
    pub fn of_label(label: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|product| product.label() == label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Credential {
        Credential {
            id: "reader".to_owned(),
            secret: Secret::new("canary-1f7"),
            token: Some(Secret::new("canary-8c2")),
            account_uid: None,
            products: vec![Product::Smartag, Product::Vpc],
            actions: vec![Pattern::new("Describe*"), Pattern::new("ActiveFlowLog")],
        }
    }

    #[test]
    fn a_credential_calls_its_actions_of_its_products() {
        let reader = reader();
        assert!(reader.may(Product::Smartag, "DescribeFlowLogs"));
        assert!(reader.may(Product::Vpc, "ActiveFlowLog"));
        assert!(!reader.may(Product::Smartag, "DeleteFlowLog"));
        assert!(!reader.may(Product::ExpressConnectRouter, "DescribeFlowLogs"));
        let nothing = Credential {
            actions: Vec::new(),
            ..reader
        };
        assert!(!nothing.may(Product::Smartag, "DescribeFlowLogs"));
    }

    #[test]
    fn of_two_credentials_with_one_id_the_later_counts() {
        let later = Credential {
            account_uid: Some("2".to_owned()),
            ..reader()
        };
        let credentials = Credentials::new([reader(), later]);
        let found = credentials.find("reader").unwrap();
        assert_eq!(found.account_uid.as_deref(), Some("2"));
        assert!(credentials.find("Reader").is_none());
        assert!(!credentials.is_open());
        assert!(Credentials::open().is_open());
        assert!(Credentials::open().find("reader").is_none());
    }

    #[test]
    fn secret_and_token_are_not_printed() {
        let credentials = Credentials::new([reader()]);
        assert!(!format!("{credentials:?}").contains("canary"));
    }

    #[test]
    fn labels_lead_back_to_their_products() {
        for product in Product::ALL {
            assert_eq!(Product::of_label(product.label()), Some(product));
        }
        assert_eq!(Product::of_label("VPC"), None);
    }
}
