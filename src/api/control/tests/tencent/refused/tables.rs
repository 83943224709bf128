//! The tables of API 3.0, and which of their rows no request raises.

use std::collections::BTreeSet;

use super::*;

/// The tables: actions, and their errors.
const TABLES: [(&str, &[&str]); 7] = [
    (
        "CreateFlowLog",
        &[
            "InternalError.CreateCkafkaRouteError",
            "InternalError.ModuleError",
            "InvalidParameterValue.Duplicate",
            "InvalidParameterValue.Empty",
            "InvalidParameterValue.Malformed",
            "InvalidParameterValue.Range",
            "InvalidParameterValue.TagDuplicateKey",
            "InvalidParameterValue.TagDuplicateResourceType",
            "InvalidParameterValue.TagInvalidKey",
            "InvalidParameterValue.TagInvalidKeyLen",
            "InvalidParameterValue.TagInvalidVal",
            "InvalidParameterValue.TagKeyNotExists",
            "InvalidParameterValue.TagNotAllocatedQuota",
            "InvalidParameterValue.TagNotExisted",
            "InvalidParameterValue.TagNotSupportTag",
            "InvalidParameterValue.TagResourceFormatError",
            "InvalidParameterValue.TagTimestampExceeded",
            "InvalidParameterValue.TagValNotExists",
            "LimitExceeded",
            "LimitExceeded.ActionLimited",
            "LimitExceeded.TagKeyExceeded",
            "LimitExceeded.TagKeyPerResourceExceeded",
            "LimitExceeded.TagNotEnoughQuota",
            "LimitExceeded.TagQuota",
            "LimitExceeded.TagQuotaExceeded",
            "LimitExceeded.TagTagsExceeded",
            "ResourceNotFound",
            "UnauthorizedOperation",
            "UnsupportedOperation.DpdkNatFlowLogOnlySupportAllTrafficType",
            "UnsupportedOperation.FlowLogInstanceExisted",
            "UnsupportedOperation.FlowLogsNotSupportKoInstanceEni",
            "UnsupportedOperation.FlowLogsNotSupportNullInstanceEni",
            "UnsupportedOperation.NatGatewayDnatAndFlowLogConflict",
            "UnsupportedOperation.OnlySupportProfessionKafka",
            "UnsupportedOperation.TagAllocate",
            "UnsupportedOperation.TagFree",
            "UnsupportedOperation.TagNotPermit",
            "UnsupportedOperation.TagSystemReservedTagKey",
        ],
    ),
    ("DeleteFlowLog", &[MALFORMED, RANGE, NOT_FOUND]),
    ("DescribeFlowLog", &[MALFORMED, RANGE, NOT_FOUND]),
    (
        "DescribeFlowLogs",
        &[MALFORMED, RANGE, "InvalidParameterValue.TooLong", NOT_FOUND],
    ),
    (
        "ModifyFlowLogAttribute",
        &[
            "InvalidParameterValue.Duplicate",
            MALFORMED,
            RANGE,
            "InvalidParameterValue.VpcIdNotNeededForFlowLog",
        ],
    ),
    (
        "EnableFlowLogs",
        &["InvalidParameterValue.LimitExceeded", MALFORMED, NOT_FOUND],
    ),
    (
        "DisableFlowLogs",
        &["InvalidParameterValue.LimitExceeded", MALFORMED, NOT_FOUND],
    ),
];

/// Errors that no request raises: why, and of which action.
const NEVER: [(&str, &str, &[&str]); 7] = [
    (
        "a tag is a text of its flow log: nothing else keeps tags",
        "CreateFlowLog",
        &[
            "InvalidParameterValue.TagDuplicateResourceType",
            "InvalidParameterValue.TagKeyNotExists",
            "InvalidParameterValue.TagNotAllocatedQuota",
            "InvalidParameterValue.TagNotExisted",
            "InvalidParameterValue.TagNotSupportTag",
            "InvalidParameterValue.TagResourceFormatError",
            "InvalidParameterValue.TagTimestampExceeded",
            "InvalidParameterValue.TagValNotExists",
            "LimitExceeded.TagKeyExceeded",
            "LimitExceeded.TagNotEnoughQuota",
            "LimitExceeded.TagQuota",
            "LimitExceeded.TagQuotaExceeded",
            "LimitExceeded.TagTagsExceeded",
            "UnsupportedOperation.TagAllocate",
            "UnsupportedOperation.TagFree",
            "UnsupportedOperation.TagNotPermit",
        ],
    ),
    (
        "only nonces are limited, for all actions: RequestLimitExceeded",
        "CreateFlowLog",
        &["LimitExceeded.ActionLimited"],
    ),
    (
        "a key without the right has AuthFailure.UnauthorizedOperation, for any action",
        "CreateFlowLog",
        &["UnauthorizedOperation"],
    ),
    (
        "what is attached has no such state here: it is what an operator says it is",
        "CreateFlowLog",
        &[
            "UnsupportedOperation.DpdkNatFlowLogOnlySupportAllTrafficType",
            "UnsupportedOperation.FlowLogsNotSupportKoInstanceEni",
            "UnsupportedOperation.FlowLogsNotSupportNullInstanceEni",
            "UnsupportedOperation.NatGatewayDnatAndFlowLogConflict",
        ],
    ),
    (
        "no CKafka is supported: InternalError.CreateCkafkaRouteError",
        "CreateFlowLog",
        &["UnsupportedOperation.OnlySupportProfessionKafka"],
    ),
    (
        "an id is any text, and one that there is not is not found",
        "DeleteFlowLog",
        &[MALFORMED, RANGE],
    ),
    (
        "an id is any text, and one that there is not is not found",
        "DescribeFlowLog",
        &[MALFORMED, RANGE],
    ),
];

#[test]
fn each_row_of_the_tables_is_raised_or_cannot_be() {
    let pairs = |action: &'static str, codes: &'static [&str]| {
        let codes = codes.iter();
        codes.map(move |code| (action, *code))
    };
    let listed = TABLES.iter();
    let listed = listed.flat_map(|(action, codes)| pairs(action, codes));
    let listed: BTreeSet<_> = listed.collect();
    let never = NEVER.iter();
    let never = never.flat_map(|(_, action, codes)| pairs(action, codes));
    let never: BTreeSet<_> = never.collect();
    let raised: BTreeSet<_> = rows().iter().map(|row| (row.action, row.code)).collect();
    assert_eq!(raised.intersection(&never).count(), 0);
    let ours: BTreeSet<_> = raised.union(&never).copied().collect();
    let missing: Vec<_> = listed.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // The documents forget that the flow log that is changed may not be there.
    let unlisted: Vec<_> = ours.difference(&listed).collect();
    assert_eq!(unlisted, [&("ModifyFlowLogAttribute", NOT_FOUND)]);
}
