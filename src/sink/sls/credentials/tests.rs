//! The chain against files, variables and services of the test's own.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::sink::sls::Transport;
use crate::sink::sls::tests::server::Server;
use crate::sink::sls::tests::server::Step;

/// 2026-11-21T12:00:00Z.
const NOON: u64 = 1_795_262_400;

const ISSUED: &str = r#"{"Code":"Success","AccessKeyId":"STS.1","AccessKeySecret":"s",
    "SecurityToken":"t","Expiration":"2026-11-21T18:00:00Z","LastUpdated":"x"}"#;

/// Surroundings in which nothing is set and nobody answers.
struct Surroundings {
    environment: Environment,
    home: TempDir,
}

impl Surroundings {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        let environment = Environment {
            variables: [("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            home: Some(home.path().to_owned()),
            metadata: "http://127.0.0.1:1".to_owned(),
            sts: Some("http://127.0.0.1:1".to_owned()),
        };
        Self { environment, home }
    }

    fn set(&mut self, name: &str, value: &str) {
        let variables = &mut self.environment.variables;
        variables.insert(name.to_owned(), value.to_owned());
    }

    /// The metadata service is this one.
    fn on_instance(&mut self, server: &Server) {
        self.environment.variables.clear();
        self.environment.metadata = server.url();
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    async fn resolve(&self) -> Result<(Credentials, Origin), CredentialsError> {
        self.resolve_by(&Chain::standard()).await
    }

    async fn resolve_by(&self, chain: &Chain) -> Result<(Credentials, Origin), CredentialsError> {
        let fetcher = Fetcher::new(&Transport::default()).unwrap();
        chain.resolve(&self.environment, &fetcher, NOON).await
    }
}

fn issued() -> Credentials {
    Credentials {
        expires_unix_s: Some(NOON + 6 * 3600),
        ..Credentials::new("STS.1", "s", Some("t"))
    }
}

#[tokio::test]
async fn nothing_anywhere_is_told_place_by_place() {
    let error = Surroundings::new().resolve().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no credentials found: systemd credential sls: not set; environment: not set; \
         OIDC role: not set; ~/.aliyun/config.json: not set; \
         ~/.alibabacloud/credentials.ini: not set; instance role: not set; \
         credentials URI: not set"
    );
}

#[tokio::test]
async fn variables_of_all_times_are_known() {
    for (id, secret, token) in [
        (
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIBABA_CLOUD_SECURITY_TOKEN",
        ),
        (
            "ALICLOUD_ACCESS_KEY_ID",
            "ALICLOUD_ACCESS_KEY_SECRET",
            "SECURITY_TOKEN",
        ),
        (
            "ALIBABACLOUD_ACCESS_KEY_ID",
            "ALIBABACLOUD_ACCESS_KEY_SECRET",
            "SECURITY_TOKEN",
        ),
        (
            "ALICLOUD_ACCESS_KEY",
            "ALICLOUD_SECRET_KEY",
            "SECURITY_TOKEN",
        ),
    ] {
        let mut around = Surroundings::new();
        around.set(id, "i");
        let half = around.resolve().await.unwrap_err().to_string();
        assert!(
            half.contains("ALIBABA_CLOUD_ACCESS_KEY_SECRET is missing"),
            "{half}"
        );
        around.set(secret, "s");
        around.set(token, "t");
        let found = around.resolve().await.unwrap();
        let expected = Credentials::new("i", "s", Some("t"));
        assert_eq!(found, (expected, Origin::Variables));
    }
}

#[tokio::test]
async fn a_file_and_a_systemd_credential_have_the_same_form() {
    let mut around = Surroundings::new();
    let path = around.write(
        "run/sls",
        "# ours\naccess-key-id = i\naccess-key-secret = 's'\n",
    );
    let expected = Credentials::new("i", "s", None);
    let chain = Chain::only(Origin::File(path.clone()));
    let found = around.resolve_by(&chain).await.unwrap();
    assert_eq!(found, (expected.clone(), Origin::File(path.clone())));
    let directory = around.home.path().join("run");
    around.set("CREDENTIALS_DIRECTORY", directory.to_str().unwrap());
    let found = around.resolve().await.unwrap();
    assert_eq!(
        found,
        (expected, Origin::SystemdCredential("sls".to_owned()))
    );
    around.write("run/sls", "access-key-id = i\nsecurity-token = t\n");
    let error = around.resolve_by(&chain).await.unwrap_err().to_string();
    assert!(error.ends_with("access_key_secret is missing"), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(around.resolve_by(&chain).await.is_err());
}

#[tokio::test]
async fn the_command_lines_profiles_are_read() {
    let config = r#"{"current":"work","profiles":[
        {"name":"home","mode":"StsToken","access_key_id":"h","access_key_secret":"hs","sts_token":"ht"},
        {"name":"work","mode":"AK","access_key_id":"w","access_key_secret":"ws","sts_token":"","x":1},
        {"name":"arn","mode":"RamRoleArn","access_key_id":"a","access_key_secret":"as"}]}"#;
    let mut around = Surroundings::new();
    around.write(".aliyun/config.json", config);
    let found = around.resolve().await.unwrap();
    assert_eq!(
        found,
        (Credentials::new("w", "ws", None), Origin::CommandLine)
    );
    around.set("ALIBABA_CLOUD_PROFILE", "home");
    let (credentials, _) = around.resolve().await.unwrap();
    assert_eq!(credentials, Credentials::new("h", "hs", Some("ht")));
    for (profile, problem) in [
        ("arn", "mode \"RamRoleArn\" is not supported"),
        ("none", "has no profile \"none\""),
    ] {
        around.set("ALIBABA_CLOUD_PROFILE", profile);
        let error = around.resolve().await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    around.set("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true");
    let error = around.resolve().await.unwrap_err().to_string();
    assert!(error.contains("config.json: not set"), "{error}");
}

#[tokio::test]
async fn the_sdks_profiles_are_read() {
    let mut around = Surroundings::new();
    let text = "[default]\ntype = access_key\naccess_key_id = i\naccess_key_secret = s\n\
                [rsa]\ntype = rsa_key_pair\n";
    around.write(".alibabacloud/credentials.ini", text);
    let found = around.resolve().await.unwrap();
    assert_eq!(found, (Credentials::new("i", "s", None), Origin::Ini));
    around.set("ALIBABA_CLOUD_PROFILE", "rsa");
    let error = around.resolve().await.unwrap_err().to_string();
    assert!(
        error.contains("mode \"rsa_key_pair\" is not supported"),
        "{error}"
    );
    let other = around.write("other", "[rsa]\naccess_key_id = o\naccess_key_secret = s\n");
    around.set("ALIBABA_CLOUD_CREDENTIALS_FILE", other.to_str().unwrap());
    let (credentials, _) = around.resolve().await.unwrap();
    assert_eq!(credentials.key_id, "o");
}

#[tokio::test]
async fn an_instances_role_is_asked_with_a_session() {
    let script = ["session-1", "role-1\n", ISSUED].map(|body| Step::body(200, body));
    let server = Server::new(script).await;
    let mut around = Surroundings::new();
    around.on_instance(&server);
    let found = around.resolve().await.unwrap();
    assert_eq!(found, (issued(), Origin::InstanceRole));
    let seen = server.seen();
    let line = |at: usize| seen[at].head.lines().next().unwrap();
    assert_eq!(line(0), "PUT /latest/api/token HTTP/1.1");
    let ttl = seen[0].header("x-aliyun-ecs-metadata-token-ttl-seconds");
    assert_eq!(ttl, Some("21600"));
    let listing = "/latest/meta-data/ram/security-credentials/";
    assert_eq!(line(1), format!("GET {listing} HTTP/1.1"));
    assert_eq!(line(2), format!("GET {listing}role-1 HTTP/1.1"));
    for at in [1, 2] {
        let session = seen[at].header("x-aliyun-ecs-metadata-token");
        assert_eq!(session, Some("session-1"));
    }
}

#[tokio::test]
async fn an_old_metadata_service_is_asked_without_unless_that_is_forbidden() {
    let script = || [Step::body(404, ""), Step::body(200, ISSUED)];
    let server = Server::new(script()).await;
    let mut around = Surroundings::new();
    around.on_instance(&server);
    around.set("ALIBABA_CLOUD_ECS_METADATA", "role/1");
    let (credentials, _) = around.resolve().await.unwrap();
    assert_eq!(credentials, issued());
    let second = &server.seen()[1];
    assert!(
        second
            .head
            .starts_with("GET /latest/meta-data/ram/security-credentials/role%2F1 ")
    );
    assert_eq!(second.header("x-aliyun-ecs-metadata-token"), None);

    let server = Server::new(script()).await;
    around.on_instance(&server);
    around.set("ALIBABA_CLOUD_IMDSV1_DISABLED", "true");
    let error = around.resolve().await.unwrap_err().to_string();
    assert!(
        error.contains("instance metadata: refused with status 404"),
        "{error}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_cluster_role_is_assumed_with_its_token() {
    let answer = format!(r#"{{"RequestId":"x","Credentials":{ISSUED}}}"#);
    let server = Server::new([
        Step::body(200, &answer),
        Step::body(
            400,
            r#"{"Code":"AuthenticationFail.OIDCToken.Expired","Message":"t"}"#,
        ),
    ])
    .await;
    let mut around = Surroundings::new();
    around.environment.sts = Some(server.url());
    let token = around.write("token", "a.b+c\n");
    around.set("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r");
    around.set(
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
        "acs:ram::1:oidc-provider/p",
    );
    around.set("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token.to_str().unwrap());
    let found = around.resolve().await.unwrap();
    assert_eq!(found, (issued(), Origin::Oidc));
    assert_eq!(
        String::from_utf8(server.seen()[0].body.clone()).unwrap(),
        "Action=AssumeRoleWithOIDC&Version=2015-04-01&Format=JSON\
         &Timestamp=2026-11-21T12%3A00%3A00Z&RoleArn=acs%3Aram%3A%3A1%3Arole%2Fr\
         &OIDCProviderArn=acs%3Aram%3A%3A1%3Aoidc-provider%2Fp&OIDCToken=a.b%2Bc\
         &RoleSessionName=flowlogd&DurationSeconds=3600"
    );
    let error = around.resolve().await.unwrap_err().to_string();
    let told =
        "security token service: refused with status 400 AuthenticationFail.OIDCToken.Expired";
    assert!(error.contains(told), "{error}");
}

#[tokio::test]
async fn a_uri_of_the_users_own_is_the_last_resort() {
    let server = Server::new([Step::body(200, ISSUED)]).await;
    let mut around = Surroundings::new();
    around.set("ALIBABA_CLOUD_CREDENTIALS_URI", &server.url());
    assert_eq!(around.resolve().await.unwrap(), (issued(), Origin::Uri));
}

#[tokio::test]
async fn an_answer_without_a_token_or_with_no_end_is_none() {
    for body in [
        "",
        "[]",
        r#"{"Code":"Failed"}"#,
        r#"{"Code":"Success","AccessKeyId":"a","AccessKeySecret":"s"}"#,
        r#"{"AccessKeyId":"a","AccessKeySecret":"s","SecurityToken":"t","Expiration":"soon"}"#,
        &"x".repeat(100_000),
    ] {
        let server = Server::new([Step::body(200, body)]).await;
        let mut around = Surroundings::new();
        around.set("ALIBABA_CLOUD_CREDENTIALS_URI", &server.url());
        assert!(around.resolve().await.is_err(), "{body}");
    }
}

fn write_keys(path: &Path, id: &str) {
    fs::write(
        path,
        format!("access-key-id = {id}\naccess-key-secret = s\n"),
    )
    .unwrap();
}

/// A keeper of a file's keys.
fn keeper(path: &Path) -> Keeper {
    Keeper::new(
        Chain::only(Origin::File(path.to_owned())),
        Surroundings::new().environment,
        Fetcher::new(&Transport::default()).unwrap(),
    )
}

#[tokio::test]
async fn old_keys_stay_when_there_are_no_new_ones() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys");
    let keeper = keeper(&path);
    assert!(keeper.credentials(NOON).await.is_err());
    write_keys(&path, "first");
    assert_eq!(keeper.credentials(NOON).await.unwrap().key_id, "first");
    fs::remove_file(&path).unwrap();
    let hour = 3600;
    assert_eq!(
        keeper.credentials(NOON + hour).await.unwrap().key_id,
        "first"
    );
    write_keys(&path, "second");
    let soon = NOON + hour + 299;
    assert_eq!(keeper.credentials(soon).await.unwrap().key_id, "first");
    assert_eq!(keeper.credentials(soon + 1).await.unwrap().key_id, "second");
    assert_eq!(keeper.origin(), Some(Origin::File(path)));
}

#[tokio::test]
async fn refused_keys_are_looked_up_again_but_not_all_the_time() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys");
    write_keys(&path, "first");
    let keeper = keeper(&path);
    let first = keeper.credentials(NOON).await.unwrap();
    write_keys(&path, "second");
    assert!(!keeper.refused(&first, NOON + 29).await, "too soon");
    assert!(keeper.refused(&first, NOON + 30).await);
    let second = keeper.credentials(NOON + 30).await.unwrap();
    assert_eq!(second.key_id, "second");
    // Somebody else's request with the old keys comes back late.
    assert!(keeper.refused(&first, NOON + 31).await);
    assert!(!keeper.refused(&second, NOON + 60).await, "the same keys");
}
