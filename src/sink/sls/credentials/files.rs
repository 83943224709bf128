//! Keys that stand in files and variables.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use super::Credentials;
use super::CredentialsError;
use super::Environment;
use super::Secret;
use super::chain::Lead;
use super::document;
use super::document::Section;
use super::remote::OidcRole;

/// A file of `access-key-id`, `access-key-secret` and perhaps `security-token`.
pub(super) fn static_file(path: &Path) -> Result<Credentials, CredentialsError> {
    let text = read(path)?.ok_or_else(|| CredentialsError::Unreadable {
        path: path.to_owned(),
        source: io::ErrorKind::NotFound.into(),
    })?;
    let mut document = parsed(path, &text)?;
    let section = document.remove("").unwrap_or_default();
    keys(&section, &path.display().to_string())
}

/// The same below `$CREDENTIALS_DIRECTORY`, if it is there.
pub(super) fn systemd(
    environment: &Environment,
    name: &str,
) -> Result<Option<Credentials>, CredentialsError> {
    match systemd_path(environment, name).filter(|path| path.exists()) {
        Some(path) => static_file(&path).map(Some),
        None => Ok(None),
    }
}

pub(super) fn systemd_path(environment: &Environment, name: &str) -> Option<PathBuf> {
    let directory = environment.variable("CREDENTIALS_DIRECTORY")?;
    Some(Path::new(directory).join(name))
}

