//! The product's errors, to the letter (control-plane.md §2, §5.7).

use axum::http::StatusCode;

use crate::api::alibaba::Tree;
use crate::api::alibaba::failure::Failure;
use crate::flowlog::control::ecr::Param;
use crate::flowlog::control::ecr::Refused;

/// Every one has the fields of a success, too: clients read them there.
impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let mut failure = of(refused);
        let status = failure.status.as_u16();
        // Where a parameter is named, the vendor has a template for the error;
        // these are the fields for what comes of it.
        let is_named = matches!(
            refused,
            Refused::Missing(_) | Refused::Malformed(_) | Refused::Illegal(_)
        );
        let dynamic = |text: &str| if is_named { text.into() } else { "".into() };
        let fields = [
            ("Success", false.into()),
            ("HttpStatusCode", status.into()),
            ("DynamicCode", dynamic(&failure.code)),
            ("DynamicMessage", dynamic(&failure.message)),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        failure.rest = Box::new(Tree::from_iter(fields));
        failure
    }
}

fn of(refused: Refused) -> Failure {
    let not_found = |code, message| Failure::new(StatusCode::NOT_FOUND, code, message);
    match refused {
        Refused::Missing(param) => of_param("MissingParam", param, "The param", "missing"),
        Refused::Malformed(param) => {
            of_param("IllegalParamFormat", param, "The param format", "illegal")
        }
        Refused::Illegal(param) => of_param("IllegalParam", param, "The param", "illegal"),
        Refused::Region => Failure::bad(
            "UnsupportedRegion",
            "Feature not supported in specified region.",
        ),
        Refused::NoRouter => not_found("ResourceNotFound.EcrId", "EcrId not found."),
        Refused::RouterState => Failure::bad(
            "IncorrectStatus.Ecr",
            "Ecr Status does not allow current operation.",
        ),
        Refused::Deleting => Failure::bad(
            "OperationDenied.ForceDeleting",
            "The current instance is being deleted.",
        ),
        Refused::NoAttachment => Failure::bad(
            "ResourceNotFound.InstanceId",
            "The instance id does not exist.",
        ),
        Refused::NoFlowLog => not_found("ResourceNotFound.FlowLogId", "FlowLogId not found."),
        Refused::State => Failure::bad(
            "IncorrectStatus.FlowLog",
            "The current FlowLog instance status does not support this operation.",
        ),
        Refused::Quota => Failure::bad(
            "QuotaExceeded.FlowLog",
            "The maximum number of FlowLog instances is exceeded.",
        ),
        Refused::Reused => Failure::bad(
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous, but non-identical request. Do \
                not reuse a client token with different requests, unless the requests are \
                identical.",
        ),
    }
}

/// An error that names a parameter, in the vendor's template for it.
fn of_param(code: &str, param: Param, noun: &str, verdict: &str) -> Failure {
    let name = name(param);
    Failure::bad(
        format!("{code}.{name}"),
        format!("{noun} of {name} is {verdict}."),
    )
}

/// A parameter as the API spells it.
pub(super) const fn name(param: Param) -> &'static str {
    match param {
        Param::ClientToken => "ClientToken",
        Param::Description => "Description",
        Param::DryRun => "DryRun",
        Param::EcrId => "EcrId",
        Param::FlowLogId => "FlowLogId",
        Param::FlowLogName => "FlowLogName",
        Param::InstanceId => "InstanceId",
        Param::InstanceType => "InstanceType",
        Param::Interval => "Interval",
        Param::LogStoreName => "LogStoreName",
        Param::MaxResults => "MaxResults",
        Param::NextToken => "NextToken",
        Param::ProjectName => "ProjectName",
        Param::ResourceGroupId => "ResourceGroupId",
        Param::SamplingRate => "SamplingRate",
        Param::Tag => "Tag",
        Param::TargetSlsRegionId => "TargetSlsRegionId",
    }
}
