"""The vendor's Python SDK on the records of the bench "send".

Needs aliyun-log-python-sdk and lz4, as pinned in tests/it/clients.
"""

import os
import sys
import time
from itertools import cycle, islice

url, file, records = sys.argv[1], sys.argv[2], int(sys.argv[3])
# It puts the project before the host's name; the endpoint has none.
os.environ["http_proxy"] = url
from aliyun.log import LogClient, LogItem, PutLogsRequest  # noqa: E402

LOGS = 4096
lines = []
for line in open(file, encoding="utf-8"):
    stamp, *words = line.rstrip("\n").split("\t")
    lines.append((int(stamp), list(zip(words[::2], words[1::2]))))
client = LogClient("http://sls.local", "id", "secret")
began, before = time.time(), time.process_time()
source = cycle(lines)
for start in range(0, records, LOGS):
    logs = islice(source, min(LOGS, records - start))
    items = [LogItem(timestamp=stamp, contents=fields) for stamp, fields in logs]
    client.put_logs(PutLogsRequest("project", "logstore", "", "", items, compress=True))
print(records, time.process_time() - before, time.time() - began)
