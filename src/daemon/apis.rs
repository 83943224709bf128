//! The clouds' flow-log APIs in front of the running daemon.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::api::auth::{Credential, Credentials, Pattern, Product};
use crate::api::control::{
    Control, EcrRules, Edit, Front, Made, NotKept, Rules, SagRules, Settings, VpcRules, Window,
};
use crate::config;
use crate::config::Config;
use crate::daemon::front::secret;
use crate::daemon::register::Unchanged;
use crate::daemon::service::Service;
use crate::flowlog::control::Ids;

/// The front of a configuration, for a daemon.
///
/// # Errors
/// A secret cannot be read.
pub(super) fn apis(config: &Config, service: &Arc<Service>) -> Result<Arc<Front>> {
    let control = &config.control;
    let seconds = |window: Duration| window.as_secs();
    let window = Window {
        alibaba_s: seconds(control.alibaba_window),
        tencent_s: seconds(control.tencent_window),
        ..Window::default()
    };
    let sag = SagRules {
        quota: control.quota,
        may_reactivate: control.may_reactivate,
        resource_group: control.resource_group.clone(),
        destinations: control.destinations.clone(),
        own: service.own().all(),
    };
    let ecr = EcrRules {
        quota: control.quota,
        resource_group: control.resource_group.clone(),
        tokens_max: EcrRules::TOKENS_MAX,
    };
    let vpc = VpcRules {
        quota: control.quota,
        utc_offset_s: control.utc_offset_s,
        per_resource: VpcRules::PER_RESOURCE,
    };
    let clock = Arc::new(Timestamp::now);
    let rules = Rules { sag, ecr, vpc };
    let settings = Settings {
        window,
        has_rates: config.control.has_rates,
        ..Settings::new(credentials(control)?, rules, clock, Arc::new(random))
    };
    let control = Arc::new(Way(Arc::clone(service)));
    Ok(Arc::new(Front::new(control, settings)))
}

/// The keys; without any nobody is believed, unless that is what is wanted.
fn credentials(control: &config::Control) -> Result<Credentials> {
    if control.is_open {
        tracing::warn!("[control] open: whoever reaches the HTTP listener may change flow logs");
        return Ok(Credentials::open());
    }
    let credentials = control.credentials.iter().map(credential);
    Ok(Credentials::new(credentials.collect::<Result<Vec<_>>>()?))
}

fn credential(credential: &config::Credential) -> Result<Credential> {
    let read = |path| secret(path).with_context(|| format!("credential {:?}", credential.id));
    let token = credential.token_file.as_deref();
    let products = credential.products.iter().map(|product| match product {
        config::Product::Smartag => Product::Smartag,
        config::Product::ExpressConnectRouter => Product::ExpressConnectRouter,
        config::Product::Vpc => Product::Vpc,
    });
    Ok(Credential {
        id: credential.id.clone(),
        secret: read(&credential.secret_file)?,
        token: token.map(read).transpose()?,
        account_uid: credential.account.clone(),
        products: products.collect(),
        actions: credential
            .actions
            .iter()
            .map(|text| Pattern::new(text))
            .collect(),
    })
}

/// The way of changes.
struct Way(Arc<Service>);

impl Control for Way {
    fn look(&self) -> Made {
        let (state, inventory) = self.0.register().look();
        Made { state, inventory }
    }

    fn change(&self, edit: Edit) -> Pin<Box<dyn Future<Output = Result<(), NotKept>> + Send + '_>> {
        let service = Arc::clone(&self.0);
        Box::pin(async move {
            if service.is_stopping() {
                return Err(NotKept::Stopping);
            }
            let changed = tokio::task::spawn_blocking(move || {
                service
                    .change(|state, inventory| edit(state, inventory, &mut Ids::new(&mut random)))
            });
            match changed.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(Unchanged::Contradiction(problems))) => Err(NotKept::Contradiction(
                    Unchanged::Contradiction(problems).to_string(),
                )),
                Ok(Err(error @ Unchanged::Disk { .. })) => Err(NotKept::Disk(error.to_string())),
                Err(panicked) => Err(NotKept::Disk(panicked.to_string())),
            }
        })
    }
}

/// Octets that nobody can guess; those of the clock where the system has none.
fn random(octets: &mut [u8]) {
    if getrandom::fill(octets).is_err() {
        let now = Timestamp::now().as_nanosecond().to_le_bytes();
        let filled = octets.iter_mut().zip(now.iter().cycle());
        filled.for_each(|(octet, of_now)| *octet = *of_now);
    }
}
