"""One call of the Smart Access Gateway API by an official SDK.

sag.py CLIENT PORT ACTION [Name=value ...]; prints the answer as JSON, or
{"Code": ..., "status": ...} where the SDK raises."""

import importlib
import json
import re
import sys

client, port, action, *words = sys.argv[1:]
parameters = dict(word.split("=", 1) for word in words)
KEY, SECRET, REGION = "LTAItest", "secret", "cn-shanghai"


def core():
    """aliyun-python-sdk-smartag: signature 1.0."""
    from aliyunsdkcore.acs_exception.exceptions import ServerException
    from aliyunsdkcore.client import AcsClient

    module = f"aliyunsdksmartag.request.v20180313.{action}Request"
    request = getattr(importlib.import_module(module), f"{action}Request")()
    request.set_endpoint(f"127.0.0.1:{port}")
    for name, value in parameters.items():
        getattr(request, f"set_{name}")(value)
    try:
        answer = AcsClient(KEY, SECRET, REGION).do_action_with_exception(request)
        return json.loads(answer)
    except ServerException as error:
        return {"Code": error.error_code, "status": error.http_status}


def tea():
    """alibabacloud-smartag20180313: ACS3-HMAC-SHA256."""
    from alibabacloud_smartag20180313 import models
    from alibabacloud_smartag20180313.client import Client
    from alibabacloud_tea_openapi.models import Config
    from Tea.exceptions import TeaException

    def snake(name):
        name = name.replace("SmartAGId", "smart_agid")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()

    config = Config(KEY, SECRET, endpoint=f"127.0.0.1:{port}", protocol="HTTP")
    given = {snake(name): value for name, value in parameters.items()}
    for name in ("active_aging", "inactive_aging", "page_number", "page_size"):
        if name in given:
            given[name] = int(given[name])
    request = getattr(models, f"{action}Request")(region_id=REGION, **given)
    try:
        answer = getattr(Client(config), snake(action))(request)
        return answer.body.to_map()
    except TeaException as error:
        return {"Code": error.code, "status": error.statusCode}


print(json.dumps({"core": core, "tea": tea}[client]()))
