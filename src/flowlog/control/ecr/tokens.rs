//! Which requests were answered already: a client that heard no answer repeats
//! its request under the same token (control-plane.md §5.7).

use std::collections::VecDeque;

use serde::Deserialize;
use serde::Serialize;

use super::Outcome;
use super::Param;
use super::Refused;

/// What a client calls a request, so that it is done once.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    owner: &'a str,
    action: &'a str,
    token: &'a str,
    digest: &'a str,
}

impl<'a> Token<'a> {
    /// The token of a request: whose it is, the action, its own text, and a
    /// digest of what was asked for.
    ///
    /// # Errors
    /// It is longer than 64 letters, or not ASCII.
    pub fn new(
        owner: &'a str,
        action: &'a str,
        token: &'a str,
        digest: &'a str,
    ) -> Result<Self, Refused> {
        if !token.is_ascii() || token.len() > TOKEN_MAX {
            return Err(Refused::Malformed(Param::ClientToken));
        }
        Ok(Self {
            owner,
            action,
            token,
            digest,
        })
    }
}

/// The requests of the last day that had tokens, the oldest first.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Tokens(VecDeque<Answered>);

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Answered {
    owner: String,
    action: String,
    token: String,
    digest: String,
    /// What the answer told.
    flow_log: Option<String>,
    /// Milliseconds since 1970.
    at_ms: u64,
}

impl Answered {
    fn is_of(&self, token: &Token<'_>) -> bool {
        self.owner == token.owner && self.action == token.action && self.token == token.token
    }

    /// Also where the clock was put back: what is ahead of it by a day would
    /// stay for ever.
    fn is_recent(&self, now_ms: u64) -> bool {
        self.at_ms.abs_diff(now_ms) < DAY_MS
    }
}

impl Tokens {
    /// What a request was answered before, if it was.
    ///
    /// # Errors
    /// It was another request.
    pub(super) fn before(
        &self,
        token: &Token<'_>,
        now_ms: u64,
    ) -> Result<Option<Outcome>, Refused> {
        let mut known = self.0.iter().filter(|it| it.is_recent(now_ms));
        match known.find(|it| it.is_of(token)) {
            None => Ok(None),
            Some(answered) if answered.digest == token.digest => Ok(Some(Outcome {
                flow_log: answered.flow_log.clone(),
                is_new: false,
            })),
            Some(_) => Err(Refused::Reused),
        }
    }

    /// Keeps what a request is answered; of more than `most` the oldest go.
    pub(super) fn keep(
        &mut self,
        token: &Token<'_>,
        flow_log: Option<&str>,
        now_ms: u64,
        most: usize,
    ) {
        let Self(tokens) = self;
        tokens.retain(|it| it.is_recent(now_ms));
        tokens.push_back(Answered {
            owner: token.owner.to_owned(),
            action: token.action.to_owned(),
            token: token.token.to_owned(),
            digest: token.digest.to_owned(),
            flow_log: flow_log.map(str::to_owned),
            at_ms: now_ms,
        });
        while tokens.len() > most {
            tokens.pop_front();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Letters of a token (control-plane.md §10).
const TOKEN_MAX: usize = 64;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
