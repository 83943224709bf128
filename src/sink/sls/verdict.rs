//! What an answer of the service means for the rows that were sent.

/// What to do with the rows of a request, by its answer.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Verdict {
    /// The service has them.
    Delivered,
    /// Our clock is off: correct it, sign anew and send at once.
    RetryAfterSkew,
    /// Too much at a time: send later and less.
    Throttled(Scope),
    /// The request is too large: send each half.
    Split,
    /// Some row is poison: find it by halves and put it aside.
    Bisect,
    /// Some time is outside the window: clamp and send once more.
    Clamp,
    /// The keys are not taken: get new ones and send later.
    Credentials,
    /// Nothing helps but an operator: keep the rows and ask slowly.
    Hold(Hold),
    /// The service cannot just now, or nobody knows: send again later.
    Retry,
    /// It will never take this: put it aside.
    DeadLetter,
}

impl Verdict {
    /// The name in metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::RetryAfterSkew => "skew",
            Self::Throttled(Scope::Project) => "throttled-project",
            Self::Throttled(Scope::Logstore) => "throttled-logstore",
            Self::Split => "split",
            Self::Bisect => "bisect",
            Self::Clamp => "clamp",
            Self::Credentials => "credentials",
            Self::Hold(why) => why.label(),
            Self::Retry => "retry",
            Self::DeadLetter => "dead-letter",
        }
    }
}

/// Whose quota a request broke, and who has to slow down.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// Everything written to the project.
    Project,
    /// The shards of one logstore.
    Logstore,
}

/// What an operator has to put right.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hold {
    /// The account is in arrears.
    Arrears,
    /// The project does not exist, or not yet.
    Project,
    /// The logstore does not exist, or not yet.
    Logstore,
    /// Writing is forbidden for another reason.
    Forbidden,
    /// What answers is not the service: a redirect, a proxy.
    NotTheService,
}

impl Hold {
    /// The name in metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Arrears => "hold-arrears",
            Self::Project => "hold-project",
            Self::Logstore => "hold-logstore",
            Self::Forbidden => "hold-forbidden",
            Self::NotTheService => "hold-not-the-service",
        }
    }

    /// What the operator should do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Arrears => "settle the account's arrears or open the project again",
            Self::Project => "create the project, or correct its name or region",
            Self::Logstore => "create the logstore, or correct its name",
            Self::Forbidden => "grant log:PostLogStoreLogs on the logstore",
            Self::NotTheService => "correct the endpoint or the proxy before it",
        }
    }
}

/// Judges an answer by its error code; the status only settles what is left.
///
/// The message is looked at where codes do not tell: a time outside the window
/// comes as `PostBodyInvalid`, a project's hard quota under several codes.
/// Spec sls.md §2: PutLogs and error pages of the vendor, SDKs' spellings.
pub fn verdict(status: u16, error_code: Option<&str>, message: &str) -> Verdict {
    let code = error_code.unwrap_or_default();
    if status == 200 {
        return Verdict::Delivered;
    }
    of_code(code, message).unwrap_or_else(|| of_status(status, message))
}

fn of_code(code: &str, message: &str) -> Option<Verdict> {
    let verdict = match code {
        "RequestTimeExpired" | "RequestTimeTooSkewed" => Verdict::RetryAfterSkew,
        "PostBodyInvalid" | "InvalidTimestamp" if is_out_of_window(message) => Verdict::Clamp,
        "PostBodyInvalid"
        | "InvalidTimestamp"
        | "InvalidEncoding"
        | "InvalidKey"
        | "PostBodyUncompressError" => Verdict::Bisect,
        "PostBodyTooLarge" => Verdict::Split,
        "Unauthorized" | "InvalidAccessKeyId" | "SignatureNotMatch" => Verdict::Credentials,
        "WriteQuotaExceed"
        | "ExceedQuota"
        | "ProjectQuotaExceed"
        | "ReadQuotaExceed"
        | "MetaOperationQpsLimitExceeded" => Verdict::Throttled(Scope::Project),
        "ShardWriteQuotaExceed" => Verdict::Throttled(Scope::Logstore),
        "ProjectForbidden" => Verdict::Hold(Hold::Arrears),
        // The vendor's own SDKs know a spelling with an s that the service never had.
        "ProjectNotExist" | "ProjectNotExists" => Verdict::Hold(Hold::Project),
        "LogStoreNotExist" | "LogstoreNotExist" | "LogstoreNotExists" | "LogStoreWithoutShard" => {
            Verdict::Hold(Hold::Logstore)
        }
        // A shard that was split a moment ago; the route leads to its children soon.
        "ShardNotExist" => Verdict::Retry,
        "InternalServerError" | "RequestTimeout" | "ServerBusy" => Verdict::Retry,
        "InvalidRequestTime" | "InvalidHost" | "InvalidContentType" | "InvalidMethod"
        | "ParameterInvalid" | "MissingParameter" | "NotSupported" => Verdict::DeadLetter,
        _ => return None,
    };
    Some(verdict)
}

fn of_status(status: u16, message: &str) -> Verdict {
    match status {
        401 => Verdict::Credentials,
        403 if names_quota(message) => Verdict::Throttled(Scope::Project),
        429 => Verdict::Throttled(Scope::Project),
        403 => Verdict::Hold(Hold::Forbidden),
        404 => Verdict::Hold(Hold::Logstore),
        405 => Verdict::DeadLetter,
        408 | 500.. => Verdict::Retry,
        413 => Verdict::Split,
        400 | 499 if is_out_of_window(message) => Verdict::Clamp,
        // No other status of success means that rows were stored.
        0..=399 | 407 => Verdict::Hold(Hold::NotTheService),
        _ => Verdict::Bisect,
    }
}

