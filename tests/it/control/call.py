"""Calls of a flow-log API by an official SDK.

call.py CLIENT PORT ACTION [Name=value | Name:=json ...]
call.py CLIENT PORT - '[[ACTION, {Name: value, ...}], ...]'

Prints the answer as JSON, or {"Code": ..., "Message": ..., "status": ...} where
the SDK raises; of several calls a list of these."""

import importlib
import json
import re
import sys
from functools import partial

client, port, first, *words = sys.argv[1:]
KEY, SECRET, REGION = "LTAItest", "secret", "cn-shanghai"
HERE = f"127.0.0.1:{port}"


def core(action, parameters):
    """aliyun-python-sdk-smartag: signature 1.0."""
    from aliyunsdkcore.acs_exception.exceptions import ServerException
    from aliyunsdkcore.client import AcsClient

    module = f"aliyunsdksmartag.request.v20180313.{action}Request"
    request = getattr(importlib.import_module(module), f"{action}Request")()
    request.set_endpoint(HERE)
    region = parameters.pop("RegionId", REGION)
    for name, value in parameters.items():
        getattr(request, f"set_{name}")(value)
    try:
        answer = AcsClient(KEY, SECRET, region).do_action_with_exception(request)
        return json.loads(answer)
    except ServerException as error:
        message = error.message
        return {"Code": error.error_code, "Message": message, "status": error.http_status}


def tea(action, parameters):
    """alibabacloud-smartag20180313: ACS3-HMAC-SHA256."""
    for name in ("ActiveAging", "InactiveAging", "PageNumber", "PageSize"):
        if name in parameters:
            parameters[name] = int(parameters[name])
    return of_tea("alibabacloud_smartag20180313", action, {"RegionId": REGION, **parameters})


def router(action, parameters):
    """alibabacloud-expressconnectrouter20230901: ACS3-HMAC-SHA256."""
    return of_tea("alibabacloud_expressconnectrouter20230901", action, parameters)


def of_tea(package, action, parameters):
    from alibabacloud_tea_openapi.models import Config
    from Tea.exceptions import TeaException

    def snake(name):
        name = name.replace("SmartAGId", "smart_agid")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()

    models = importlib.import_module(f"{package}.models")
    service = importlib.import_module(f"{package}.client").Client(
        Config(KEY, SECRET, endpoint=HERE, protocol="HTTP")
    )
    request = getattr(models, f"{action}Request")().from_map(parameters)
    try:
        return getattr(service, snake(action))(request).body.to_map()
    except TeaException as error:
        message = (error.data or {}).get("Message")
        return {"Code": error.code, "Message": message, "status": error.statusCode}


def tencent(method, signature, action, parameters):
    """tencentcloud-sdk-python-vpc, API 3.0."""
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import (
        TencentCloudSDKException,
    )
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.vpc.v20170312 import models
    from tencentcloud.vpc.v20170312.vpc_client import VpcClient

    http = HttpProfile(protocol="http", endpoint=HERE, reqMethod=method)
    profile = ClientProfile(signMethod=signature, httpProfile=http)
    service = VpcClient(Credential(KEY, SECRET), "ap-guangzhou", profile)
    request = getattr(models, f"{action}Request")()
    request.from_json_string(json.dumps(parameters))
    try:
        answer = getattr(service, action)(request)
        return json.loads(answer.to_json_string())
    except TencentCloudSDKException as error:
        return {"Code": error.code, "Message": error.message, "status": 200}


def old(action, parameters):
    """qcloudapi-sdk-python, API 2.0: it has its server's name built in, so that
    only its signed address is used."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from QcloudApi.qcloudapi import QcloudApi

    config = {"Region": "gz", "secretId": KEY, "secretKey": SECRET, "method": "GET"}
    url = QcloudApi("vpc", config).generateUrl(action, parameters)
    there = "https://vpc.api.qcloud.com"
    assert url.startswith(there), url
    try:
        with urlopen(url.replace(there, f"http://{HERE}")) as answer:
            return json.load(answer)
    except HTTPError as error:
        return {"Code": error.reason, "status": error.code}


CLIENTS = {
    "core": core,
    "tea": tea,
    "router": router,
    "tc3": partial(tencent, "POST", "TC3-HMAC-SHA256"),
    "tc3-get": partial(tencent, "GET", "TC3-HMAC-SHA256"),
    "sha1": partial(tencent, "POST", "HmacSHA1"),
    "sha256-get": partial(tencent, "GET", "HmacSHA256"),
    "old": old,
}
call = CLIENTS[client]
if first == "-":
    answer = [call(action, parameters) for action, parameters in json.loads(words[0])]
else:
    given = {}
    for word in words:
        name, value = word.split("=", 1)
        is_json = name.endswith(":")
        given[name.rstrip(":")] = json.loads(value) if is_json else value
    answer = call(first, given)
print(json.dumps(answer))
