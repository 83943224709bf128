//! The HTTP listeners of a daemon.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api;
use crate::api::{Backend, Connections, Server, control, sls};
use crate::config::Config;
use crate::daemon::settings;

/// The listeners, bound and not yet serving.
pub(super) struct Listeners {
    /// For programs of this host.
    local: Server,
    /// For whoever can sign a request.
    signed: Option<Server>,
}

impl Listeners {
    /// Binds those of a configuration.
    ///
    /// # Errors
    /// An address is taken or not ours, or a certificate cannot be shown.
    pub(super) async fn bind(config: &Config) -> Result<Self> {
        let local = bind(settings::http(config)).await?;
        let signed = match settings::signed_http(config) {
            Some(settings) => Some(bind(settings).await?.counting_with(local.connections())),
            None => None,
        };
        Ok(Self { local, signed })
    }

    /// What becomes of the connections of both.
    pub(super) fn connections(&self) -> Arc<Connections> {
        Arc::clone(self.local.connections())
    }

    /// Begins to serve.
    ///
    /// # Errors
    /// A socket is gone.
    pub(super) fn serve(
        self,
        config: &Config,
        backend: &Arc<dyn Backend>,
        sls: &Arc<sls::Front>,
        control: &Arc<control::Front>,
    ) -> Result<Serving> {
        let (stop, _) = watch::channel(false);
        let address = self.local.address()?;
        let http = &config.http;
        let scheme = |has_tls| if has_tls { "https" } else { "http" };
        let local_scheme = scheme(http.certificate.is_some());
        tracing::info!("answering on {local_scheme}://{address}");
        if let Some((signed, server)) = http.signed.as_ref().zip(self.signed.as_ref()) {
            let (scheme, address) = (scheme(signed.certificate.is_some()), server.address()?);
            tracing::info!("answering signed requests on {scheme}://{address}");
        }
        let servers = [Some(self.local), self.signed].into_iter().flatten();
        let tasks = servers.map(|server| {
            let server = server.with_sls(Arc::clone(sls));
            let server = server.with_control(Arc::clone(control));
            let mut stopped = stop.subscribe();
            tokio::spawn(server.run(Arc::clone(backend), async move {
                // The sender is only gone when the daemon is: the same thing.
                let _told_or_gone = stopped.wait_for(|is_told| *is_told).await;
            }))
        });
        Ok(Serving {
            address,
            tasks: tasks.collect(),
            stop,
        })
    }
}

async fn bind(settings: api::Settings) -> Result<Server> {
    let address = settings.address;
    let server = Server::bind(settings).await;
    server.with_context(|| format!("cannot listen on {address} for HTTP"))
}

/// The listeners, serving.
pub(super) struct Serving {
    /// Where programs of this host are served.
    pub(super) address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Serving {
    /// Lets open requests end, and ends.
    ///
    /// # Errors
    /// A listener panicked.
    pub(super) async fn stop(self) -> Result<()> {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await?;
        }
        Ok(())
    }
}
