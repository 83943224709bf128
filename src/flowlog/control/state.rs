//! All that the APIs have made.

use serde::Deserialize;
use serde::Serialize;

use super::ecr;
use super::sag;
use super::vpc;

/// The stores of all families.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// Smart Access Gateways.
    pub sag: sag::Store,
    /// Express Connect Routers.
    pub ecr: ecr::Store,
    /// Tencent Cloud's private networks.
    pub vpc: vpc::Store,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_earlier_flowlogd_is_read() {
        assert_eq!(
            serde_json::from_str::<State>("{}").unwrap(),
            State::default()
        );
        assert!(serde_json::from_str::<State>("{\"later\":1}").is_err());
    }
}
