//! Why a call of the Express Connect Router API changes nothing.

/// Why a call was refused; each is one error of the API (control-plane.md §2,
/// §5.7).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A parameter that is needed is absent or empty.
    #[error("the parameter {0:?} is missing")]
    Missing(Param),
    /// A parameter's text is not written as it has to be.
    #[error("the parameter {0:?} is malformed")]
    Malformed(Param),
    /// A parameter's value is none that it may have.
    #[error("the parameter {0:?} is invalid")]
    Illegal(Param),
    /// The region that the call names can have no routers.
    #[error("there are no routers in the region")]
    Region,
    /// The account has no such router.
    #[error("there is no such router")]
    NoRouter,
    /// The router is not active.
    #[error("the router's state does not allow it")]
    RouterState,
    /// The router is being deleted with all that it has.
    #[error("the router is being deleted")]
    Deleting,
    /// The router has no such border router.
    #[error("the router has no such border router")]
    NoAttachment,
    /// The router has no such flow log.
    #[error("there is no such flow log")]
    NoFlowLog,
    /// The flow log is in that state already.
    #[error("the flow log's state does not allow it")]
    State,
    /// The account or the border router has as many flow logs as it may.
    #[error("there are as many flow logs as there may be")]
    Quota,
    /// The client token stands for a request with other parameters.
    #[error("the client token was used for another request")]
    Reused,
}

/// Parameters that errors name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub enum Param {
    ClientToken,
    Description,
    DryRun,
    EcrId,
    FlowLogId,
    FlowLogName,
    InstanceId,
    InstanceType,
    Interval,
    LogStoreName,
    MaxResults,
    NextToken,
    ProjectName,
    ResourceGroupId,
    SamplingRate,
    Tag,
    TargetSlsRegionId,
}
