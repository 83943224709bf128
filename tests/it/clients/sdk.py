"""What a user of aliyun-log-python-sdk leaves in the log store (`write`), and
finds there after a restart (`read`)."""

import faulthandler
import os
import sys
import threading
import time
import traceback

from aliyun.log import IndexConfig, IndexKeyConfig, LogClient, LogItem, PutLogsRequest
from aliyun.log.consumer import (
    ConsumerProcessorBase, ConsumerWorker, CursorPosition, LogHubConfig,
)


def fail(*problem):
    """Ends at once: the threads of a worker would go on."""
    traceback.print_exception(*problem)
    os._exit(1)


sys.excepthook = fail
faulthandler.dump_traceback_later(50, exit=True)
phase = sys.argv[1]
endpoint, key = "http://sls.local", ("id", "secret")
project, logstore, group = "flow-sdk", "flows", "workers"
signed = dict(auth_version="v4", region="cn-hangzhou")
client = LogClient(endpoint, *key, source="192.0.2.9", **signed)
now = int(time.time())


def put(some, **how):
    """Writes logs that have these numbers as octets."""
    items = [LogItem(now, contents=[("bytes", str(number)), ("note", "你好")]) for number in some]
    client.put_logs(PutLogsRequest(project, logstore, "netflow", "192.0.2.9", items, **how))


class Reader(ConsumerProcessorBase):
    """Keeps the numbers it is given, and commits them."""

    seen = []
    is_done = threading.Event()
    wanted = 0

    def process(self, log_groups, check_point_tracker):
        for log_group in log_groups.LogGroups:
            for log in log_group.Logs:
                fields = {content.Key: content.Value for content in log.Contents}
                Reader.seen.append(int(fields["bytes"]))
        check_point_tracker.save_check_point(True)
        if len(Reader.seen) >= Reader.wanted:
            Reader.is_done.set()


def consume(wanted):
    """Runs a worker until it has all of these, in their order, and no more."""
    Reader.wanted = len(wanted)
    option = LogHubConfig(
        endpoint, *key, project, logstore, group, "one", heartbeat_interval=1,
        cursor_position=CursorPosition.BEGIN_CURSOR, data_fetch_interval=0.1, **signed,
    )
    worker = ConsumerWorker(Reader, option)
    worker.start()
    assert Reader.is_done.wait(20), len(Reader.seen)
    worker.shutdown()
    worker.join(20)
    assert Reader.seen == wanted, Reader.seen
    end = client.get_end_cursor(project, logstore, 0).get_cursor()
    points = client.get_check_point(project, logstore, group).get_consumer_group_check_points()
    assert [(point["shard"], point["checkpoint"]) for point in points] == [(0, end)], points


if phase == "write":
    client.create_project(project, "of a test")
    client.create_logstore(project, logstore, ttl=7, shard_count=1)
    keys = {"bytes": IndexKeyConfig(index_type="long", doc_value=True)}
    client.create_index(project, logstore, IndexConfig(7, None, keys))
    put(range(200), logtags=[("exporter", "r1")])
    put(range(200, 300), compress=False)
    put(range(300, 400), hashKey="0" * 31 + "1")
    consume(list(range(400)))
else:
    assert client.get_project(project).get_description() == "of a test"
    assert client.get_logstore(project, logstore).get_ttl() == 7
    kept = client.get_index_config(project, logstore).get_index_config()
    assert list(kept.key_config_list) == ["bytes"], kept.to_json()
    pages = client.get_log_all(project, logstore, now - 600, now + 60, query="bytes < 250")
    found = [log.get_contents() for page in pages for log in page.get_logs()]
    assert sorted(int(log["bytes"]) for log in found) == list(range(250)), found
    assert sum(log.get("__tag__:exporter") == "r1" for log in found) == 200, found
    # What was consumed before the restart does not come again.
    put(range(400, 500))
    consume(list(range(400, 500)))
print("done")