/// Keys in variables, under the names of now or before.
pub(super) fn variables(
    environment: &Environment,
) -> Result<Option<Credentials>, CredentialsError> {
    let key_id = environment.first(&[
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALICLOUD_ACCESS_KEY_ID",
        "ALIBABACLOUD_ACCESS_KEY_ID",
        "ALICLOUD_ACCESS_KEY",
    ]);
    let secret = environment.first(&[
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "ALICLOUD_ACCESS_KEY_SECRET",
        "ALIBABACLOUD_ACCESS_KEY_SECRET",
        "ALICLOUD_SECRET_KEY",
    ]);
    let token = environment.first(&["ALIBABA_CLOUD_SECURITY_TOKEN", "SECURITY_TOKEN"]);
    let missing = |what| CredentialsError::Incomplete {
        origin: "environment".to_owned(),
        what,
    };
    match (key_id, secret) {
        (Some(key_id), Some(secret)) => Ok(Some(Credentials::new(key_id, secret, token))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(missing("ALIBABA_CLOUD_ACCESS_KEY_SECRET")),
        (None, Some(_)) => Err(missing("ALIBABA_CLOUD_ACCESS_KEY_ID")),
    }
}

/// The profile of the vendor's command line.
pub(super) fn command_line(environment: &Environment) -> Result<Option<Lead>, CredentialsError> {
    let Some(path) = command_line_path(environment) else {
        return Ok(None);
    };
    let Some(text) = read(&path)? else {
        return Ok(None);
    };
    let config: CliConfig = serde_json::from_str(text.expose()).map_err(|error| {
        // The error's own text may quote a value.
        let problem = format!(
            "line {} column {}: is not as expected",
            error.line(),
            error.column()
        );
        malformed(&path, problem)
    })?;
    let wanted = environment
        .variable("ALIBABA_CLOUD_PROFILE")
        .unwrap_or(&config.current);
    let origin = format!("{} profile {wanted:?}", path.display());
    let profile = config
        .profiles
        .iter()
        .find(|profile| profile.name == wanted);
    let Some(profile) = profile else {
        return Err(malformed(&path, format!("has no profile {wanted:?}")));
    };
    profile.lead(&origin).map(Some)
}

pub(super) fn command_line_path(environment: &Environment) -> Option<PathBuf> {
    let is_off = environment.says("ALIBABA_CLOUD_CLI_PROFILE_DISABLED");
    let path = environment.home.as_ref().filter(|_| !is_off)?;
    Some(path.join(".aliyun/config.json"))
}

/// The profile of the vendor's SDKs.
pub(super) fn ini(environment: &Environment) -> Result<Option<Lead>, CredentialsError> {
    let Some(path) = ini_path(environment) else {
        return Ok(None);
    };
    let Some(text) = read(&path)? else {
        return Ok(None);
    };
    let document = parsed(&path, &text)?;
    let wanted = environment
        .variable("ALIBABA_CLOUD_PROFILE")
        .unwrap_or("default");
    let origin = format!("{} profile {wanted:?}", path.display());
    let Some(section) = document.get(wanted) else {
        return Err(malformed(&path, format!("has no profile {wanted:?}")));
    };
    let text = |key: &str| section.get(key).map(|value| value.expose().to_owned());
    match text("type").as_deref() {
        Some("access_key" | "sts") | None => {
            keys(section, &origin).map(|keys| Some(Lead::Keys(keys)))
        }
        Some("ecs_ram_role") => Ok(Some(Lead::Instance {
            role: text("role_name"),
        })),
        Some("oidc_role_arn") => {
            let need = |key: &'static str| text(key).ok_or_else(|| incomplete(&origin, key));
            Ok(Some(Lead::Oidc(OidcRole {
                role: need("role_arn")?,
                provider: need("oidc_provider_arn")?,
                token_file: need("oidc_token_file_path")?.into(),
                session: text("role_session_name"),
            })))
        }
        Some(mode) => Err(unsupported(&origin, mode)),
    }
}

#[derive(Deserialize)]
struct CliConfig {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<CliProfile>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CliProfile {
    name: String,
    mode: String,
    access_key_id: String,
    access_key_secret: Option<Secret>,
    sts_token: Option<Secret>,
    ram_role_name: Option<String>,
    ram_role_arn: Option<String>,
    ram_session_name: Option<String>,
    oidc_provider_arn: Option<String>,
    oidc_token_file: Option<PathBuf>,
}

impl CliProfile {
    fn lead(&self, origin: &str) -> Result<Lead, CredentialsError> {
        let missing = |what| incomplete(origin, what);
        match self.mode.as_str() {
            "AK" | "StsToken" => {
                let secret = self.access_key_secret.clone();
                let secret = secret.filter(|secret| !secret.expose().is_empty());
                if self.access_key_id.is_empty() {
                    return Err(missing("access_key_id"));
                }
                let token = self.sts_token.clone().filter(|_| self.mode == "StsToken");
                if self.mode == "StsToken" && token.is_none() {
                    return Err(missing("sts_token"));
                }
                Ok(Lead::Keys(Credentials {
                    key_id: self.access_key_id.clone(),
                    secret: secret.ok_or_else(|| missing("access_key_secret"))?,
                    token,
                    expires_unix_s: None,
                }))
            }
            "EcsRamRole" => Ok(Lead::Instance {
                role: self.ram_role_name.clone().filter(|role| !role.is_empty()),
            }),
            "OIDC" => {
                let provider = self.oidc_provider_arn.clone();
                let token_file = self.oidc_token_file.clone();
                Ok(Lead::Oidc(OidcRole {
                    role: self
                        .ram_role_arn
                        .clone()
                        .ok_or_else(|| missing("ram_role_arn"))?,
                    provider: provider.ok_or_else(|| missing("oidc_provider_arn"))?,
                    token_file: token_file.ok_or_else(|| missing("oidc_token_file"))?,
                    session: self.ram_session_name.clone(),
                }))
            }
            mode => Err(unsupported(origin, mode)),
        }
    }
}

fn keys(section: &Section, origin: &str) -> Result<Credentials, CredentialsError> {
    let need = |key: &'static str| {
        let value = section.get(key).filter(|value| !value.expose().is_empty());
        value.cloned().ok_or_else(|| incomplete(origin, key))
    };
    Ok(Credentials {
        key_id: need("access_key_id")?.expose().to_owned(),
        secret: need("access_key_secret")?,
        token: section.get("security_token").cloned(),
        expires_unix_s: None,
    })
}

pub(super) fn ini_path(environment: &Environment) -> Option<PathBuf> {
    match environment.variable("ALIBABA_CLOUD_CREDENTIALS_FILE") {
        Some(path) => Some(path.into()),
        None => Some(
            environment
                .home
                .as_ref()?
                .join(".alibabacloud/credentials.ini"),
        ),
    }
}

/// The text of a small file; none if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Secret>, CredentialsError> {
    let unreadable = |source| CredentialsError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut text = String::new();
    let read = file.take(FILE_MAX + 1).read_to_string(&mut text);
    let text = Secret::new(text);
    match read {
        Ok(octets) if u64::try_from(octets).unwrap_or(u64::MAX) <= FILE_MAX => Ok(Some(text)),
        Ok(_) => Err(malformed(path, format!("is larger than {FILE_MAX} octets"))),
        Err(error) => Err(unreadable(error)),
    }
}

fn parsed(path: &Path, text: &Secret) -> Result<document::Document, CredentialsError> {
    let at_line = |line| malformed(path, format!("line {line} is not `key = value`"));
    document::parse(text.expose()).map_err(at_line)
}

fn malformed(path: &Path, problem: String) -> CredentialsError {
    CredentialsError::Malformed {
        origin: path.display().to_string(),
        problem,
    }
}

fn incomplete(origin: &str, what: &'static str) -> CredentialsError {
    CredentialsError::Incomplete {
        origin: origin.to_owned(),
        what,
    }
}

fn unsupported(origin: &str, mode: &str) -> CredentialsError {
    CredentialsError::Unsupported {
        origin: origin.to_owned(),
        mode: mode.chars().take(MODE_MAX).collect(),
    }
}

/// Octets of a file with keys; the command line's grows with its profiles.
const FILE_MAX: u64 = 1 << 20;

const MODE_MAX: usize = 32;
