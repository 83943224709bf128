//! Why a call of the private networks' API changes nothing.

use crate::flowlog::AttachmentKind;

/// Why a call was refused, in the words of neither version of the API
/// (control-plane.md §3, §4).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A parameter that is needed did not come.
    #[error("the parameter {0:?} is missing")]
    Missing(Param),
    /// A parameter that is needed is empty, or is needed because of another.
    #[error("the parameter {0:?} is empty")]
    Empty(Param),
    /// A parameter's value is not written as it has to be.
    #[error("the parameter {0:?} is malformed")]
    Malformed(Param),
    /// A parameter's value is none of those that there are.
    #[error("the parameter {0:?} is out of its range")]
    Range(Param),
    /// A value to look for is longer than any there is.
    #[error("the parameter {0:?} is too long")]
    TooLong(Param),
    /// More flow logs are named than one call may name.
    #[error("there are too many flow logs in one call")]
    TooMany,
    /// The network is named of a flow log that belongs to none.
    #[error("the flow log belongs to no private network")]
    NoVpcNeeded,
    /// There is no such private network.
    #[error("there is no such private network")]
    NoVpc,
    /// There is no such subnet in the network.
    #[error("there is no such subnet in the private network")]
    NoSubnet,
    /// There is no such attachment, or not of that network.
    #[error("there is no such attachment of kind {0:?}")]
    NoAttachment(AttachmentKind),
    /// There is no such flow log in the account, or not of that network.
    #[error("there is no flow log {0}")]
    NoFlowLog(String),
    /// The flow log is the configuration's.
    #[error("the flow log {0} is one of the configuration")]
    Configured(String),
    /// The account has a flow log of that name.
    #[error("there is a flow log of that name")]
    NameTaken,
    /// The resource has as many flow logs as it may.
    #[error("the resource has as many flow logs as it may")]
    PerResource,
    /// The account has as many flow logs as it may.
    #[error("the account has as many flow logs as it may")]
    Quota,
    /// Flows are delivered to topics of the log service alone.
    #[error("flows are not delivered to CKafka")]
    Kafka,
    /// Something is wrong with a tag.
    #[error("the tags cannot be so: {0:?}")]
    Tags(BadTags),
}

/// What is wrong with tags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the vendor's errors are named alike")]
pub enum BadTags {
    DuplicateKey,
    InvalidKey,
    InvalidKeyLen,
    InvalidVal,
    KeyPerResourceExceeded,
    SystemReservedKey,
}

/// Parameters that errors name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "they are named as in the API")]
pub enum Param {
    CloudLogId,
    CloudLogRegion,
    CloudLogState,
    Filters,
    FlowLogDescription,
    FlowLogId,
    FlowLogIds,
    FlowLogName,
    FlowLogStorage,
    Limit,
    Offset,
    OrderDirection,
    OrderField,
    Period,
    ResourceId,
    ResourceType,
    StorageType,
    Tags,
    TrafficType,
    VpcId,
}
