//! One request, and how it ended.

use super::Courier;
use super::setback::Setback;
use crate::sink::sls::Body;
use crate::sink::sls::Outcome;
use crate::sink::sls::Place;
use crate::sink::sls::Request;
use crate::sink::sls::Response;
use crate::sink::sls::Route;
use crate::sink::sls::TransportError;
use crate::sink::sls::Verdict;
use crate::sink::sls::send::Trouble;
use crate::sink::sls::send::Way;

/// How a request ended.
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    /// The whole answer, if there is one.
    pub(super) answer: Option<Response>,
    pub(super) trouble: Trouble,
    /// There are other keys than those that were refused.
    pub(super) has_other_keys: bool,
}

impl Courier {
    /// One request, if there are keys for it.
    pub(super) async fn attempt(&mut self, way: &Way, body: Body) -> Result<Attempt, Setback> {
        let now_s = way.skew.corrected(self.shared.unix_s());
        let keys = match way.keeper.credentials(now_s).await {
            Ok(keys) => keys,
            Err(error) => return Ok(Attempt::without_keys(error.to_string())),
        };
        let (raw_octets, wire_octets) = (body.raw_size, body.octets.len());
        let request = self.request(way, body)?;
        let leave = self.leave().await?;
        self.note_sent(raw_octets, wire_octets);
        let sent_s = way.skew.corrected(self.shared.unix_s());
        let signed = request.signed(&way.scheme, &keys, sent_s);
        let answer = self.shared.client.send(signed).await;
        self.note_name(&request);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                leave.finish(None);
                return Ok(Attempt::without_answer(&error));
            }
        };
        if let Some(server_s) = answer.server_unix_s {
            way.skew.learn(server_s, self.shared.unix_s());
        }
        let verdict = answer.verdict();
        leave.finish(Some(verdict));
        let has_other_keys =
            verdict == Verdict::Credentials && way.keeper.refused(&keys, sent_s).await;
        Ok(Attempt::answered(answer, verdict, has_other_keys))
    }

    fn request(&self, way: &Way, body: Body) -> Result<Request, Setback> {
        let destination = &self.desk.destination;
        let place = Place::new(way.endpoint.clone(), &destination.project);
        let place = place.map_err(|error| self.slowly(Trouble::unroutable(error.to_string())))?;
        let route = self.ended.shard.map_or(Route::Balanced, Route::Key);
        Ok(Request::put_logs(
            &place,
            &destination.logstore,
            route,
            body,
        ))
    }

    fn note_sent(&self, raw_octets: usize, wire_octets: usize) {
        let mut stats = self.desk.stats();
        stats.sent += 1;
        stats.raw_octets += u64::try_from(raw_octets).unwrap_or(0);
        stats.wire_octets += u64::try_from(wire_octets).unwrap_or(0);
    }

    /// Notes whether the request went to addresses of before.
    fn note_name(&self, request: &Request) {
        let problem = self.shared.client.unresolved(request.url());
        let mut stats = self.desk.stats();
        stats.unresolved += u64::from(problem.is_some());
        stats.resolver_problem = problem;
    }
}

impl Attempt {
    fn without_keys(what: String) -> Self {
        let advice = "provide keys for the account";
        Self {
            outcome: Outcome::Answered {
                verdict: Verdict::Credentials,
                retry_after: None,
            },
            answer: None,
            trouble: Trouble::new("no-credentials", what, advice),
            has_other_keys: false,
        }
    }

    fn without_answer(error: &TransportError) -> Self {
        Self {
            outcome: Outcome::Unknown,
            answer: None,
            trouble: Trouble::new(error.label(), error.to_string(), error.advice()),
            has_other_keys: false,
        }
    }

    fn answered(answer: Response, verdict: Verdict, has_other_keys: bool) -> Self {
        let code = answer.error_code.as_deref().unwrap_or("no code");
        let what = format!("{} {code}: {}", answer.status, answer.message);
        Self {
            outcome: Outcome::Answered {
                verdict,
                retry_after: answer.retry_after,
            },
            trouble: Trouble::new(verdict.label(), what, advice(verdict)),
            answer: Some(answer),
            has_other_keys,
        }
    }
}

/// What the operator can do about a verdict that lasts.
fn advice(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Hold(hold) => hold.advice(),
        Verdict::RetryAfterSkew => "set this host's clock",
        Verdict::Credentials => "provide keys that the service takes",
        Verdict::Throttled(_) => "raise the quota or add shards",
        Verdict::Retry => "wait, or ask the service's support",
        Verdict::Split | Verdict::Bisect | Verdict::Clamp | Verdict::DeadLetter => {
            "read the dead-letter file"
        }
        Verdict::Delivered => "",
    }
}
