//! The product's errors, to the letter (control-plane.md §1.3).

use axum::http::StatusCode;

use crate::api::alibaba::failure::Failure;
use crate::flowlog::Role;
use crate::flowlog::control::sag::Param;
use crate::flowlog::control::sag::Refused;

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing(param) => missing(param),
            Refused::Illegal(param) => illegal(param),
            Refused::NoFlowLog => Self::bad(
                "InvalidFlowLogId.NotFound",
                "The specified FlowLogId does not exist.",
            ),
            Refused::NoGateway => Self::bad(
                "InvalidSmartAGId.NotFound",
                "The specified SmartAGId does not exist.",
            ),
            Refused::State => Self::bad(
                "IncorrectStatus.FlowLog",
                "The current FlowLog instance status does not support this operation.",
            ),
            Refused::InUse => Self::bad(
                "DependencyViolation.FlowLog",
                "This FlowLog instance is bound to an SAG instance.",
            ),
            Refused::BoundElsewhere => Self::bad(
                "OperationFailed.AssociateFlowLog",
                "The operation failed. The specified SAG instance has already been associated \
                    with another FlowLog instance.",
            ),
            Refused::Unsupported => Self::bad(
                "OperationUnsupported.AssociateFlowLog",
                "You cannot bind the SAG device of the current version or model to a FlowLog \
                    instance.",
            ),
            Refused::Lacking(role) => lacking(role),
            Refused::Quota => Self::bad(
                "QuotaExceeded.Flowlog",
                "The maximum number of FlowLog instances is exceeded.",
            ),
            Refused::Invalid => Self::parameter(),
        }
    }
}

/// Two have the gateway's error: the product documents none for them.
fn missing(param: Param) -> Failure {
    let name = name(param);
    match param {
        Param::RegionId | Param::SmartAgId => Failure::mandatory(name),
        Param::ActiveAging
        | Param::FlowLogId
        | Param::InactiveAging
        | Param::LogstoreName
        | Param::NetflowServerIp
        | Param::NetflowServerPort
        | Param::NetflowVersion
        | Param::OutputType
        | Param::ProjectName
        | Param::SlsRegionId
        | Param::Status => Failure::bad(
            format!("MissingParam.{name}"),
            format!("Specify the {name} parameter."),
        ),
    }
}

fn illegal(param: Param) -> Failure {
    let name = name(param);
    let noun = if param == Param::Status {
        " parameter"
    } else {
        ""
    };
    Failure::bad(
        format!("IllegalParam.{name}"),
        format!("The specified {name}{noun} is invalid."),
    )
}

fn lacking(role: Role) -> Failure {
    let (code, gateway) = match role {
        Role::Single => ("FeatureNotSupport", "smart access gateway"),
        Role::Active => (
            "FeatureNotSupportForActiveSmartAG",
            "active smart access gateway",
        ),
        Role::Standby => (
            "FeatureNotSupportForStandBySmartAG",
            "standby smart access gateway",
        ),
    };
    let message = format!("The current edition of the {gateway} does not support this feature.");
    Failure::new(StatusCode::FORBIDDEN, code, message)
}

/// A parameter as the API spells it.
const fn name(param: Param) -> &'static str {
    match param {
        Param::ActiveAging => "ActiveAging",
        Param::FlowLogId => "FlowLogId",
        Param::InactiveAging => "InactiveAging",
        Param::LogstoreName => "LogstoreName",
        Param::NetflowServerIp => "NetflowServerIp",
        Param::NetflowServerPort => "NetflowServerPort",
        Param::NetflowVersion => "NetflowVersion",
        Param::OutputType => "OutputType",
        Param::ProjectName => "ProjectName",
        Param::RegionId => "RegionId",
        Param::SlsRegionId => "SlsRegionId",
        Param::SmartAgId => "SmartAGId",
        Param::Status => "Status",
    }
}
