//! Why a call of the Smart Access Gateway API changes nothing.

use crate::flowlog::Role;

/// Why a call was refused; each is one error of the API's table
/// (control-plane.md §1.3, §1.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A parameter that is needed is absent or empty.
    #[error("the parameter {0:?} is missing")]
    Missing(Param),
    /// A parameter's value is none that it may have.
    #[error("the parameter {0:?} is invalid")]
    Illegal(Param),
    /// There is no such flow log in the region and account.
    #[error("there is no such flow log")]
    NoFlowLog,
    /// There is no such gateway, or it is not bound to the flow log.
    #[error("there is no such gateway, or it is not bound")]
    NoGateway,
    /// The flow log is in that state already.
    #[error("the flow log's state does not allow it")]
    State,
    /// Gateways are bound to the flow log.
    #[error("gateways are bound to the flow log")]
    InUse,
    /// The gateway is bound to another flow log.
    #[error("the gateway is bound to another flow log")]
    BoundElsewhere,
    /// The gateway's model has no flow logs.
    #[error("the gateway's model has no flow logs")]
    Unsupported,
    /// The edition of one of the gateway's devices has no flow logs.
    #[error("the edition of the gateway's {0:?} device has no flow logs")]
    Lacking(Role),
    /// The account has as many flow logs in the region as it may.
    #[error("the account has as many flow logs as it may")]
    Quota,
    /// A value that is none, of a parameter without an error of its own.
    #[error("a parameter is invalid")]
    Invalid,
}

/// Parameters that errors name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub enum Param {
    ActiveAging,
    FlowLogId,
    InactiveAging,
    LogstoreName,
    NetflowServerIp,
    NetflowServerPort,
    NetflowVersion,
    OutputType,
    ProjectName,
    RegionId,
    SlsRegionId,
    SmartAgId,
    Status,
}
