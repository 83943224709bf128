//! Where keys are looked for, in order.

use std::fmt;
use std::path::PathBuf;

use super::Credentials;
use super::CredentialsError;
use super::Environment;
use super::Fetcher;
use super::files;
use super::remote;

/// A place that keys may come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A file of `access-key-id = …` lines.
    File(PathBuf),
    /// The same as a systemd credential of this name.
    SystemdCredential(String),
    /// `ALIBABA_CLOUD_ACCESS_KEY_ID` and its like.
    Variables,
    /// A role by OIDC token: a service account of a cluster (RRSA).
    Oidc,
    /// `~/.aliyun/config.json`, the command line's.
    CommandLine,
    /// `~/.alibabacloud/credentials.ini`.
    Ini,
    /// The role of the instance the daemon runs on.
    InstanceRole,
    /// A service of the user's at `ALIBABA_CLOUD_CREDENTIALS_URI`.
    Uri,
}

impl Origin {
    /// The file it is, if it is one.
    fn file(&self, environment: &Environment) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::SystemdCredential(name) => files::systemd_path(environment, name),
            Self::Oidc => remote::OidcRole::of_variables(environment).map(|role| role.token_file),
            Self::CommandLine => files::command_line_path(environment),
            Self::Ini => files::ini_path(environment),
            Self::Variables | Self::InstanceRole | Self::Uri => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::SystemdCredential(name) => write!(f, "systemd credential {name}"),
            Self::Variables => f.write_str("environment"),
            Self::Oidc => f.write_str("OIDC role"),
            Self::CommandLine => f.write_str("~/.aliyun/config.json"),
            Self::Ini => f.write_str("~/.alibabacloud/credentials.ini"),
            Self::InstanceRole => f.write_str("instance role"),
            Self::Uri => f.write_str("credentials URI"),
        }
    }
}

/// Origins in the order in which they are asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain(Vec<Origin>);

impl Chain {
    /// The vendor's default chain, after a systemd credential of the name `sls`.
    pub fn standard() -> Self {
        Self(vec![
            Origin::SystemdCredential(CREDENTIAL.to_owned()),
            Origin::Variables,
            Origin::Oidc,
            Origin::CommandLine,
            Origin::Ini,
            Origin::InstanceRole,
            Origin::Uri,
        ])
    }

    /// One place and no other: what the configuration names.
    pub fn only(origin: Origin) -> Self {
        Self(vec![origin])
    }

    /// The files in which keys may be, whether they are there or not, and what
    /// names them.
    pub fn files(&self, environment: &Environment) -> Vec<(Origin, PathBuf)> {
        let file = |origin: &Origin| Some((origin.clone(), origin.file(environment)?));
        self.0.iter().filter_map(file).collect()
    }

    /// The keys of the first origin that has some, and which it was.
    ///
    /// As the vendor's, it goes on to the next when one is broken; the error
    /// says what each had to say.
    ///
    /// # Errors
    /// When none has keys.
    pub async fn resolve(
        &self,
        environment: &Environment,
        fetcher: &Fetcher,
        now_unix_s: u64,
    ) -> Result<(Credentials, Origin), CredentialsError> {
        let mut tried = Vec::new();
        for origin in &self.0 {
            match load(origin, environment, fetcher, now_unix_s).await {
                Ok(Some(credentials)) => return Ok((credentials, origin.clone())),
                Ok(None) => tried.push(format!("{origin}: not set")),
                Err(error) => tried.push(error.to_string()),
            }
        }
        Err(CredentialsError::None { tried })
    }
}

/// Where a file with keys leads: to keys, or to a role that issues them.
pub(super) enum Lead {
    Keys(Credentials),
    Instance { role: Option<String> },
    Oidc(remote::OidcRole),
}

async fn load(
    origin: &Origin,
    environment: &Environment,
    fetcher: &Fetcher,
    now_unix_s: u64,
) -> Result<Option<Credentials>, CredentialsError> {
    let lead = match origin {
        Origin::File(path) => Some(Lead::Keys(files::static_file(path)?)),
        Origin::SystemdCredential(name) => files::systemd(environment, name)?.map(Lead::Keys),
        Origin::Variables => files::variables(environment)?.map(Lead::Keys),
        Origin::Oidc => remote::OidcRole::of_variables(environment).map(Lead::Oidc),
        Origin::CommandLine => files::command_line(environment)?,
        Origin::Ini => files::ini(environment)?,
        Origin::InstanceRole if environment.says("ALIBABA_CLOUD_ECS_METADATA_DISABLED") => None,
        Origin::InstanceRole => Some(Lead::Instance {
            role: environment
                .variable("ALIBABA_CLOUD_ECS_METADATA")
                .map(str::to_owned),
        }),
        Origin::Uri => {
            let Some(uri) = environment.variable("ALIBABA_CLOUD_CREDENTIALS_URI") else {
                return Ok(None);
            };
            return fetcher.uri(uri).await.map(Some);
        }
    };
    Ok(match lead {
        None => None,
        Some(Lead::Keys(credentials)) => Some(credentials),
        Some(Lead::Instance { role }) => {
            Some(fetcher.instance_role(environment, role.as_deref()).await?)
        }
        Some(Lead::Oidc(role)) => Some(fetcher.assume(environment, &role, now_unix_s).await?),
    })
}

const CREDENTIAL: &str = "sls";
