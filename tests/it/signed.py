"""The clouds' clients over TLS: signed.py PORT. The certificate's authority is the
one that REQUESTS_CA_BUNDLE names; `flows.test` and all below it is here."""

import os
import socket
import sys

from aliyun.log import LogClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.vpc.v20170312 import models
from tencentcloud.vpc.v20170312.vpc_client import VpcClient

resolve = socket.getaddrinfo


def resolve_here(host, *rest, **named):
    """What a name server of flows.test would say."""
    return resolve("127.0.0.1" if host.endswith("flows.test") else host, *rest, **named)


socket.getaddrinfo = resolve_here
here = f"127.0.0.1:{sys.argv[1]}"
key = ("LTAItest", "secret")

profile = HttpProfile(
    protocol="https", endpoint=here, certification=os.environ["REQUESTS_CA_BUNDLE"]
)
vpc = VpcClient(Credential(*key), "ap-guangzhou", ClientProfile(httpProfile=profile))
wanted = models.CreateFlowLogRequest()
wanted.VpcId, wanted.ResourceType = "vpc-iqg1sdjj", "NETWORKINTERFACE"
wanted.ResourceId, wanted.TrafficType = "eni-08dhim01", "ALL"
wanted.FlowLogName, wanted.CloudLogId = "tls", "topic-of-tls"
made = vpc.CreateFlowLog(wanted).FlowLog[0].FlowLogId
listed = vpc.DescribeFlowLogs(models.DescribeFlowLogsRequest())
assert [log.FlowLogId for log in listed.FlowLog] == [made]

sls = LogClient(f"https://flows.test:{sys.argv[1]}", *key, auth_version="v4", region="cn-hangzhou")
sls.create_project("flow-tls", "over TLS")
sls.create_logstore("flow-tls", "flows", 1, 1)
assert sls.list_logstore("flow-tls").get_logstores() == ["flows"]
print("done")
