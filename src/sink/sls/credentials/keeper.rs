//! Keys in use, and when to get new ones.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::Chain;
use super::Credentials;
use super::CredentialsError;
use super::Environment;
use super::Fetcher;
use super::Origin;

/// Holds the keys of one account and refreshes them before they expire.
///
/// Keys are stale 15 minutes before they expire; all are looked up again
/// hourly, so that a replaced file is seen. When a refresh fails the old keys
/// stay, even expired ones: the service decides. One refresh at a time; others
/// use the old keys meanwhile.
#[derive(Debug)]
pub struct Keeper {
    chain: Chain,
    environment: Environment,
    fetcher: Fetcher,
    held: ArcSwapOption<Held>,
    /// When the last look-up was.
    looked_up: Mutex<Option<u64>>,
}

#[derive(Debug)]
struct Held {
    credentials: Arc<Credentials>,
    origin: Origin,
    refresh_unix_s: u64,
}

impl Keeper {
    /// How soon refused keys are looked up again, in seconds.
    pub const REFUSED_S: u64 = 30;

    /// No keys yet: the first who asks waits for them.
    pub fn new(chain: Chain, environment: Environment, fetcher: Fetcher) -> Self {
        Self {
            chain,
            environment,
            fetcher,
            held: ArcSwapOption::empty(),
            looked_up: Mutex::new(None),
        }
    }

    /// The keys to sign with now, in seconds since 1970 of the service's clock.
    ///
    /// # Errors
    /// When there are none and never were.
    pub async fn credentials(&self, now_unix_s: u64) -> Result<Arc<Credentials>, CredentialsError> {
        let held = self.held.load_full();
        let Some(held) = held else {
            let mut looked_up = self.looked_up.lock().await;
            // Another may have found some while this one waited.
            if let Some(held) = self.held.load_full() {
                return Ok(Arc::clone(&held.credentials));
            }
            return self.look_up(&mut looked_up, now_unix_s).await;
        };
        if now_unix_s < held.refresh_unix_s {
            return Ok(Arc::clone(&held.credentials));
        }
        let Ok(mut looked_up) = self.looked_up.try_lock() else {
            return Ok(Arc::clone(&held.credentials));
        };
        match self.look_up(&mut looked_up, now_unix_s).await {
            Ok(fresh) => Ok(fresh),
            Err(error) => Ok(self.keep(&held, &error, now_unix_s)),
        }
    }

    /// Looks the keys up again because the service refused them.
    ///
    /// Does nothing if that was done [`Keeper::REFUSED_S`] ago or less. Says
    /// whether there are other keys now.
    pub async fn refused(&self, refused: &Credentials, now_unix_s: u64) -> bool {
        let mut looked_up = self.looked_up.lock().await;
        let is_new = |held: &Held| *held.credentials != *refused;
        if self.held.load().as_deref().is_some_and(is_new) {
            return true;
        }
        let is_recent = |last: u64| now_unix_s < last.saturating_add(Self::REFUSED_S);
        if looked_up.is_some_and(is_recent) {
            return false;
        }
        let fresh = self.look_up(&mut looked_up, now_unix_s).await;
        fresh.is_ok_and(|fresh| *fresh != *refused)
    }

    /// Where the keys in use came from.
    pub fn origin(&self) -> Option<Origin> {
        let held = self.held.load();
        held.as_deref().map(|held| held.origin.clone())
    }

    async fn look_up(
        &self,
        looked_up: &mut Option<u64>,
        now_unix_s: u64,
    ) -> Result<Arc<Credentials>, CredentialsError> {
        *looked_up = Some(now_unix_s);
        let found = self
            .chain
            .resolve(&self.environment, &self.fetcher, now_unix_s);
        let (credentials, origin) = found.await?;
        let credentials = Arc::new(credentials);
        self.held.store(Some(Arc::new(Held {
            refresh_unix_s: refresh_at(credentials.expires_unix_s, now_unix_s),
            credentials: Arc::clone(&credentials),
            origin,
        })));
        Ok(credentials)
    }

    /// Stays with old keys, and asks again after a while.
    fn keep(&self, held: &Held, error: &CredentialsError, now_unix_s: u64) -> Arc<Credentials> {
        tracing::warn!(%error, "credentials not refreshed: the old ones stay");
        let wait = retry_after(held.credentials.expires_unix_s, now_unix_s);
        self.held.store(Some(Arc::new(Held {
            credentials: Arc::clone(&held.credentials),
            origin: held.origin.clone(),
            refresh_unix_s: now_unix_s.saturating_add(wait),
        })));
        Arc::clone(&held.credentials)
    }
}

/// When keys that were just found are to be looked up again.
///
/// Those of so short a life that they are stale already: after half of it.
fn refresh_at(expires_unix_s: Option<u64>, now_unix_s: u64) -> u64 {
    let hourly = now_unix_s.saturating_add(HOUR_S);
    let Some(expires) = expires_unix_s else {
        return hourly;
    };
    let stale = expires.saturating_sub(STALE_S);
    if stale > now_unix_s {
        return stale.min(hourly);
    }
    let half = expires.saturating_sub(now_unix_s) / 2;
    now_unix_s.saturating_add(half.max(RETRY_LEAST_S))
}

/// Seconds until the next look-up after one that failed.
fn retry_after(expires_unix_s: Option<u64>, now_unix_s: u64) -> u64 {
    let left = expires_unix_s.map_or(u64::MAX, |expires| expires.saturating_sub(now_unix_s));
    (left / 5).clamp(RETRY_LEAST_S, RETRY_MOST_S)
}

const HOUR_S: u64 = 3600;
const STALE_S: u64 = 15 * 60;
const RETRY_LEAST_S: u64 = 15;
const RETRY_MOST_S: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400;

    #[test]
    fn keys_are_refreshed_hourly_and_before_they_expire() {
        assert_eq!(refresh_at(None, NOW), NOW + 3600);
        assert_eq!(refresh_at(Some(NOW + 6 * 3600), NOW), NOW + 3600);
        assert_eq!(refresh_at(Some(NOW + 3600), NOW), NOW + 2700);
        assert_eq!(refresh_at(Some(NOW + 600), NOW), NOW + 300);
        assert_eq!(refresh_at(Some(NOW), NOW), NOW + 15);
        assert_eq!(refresh_at(Some(0), NOW), NOW + 15);
    }

    #[test]
    fn a_failed_refresh_is_tried_again_the_sooner_the_less_is_left() {
        assert_eq!(retry_after(None, NOW), 300);
        assert_eq!(retry_after(Some(NOW + 900), NOW), 180);
        assert_eq!(retry_after(Some(NOW + 50), NOW), 15);
        assert_eq!(retry_after(Some(NOW - 1), NOW), 15);
    }
}
