"""Prints all logs of the last hour as the log service's SDK reads them, in JSON.

read.py PROJECT LOGSTORE"""

import json
import sys
import time

from aliyun.log import LogClient

project, logstore = sys.argv[1:]
client = LogClient(
    "http://sls.local", "id", "secret", auth_version="v4", region="cn-hangzhou"
)
now = int(time.time())
pages = client.get_log_all(project, logstore, now - 3600, now + 600)
print(json.dumps([log.get_contents() for page in pages for log in page.get_logs()]))
