//! One canary for secrets: no formatting of anything that holds one shows it.

use std::fmt::Debug;

use super::server::Server;
use super::server::Step;
use super::*;
use crate::sink::sls::credentials::Chain;
use crate::sink::sls::credentials::Environment;
use crate::sink::sls::credentials::Fetcher;
use crate::sink::sls::credentials::Keeper;
use crate::sink::sls::credentials::Origin;
use crate::sink::sls::credentials::Secret;

const CANARY: &str = "cAnArY7n0b0dyMayR3adTh1s";

#[track_caller]
fn is_silent(what: &impl Debug) {
    for text in [format!("{what:?}"), format!("{what:#?}")] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

fn secret_credentials() -> Credentials {
    Credentials::new("LTAIfake", CANARY, Some(CANARY))
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Environment {
        variables: variables.iter().map(pair).collect(),
        home: None,
        metadata: "http://127.0.0.1:1".to_owned(),
        sts: None,
    }
}

#[test]
fn values_do_not_show_their_secrets() {
    let secret = Secret::new(CANARY);
    is_silent(&secret);
    assert_eq!(secret.to_string(), "…");
    is_silent(&secret_credentials());
    is_silent(&environment(&[("ALIBABA_CLOUD_ACCESS_KEY_SECRET", CANARY)]));
    let request = put("127.0.0.1", 0..4);
    is_silent(&request);
    for scheme in [Scheme::of_region(Some("r")), Scheme::of_region(None)] {
        let signed = request.signed(&scheme, &secret_credentials(), NOON);
        assert!(signed.signature.iter().any(|(_, value)| value == CANARY));
        is_silent(&signed);
        is_silent(&scheme);
    }
}

#[test]
fn equal_secrets_are_equal_and_others_are_not() {
    assert_eq!(Secret::new("a"), Secret::new("a"));
    assert_ne!(Secret::new("a"), Secret::new("b"));
    assert_ne!(Secret::new("a"), Secret::new("ab"));
}

#[tokio::test]
async fn failures_to_send_do_not_show_secrets() {
    let script = [
        Step::Raw(String::new()),
        Step::refused(401, "Unauthorized", "no"),
    ];
    let server = Server::new(script).await;
    let client = Client::new(&hasty()).unwrap();
    is_silent(&client);
    let scheme = Scheme::of_region(None);
    let request = put(&server.url(), 0..4);
    for _ in 0..2 {
        let signed = request.signed(&scheme, &secret_credentials(), NOON);
        match client.send(signed).await {
            Ok(answer) => is_silent(&answer),
            Err(error) => {
                is_silent(&error);
                assert!(!error.to_string().contains(CANARY));
            }
        }
    }
    assert_eq!(
        server.seen()[0].header("x-acs-security-token"),
        Some(CANARY)
    );
}

/// Wherever a secret stands, what is wrong around it is told without it.
#[tokio::test]
async fn failures_to_find_keys_do_not_show_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let home = folder.path().join("home");
    let config = home.join(".aliyun/config.json");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let ini = folder.path().join("credentials.ini");
    let token = folder.path().join("token");
    std::fs::write(&token, CANARY).unwrap();
    let quoted = format!("\"{CANARY}\"");
    let nested = format!("{{\"Code\":\"Denied\",\"Message\":{quoted},\"Credentials\":{quoted}}}");
    let contents = [
        CANARY.to_owned(),
        format!("access-key-secret = {CANARY}"),
        format!("[default]\ntype = access_key\naccess_key_secret = {CANARY}"),
        format!("[default]\n{CANARY}"),
        quoted.clone(),
        nested,
        format!("{{\"current\":\"a\",\"profiles\":{quoted}}}"),
        format!(
            "{{\"current\":\"a\",\"profiles\":[{{\"name\":\"a\",\"mode\":{{}},\"x\":{quoted}}}]}}"
        ),
        format!("{{\"AccessKeyId\":\"a\",\"AccessKeySecret\":{quoted},\"Expiration\":7}}"),
        format!(
            "{{\"AccessKeySecret\":{quoted},\"SecurityToken\":{quoted},\"Expiration\":{quoted}}}"
        ),
    ];
    let fetcher = Fetcher::new(&hasty()).unwrap();
    is_silent(&fetcher);
    for content in contents {
        for path in [&file, &config, &ini] {
            std::fs::write(path, &content).unwrap();
        }
        let server = Server::new(vec![Step::body(200, &content); 8]).await;
        let mut surroundings = environment(&[
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", CANARY),
            ("ALIBABA_CLOUD_CREDENTIALS_FILE", ini.to_str().unwrap()),
            ("ALIBABA_CLOUD_CREDENTIALS_URI", &server.url()),
            ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
            (
                "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
                "acs:ram::1:oidc-provider/p",
            ),
            ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.to_str().unwrap()),
        ]);
        surroundings.home = Some(home.clone());
        surroundings.metadata = server.url();
        surroundings.sts = Some(server.url());
        for chain in [Chain::standard(), Chain::only(Origin::File(file.clone()))] {
            let found = chain.resolve(&surroundings, &fetcher, NOON).await;
            let error = found.expect_err(&content);
            is_silent(&error);
            assert!(!error.to_string().contains(CANARY), "{error}");
            let keeper = Keeper::new(chain, surroundings.clone(), fetcher.clone());
            is_silent(&keeper);
        }
    }
}
