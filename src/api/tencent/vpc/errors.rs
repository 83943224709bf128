//! The product's errors (control-plane.md §3, §4).
//!
//! The vendor's tables have codes, and say in Chinese what they mean. People
//! read that in English here, and which parameter it is about.

use crate::api::tencent::Edition;
use crate::api::tencent::failure::{Failure, shown};
use crate::flowlog::AttachmentKind;
use crate::flowlog::control::vpc::BadTags;
use crate::flowlog::control::vpc::Param;
use crate::flowlog::control::vpc::Refused;

/// `codeDesc` of API 2.0, and its number.
type Old = (u16, &'static str);

const INVALID: Old = (4000, "InvalidParameter");
const LIMIT: Old = (4400, "LimitExceeded");
const NO_FLOW_LOG: Old = (5000, "FlowLogIDNotFound");

/// A refusal in the words of both APIs; parameters are spelled as in the one
/// that is spoken.
pub(super) fn failure(refused: &Refused, edition: Edition) -> Failure {
    let about = |param: Param, code, what: &str| {
        let name = edition.spelled(name(param));
        Failure::new(
            code,
            old_of(param),
            format!("The parameter `{name}` {what}."),
        )
    };
    let not_found = |old, what: &str| {
        let message = format!("The {what} does not exist.");
        Failure::new("ResourceNotFound", old, message)
    };
    match refused {
        Refused::Missing(param) => Failure::missing(&edition.spelled(name(*param))),
        Refused::Empty(param) => about(*param, "InvalidParameterValue.Empty", "is empty"),
        Refused::Malformed(param) => {
            let code = "InvalidParameterValue.Malformed";
            about(*param, code, "has an invalid format")
        }
        Refused::Range(param) => {
            let code = "InvalidParameterValue.Range";
            about(*param, code, "is not in the specified range")
        }
        Refused::TooLong(param) => about(*param, "InvalidParameterValue.TooLong", "is too long"),
        Refused::TooMany => {
            let code = "InvalidParameterValue.LimitExceeded";
            about(Param::FlowLogIds, code, "has too many values")
        }
        Refused::NoVpcNeeded => Failure::new(
            "InvalidParameterValue.VpcIdNotNeededForFlowLog",
            NO_FLOW_LOG,
            "The flow log belongs to no VPC, so that none can be specified.",
        ),
        Refused::NoVpc => not_found((5000, "InvalidVpc.NotFound"), "VPC"),
        Refused::NoSubnet => not_found((5000, "InvalidSubnet.NotFound"), "subnet"),
        Refused::NoAttachment(kind) => not_found(old_of_kind(*kind), word_of_kind(*kind)),
        Refused::NoFlowLog(id) => not_found(NO_FLOW_LOG, &format!("flow log `{}`", shown(id))),
        Refused::Configured(id) => Failure::new(
            "UnsupportedOperation",
            (5100, "OperationFailed"),
            format!(
                "The flow log `{}` is one of the configuration file and is changed there.",
                shown(id)
            ),
        ),
        Refused::NameTaken => Failure::new(
            "InvalidParameterValue.Duplicate",
            (4000, "FlowLogNameDuplicate"),
            "There is a flow log of this name already.",
        ),
        Refused::PerResource => Failure::new(
            "UnsupportedOperation.FlowLogInstanceExisted",
            LIMIT,
            "The resource has as many flow logs as it may have.",
        ),
        Refused::Quota => Failure::new(
            "LimitExceeded",
            LIMIT,
            "The account has as many flow logs as it may have.",
        ),
        Refused::Kafka => Failure::new(
            "InternalError.CreateCkafkaRouteError",
            (6000, "InternalError"),
            "No route to CKafka can be made.",
        ),
        Refused::Tags(bad) => bad_tags(*bad),
    }
}

fn bad_tags(bad: BadTags) -> Failure {
    let (code, message) = match bad {
        BadTags::DuplicateKey => (
            "InvalidParameterValue.TagDuplicateKey",
            "A tag key is there twice.",
        ),
        BadTags::InvalidKey => (
            "InvalidParameterValue.TagInvalidKey",
            "A tag key is invalid.",
        ),
        BadTags::InvalidKeyLen => (
            "InvalidParameterValue.TagInvalidKeyLen",
            "A tag key is empty or too long.",
        ),
        BadTags::InvalidVal => (
            "InvalidParameterValue.TagInvalidVal",
            "A tag value is invalid.",
        ),
        BadTags::KeyPerResourceExceeded => (
            "LimitExceeded.TagKeyPerResourceExceeded",
            "There are more tag keys than a resource may have.",
        ),
        BadTags::SystemReservedKey => (
            "UnsupportedOperation.TagSystemReservedTagKey",
            "A tag key is reserved by the system.",
        ),
    };
    Failure::new(code, INVALID, message)
}

/// API 2.0 has an error of its own for names, and for no other parameter.
const fn old_of(param: Param) -> Old {
    match param {
        Param::FlowLogName => (4000, "InvalidFlowLogName"),
        Param::CloudLogId
        | Param::CloudLogRegion
        | Param::CloudLogState
        | Param::Filters
        | Param::FlowLogDescription
        | Param::FlowLogIds
        | Param::FlowLogId
        | Param::FlowLogStorage
        | Param::Limit
        | Param::Offset
        | Param::OrderDirection
        | Param::OrderField
        | Param::Period
        | Param::ResourceId
        | Param::ResourceType
        | Param::StorageType
        | Param::Tags
        | Param::TrafficType
        | Param::VpcId => INVALID,
    }
}

/// Of what is attached, API 2.0 knows network interfaces alone.
const fn old_of_kind(kind: AttachmentKind) -> Old {
    match kind {
        AttachmentKind::NetworkInterface => (5000, "InvalidNetworkInterface.NotFound"),
        AttachmentKind::Vbr | AttachmentKind::Nat | AttachmentKind::Dcg | AttachmentKind::Ccn => {
            (5000, "ResourceNotFound")
        }
    }
}

const fn word_of_kind(kind: AttachmentKind) -> &'static str {
    match kind {
        AttachmentKind::NetworkInterface => "network interface",
        AttachmentKind::Nat => "NAT gateway",
        AttachmentKind::Dcg => "Direct Connect gateway",
        AttachmentKind::Ccn => "CCN",
        AttachmentKind::Vbr => "border router",
    }
}

/// A parameter as API 3.0 spells it.
const fn name(param: Param) -> &'static str {
    match param {
        Param::CloudLogId => "CloudLogId",
        Param::CloudLogRegion => "CloudLogRegion",
        Param::CloudLogState => "CloudLogState",
        Param::Filters => "Filters",
        Param::FlowLogDescription => "FlowLogDescription",
        Param::FlowLogId => "FlowLogId",
        Param::FlowLogIds => "FlowLogIds",
        Param::FlowLogName => "FlowLogName",
        Param::FlowLogStorage => "FlowLogStorage",
        Param::Limit => "Limit",
        Param::Offset => "Offset",
        Param::OrderDirection => "OrderDirection",
        Param::OrderField => "OrderField",
        Param::Period => "Period",
        Param::ResourceId => "ResourceId",
        Param::ResourceType => "ResourceType",
        Param::StorageType => "StorageType",
        Param::Tags => "Tags",
        Param::TrafficType => "TrafficType",
        Param::VpcId => "VpcId",
    }
}
