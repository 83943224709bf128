//! The files that secrets are in, and who may read them.

use std::path::PathBuf;

use crate::api::BadCertificate;
use crate::config::{Certificate, Config, Service};
use crate::daemon::settings::certificate_files;
use crate::flowlog::Problem;
use crate::sink::sls::{Chain, Environment, key_file_problem};

/// What an operator should mend of the files that hold secrets; neither stops
/// the daemon.
pub fn secret_problems(config: &Config) -> Vec<Problem> {
    let found = found(config, &Environment::of_process());
    let files = named(config).into_iter().chain(found);
    files
        .filter_map(|(place, path)| key_file_problem(&place, &path))
        .chain(certificates(config).filter_map(certificate_problem))
        .collect()
}

/// Certificates of the HTTP listeners, and where the configuration names them.
fn certificates(config: &Config) -> impl Iterator<Item = (&'static str, &Certificate)> {
    let http = &config.http;
    let local = http.certificate.as_ref();
    let signed = http.signed.as_ref();
    let signed = signed.and_then(|signed| signed.certificate.as_ref());
    let all = [("http", local), ("http.signed", signed)].into_iter();
    all.filter_map(|(place, files)| Some((place, files?)))
}

/// What is wrong with a certificate; that its key cannot be read is a problem of
/// the key's.
fn certificate_problem((place, files): (&str, &Certificate)) -> Option<Problem> {
    let refused = certificate_files(files).check().err()?;
    let (key, advice) = match &refused {
        BadCertificate::Unreadable { path, .. } if *path == files.key_file => return None,
        BadCertificate::Unreadable { .. } => ("certificate-file", "write it, or correct the path"),
        BadCertificate::NoCertificate(_) => ("certificate-file", "begin with the certificate"),
        BadCertificate::NoKey(_) => ("key-file", "write a PKCS#8, SEC1 or RSA key into it"),
        BadCertificate::Mismatch { .. } => ("key-file", "name the files of one pair"),
        BadCertificate::Unusable { .. } => ("certificate-file", "write an X.509 certificate"),
    };
    let place = format!("{place}.{key}");
    Some(Problem::new(place, refused.to_string(), advice))
}

/// Says in the log what is to be mended.
pub(super) fn warn_of_secrets(config: &Config) {
    for problem in secret_problems(config) {
        tracing::warn!("{problem}");
    }
}

/// Files that the configuration names.
fn named(config: &Config) -> Vec<(String, PathBuf)> {
    let sls = &config.sls;
    let usual = sls.key_file.iter();
    let usual = usual.map(|path| ("sls.access-key-file".to_owned(), path.clone()));
    let accounts = sls.accounts.iter();
    let accounts = accounts.map(|(account, path)| {
        let place = format!("sls.account.{account}.access-key-file");
        (place, path.clone())
    });
    let keys = config.access_keys.iter().enumerate();
    let keys = keys.map(|(index, key)| {
        let place = format!("access-key[{index}].secret-file");
        (place, key.secret_file.clone())
    });
    let credentials = config.control.credentials.iter().enumerate();
    let credentials = credentials.flat_map(|(index, credential)| {
        let secret = ("secret-file", Some(&credential.secret_file));
        let token = ("token-file", credential.token_file.as_ref());
        [secret, token].into_iter().filter_map(move |(key, path)| {
            Some((format!("credential[{index}].{key}"), path?.clone()))
        })
    });
    let certificates = certificates(config);
    let certificates =
        certificates.map(|(place, files)| (format!("{place}.key-file"), files.key_file.clone()));
    let all = usual.chain(accounts).chain(keys).chain(credentials);
    let all = all.chain(certificates);
    all.collect()
}

/// Files that are there for the vendor's tools, if keys are looked for in them.
fn found(config: &Config, environment: &Environment) -> Vec<(String, PathBuf)> {
    let sls = &config.sls;
    let services = sls.regions.values().chain([&sls.service]);
    let is_sent = services.into_iter().any(|to| *to != Service::Embedded);
    if !is_sent || sls.key_file.is_some() {
        return Vec::new();
    }
    let files = Chain::standard().files(environment).into_iter();
    let there = files.filter(|(_, path)| path.exists());
    there
        .map(|(origin, path)| (origin.to_string(), path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "test").unwrap()
    }

    #[test]
    fn all_files_that_are_named_are_looked_at() {
        let text = "\
            [sls]\naccess-key-file = \"/no/a\"\n\
            [sls.account.77]\naccess-key-file = \"/no/b\"\n\
            [[access-key]]\nid = \"k\"\nsecret-file = \"/no/c\"\n\
            [[credential]]\nid = \"k\"\nsecret-file = \"/no/d\"\ntoken-file = \"/no/e\"\n\
            [http]\ncertificate-file = \"/no/f\"\nkey-file = \"/no/g\"\n\
            [http.signed]\naddress = \"[::]:1\"\n\
            certificate-file = \"/no/h\"\nkey-file = \"/no/i\"\n";
        let problems = secret_problems(&config(text));
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let expected = [
            ("sls.access-key-file", "/no/a"),
            ("sls.account.77.access-key-file", "/no/b"),
            ("access-key[0].secret-file", "/no/c"),
            ("credential[0].secret-file", "/no/d"),
            ("credential[0].token-file", "/no/e"),
            ("http.key-file", "/no/g"),
            ("http.signed.key-file", "/no/i"),
        ];
        let expected = expected.map(|(place, path)| {
            format!("{place}: {path} does not exist (write it, or correct the path)")
        });
        let certificates = [("http", "/no/f"), ("http.signed", "/no/h")].map(|(place, path)| {
            format!(
                "{place}.certificate-file: cannot read {path}: No such file or directory (os \
                 error 2) (write it, or correct the path)"
            )
        });
        let (files, last) = shown.split_at(expected.len());
        assert_eq!(files, expected);
        assert_eq!(last, certificates);
    }

    #[test]
    fn the_vendors_files_matter_where_keys_are_looked_for_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".alibabacloud/credentials.ini");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        let environment = Environment {
            variables: std::collections::BTreeMap::new(),
            home: Some(folder.path().to_owned()),
            metadata: String::new(),
            sts: None,
        };
        let cloud = "[sls]\nendpoint = \"sls.test\"\n";
        let with_key = format!("{cloud}access-key-file = \"/key\"\n");
        assert_eq!(found(&config(""), &environment), []);
        assert_eq!(found(&config(&with_key), &environment), []);
        let origin = "~/.alibabacloud/credentials.ini".to_owned();
        assert_eq!(found(&config(cloud), &environment), [(origin, path)]);
    }
}