fn is_out_of_window(message: &str) -> bool {
    message.contains("time is out of range")
}

/// "Inflow Quota Exceed", "Write QPS Exceed".
fn names_quota(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("exceed") && (message.contains("quota") || message.contains("qps"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: &str = "The post data time is out of range";

    /// Every row of spec sls.md §2, in its order.
    #[test]
    fn every_row_of_the_error_table_has_its_verdict() {
        let project = Verdict::Throttled(Scope::Project);
        let table = [
            (200, "", "", Verdict::Delivered),
            (400, "RequestTimeExpired", "", Verdict::RetryAfterSkew),
            (403, "RequestTimeTooSkewed", "", Verdict::RetryAfterSkew),
            (400, "InvalidRequestTime", "", Verdict::DeadLetter),
            (400, "InvalidHost", "", Verdict::DeadLetter),
            (400, "InvalidContentType", "", Verdict::DeadLetter),
            (400, "ParameterInvalid", "", Verdict::DeadLetter),
            (400, "MissingParameter", "", Verdict::DeadLetter),
            (400, "PostBodyInvalid", "bad protobuf", Verdict::Bisect),
            (400, "InvalidTimestamp", "", Verdict::Bisect),
            (400, "InvalidEncoding", "", Verdict::Bisect),
            (400, "InvalidKey", "", Verdict::Bisect),
            (400, "PostBodyUncompressError", "", Verdict::Bisect),
            (499, "PostBodyInvalid", WINDOW, Verdict::Clamp),
            (400, "PostBodyInvalid", WINDOW, Verdict::Clamp),
            (400, "PostBodyTooLarge", "", Verdict::Split),
            (413, "PostBodyTooLarge", "", Verdict::Split),
            (401, "Unauthorized", "", Verdict::Credentials),
            (401, "InvalidAccessKeyId", "", Verdict::Credentials),
            (401, "SignatureNotMatch", "", Verdict::Credentials),
            (403, "SignatureNotMatch", "", Verdict::Credentials),
            (403, "WriteQuotaExceed", "", project),
            (
                403,
                "ShardWriteQuotaExceed",
                "",
                Verdict::Throttled(Scope::Logstore),
            ),
            (403, "ExceedQuota", "", project),
            (403, "ReadQuotaExceed", "", project),
            (403, "MetaOperationQpsLimitExceeded", "", project),
            (403, "ProjectQuotaExceed", "", project),
            (403, "ProjectForbidden", "", Verdict::Hold(Hold::Arrears)),
            (404, "ProjectNotExist", "", Verdict::Hold(Hold::Project)),
            (404, "ProjectNotExists", "", Verdict::Hold(Hold::Project)),
            (404, "LogStoreNotExist", "", Verdict::Hold(Hold::Logstore)),
            (404, "LogstoreNotExists", "", Verdict::Hold(Hold::Logstore)),
            (
                400,
                "LogStoreWithoutShard",
                "",
                Verdict::Hold(Hold::Logstore),
            ),
            (404, "ShardNotExist", "", Verdict::Retry),
            (405, "InvalidMethod", "", Verdict::DeadLetter),
            (400, "NotSupported", "", Verdict::DeadLetter),
            (500, "InternalServerError", "", Verdict::Retry),
            (500, "RequestTimeout", "", Verdict::Retry),
            (503, "ServerBusy", "", Verdict::Retry),
        ];
        for (status, code, message, expected) in table {
            let code = Some(code).filter(|code| !code.is_empty());
            assert_eq!(
                verdict(status, code, message),
                expected,
                "{status} {code:?}"
            );
        }
    }

    #[test]
    fn an_unknown_code_is_judged_by_its_status() {
        let project = Verdict::Throttled(Scope::Project);
        let table = [
            (100, "", Verdict::Hold(Hold::NotTheService)),
            (204, "", Verdict::Hold(Hold::NotTheService)),
            (302, "", Verdict::Hold(Hold::NotTheService)),
            (400, "", Verdict::Bisect),
            (400, WINDOW, Verdict::Clamp),
            (401, "", Verdict::Credentials),
            (403, "", Verdict::Hold(Hold::Forbidden)),
            (403, "Inflow Quota Exceed", project),
            (403, "Project Write QPS Exceed", project),
            (404, "", Verdict::Hold(Hold::Logstore)),
            (405, "", Verdict::DeadLetter),
            (407, "", Verdict::Hold(Hold::NotTheService)),
            (408, "", Verdict::Retry),
            (413, "", Verdict::Split),
            (418, "", Verdict::Bisect),
            (429, "", project),
            (499, "", Verdict::Bisect),
            (499, WINDOW, Verdict::Clamp),
            (500, "", Verdict::Retry),
            (502, "", Verdict::Retry),
            (504, "", Verdict::Retry),
            (599, "", Verdict::Retry),
        ];
        for (status, message, expected) in table {
            assert_eq!(verdict(status, None, message), expected, "{status}");
            assert_eq!(verdict(status, Some("New"), message), expected, "{status}");
        }
    }

    #[test]
    fn every_hold_says_what_to_do() {
        for hold in [
            Hold::Arrears,
            Hold::Project,
            Hold::Logstore,
            Hold::Forbidden,
            Hold::NotTheService,
        ] {
            assert!(!hold.advice().is_empty());
            assert_eq!(Verdict::Hold(hold).label(), hold.label());
        }
    }
}
