"""What a user of aliyun-log-python-sdk does, signed as argv says."""

import faulthandler
import os
import sys
import tempfile
import time
import traceback

from aliyun.log import (
    GetHistogramsRequest, ListLogstoresRequest, ListTopicsRequest, LogClient, LogException,
    LogItem, PutLogsRequest,
)
from aliyun.log.consumer import (
    ConsumerProcessorBase, ConsumerWorker, CursorPosition, LogHubConfig,
)
from aliyun.log.index_config import IndexConfig, IndexKeyConfig



def fail(*problem):
    """Ends at once: the threads of a worker would go on."""
    traceback.print_exception(*problem)
    os._exit(1)


sys.excepthook = fail
faulthandler.dump_traceback_later(120, exit=True)
version = sys.argv[1]
project, logstore = "flow-" + version, "flows"
client = LogClient(
    "http://sls.local", "id", "secret", source="192.0.2.9", auth_version=version,
    region="cn-hangzhou",
)


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except LogException as refusal:
        assert refusal.get_error_code() == code, refusal
        assert refusal.get_request_id(), refusal
    else:
        raise AssertionError("not refused: " + code)


client.create_project(project, "of a test")
refused("ProjectAlreadyExist", client.create_project, project, "again")
refused("Unauthorized", client.create_project, "other-project", "not ours")
assert client.get_project(project).get_description() == "of a test"
assert project in [one["projectName"] for one in client.list_project().get_projects()]

client.create_logstore(project, logstore, ttl=7, shard_count=1)
refused("LogStoreAlreadyExist", client.create_logstore, project, logstore)
client.update_logstore(project, logstore, ttl=14, shard_count=1)
assert client.get_logstore(project, logstore).get_ttl() == 14
assert client.list_logstores(ListLogstoresRequest(project)).get_logstores() == [logstore]
refused("LogStoreNotExist", client.get_logstore, project, "none")

index = IndexConfig(14, None, {"srcaddr": IndexKeyConfig(token_list=[], index_type="text")})
refused("IndexConfigNotExist", client.get_index_config, project, logstore)
client.create_index(project, logstore, index)
kept = client.get_index_config(project, logstore).get_index_config()
assert list(kept.key_config_list) == ["srcaddr"], kept.to_json()
client.update_index(project, logstore, index)

now = int(time.time())
items = [
    LogItem(now - 250 + number, contents=[("srcaddr", "10.0.0.%d" % number), ("note", "你好 a=b&c~d")])
    for number in range(250)
]
put = dict(project=project, logstore=logstore, topic="netflow", source="192.0.2.9")
client.put_logs(PutLogsRequest(logitems=items[:200], logtags=[("exporter", "r1")], **put))
client.put_logs(PutLogsRequest(logitems=items[200:230], compress=False, **put))
client.put_logs(PutLogsRequest(logitems=items[230:], hashKey="0" * 31 + "1", **put))
refused("LogStoreNotExist", client.put_logs, PutLogsRequest(project, "none", "", "", items[:1]))

begin, end = now - 300, now + 1
for v3 in (True, False):
    client._get_logs_v2_enabled = v3
    found = client.get_log(project, logstore, begin, end, query="srcaddr: 10.0.0.7")
    assert found.is_completed() and found.get_count() == 1
    fields = found.get_logs()[0].get_contents()
    assert fields["note"] == "你好 a=b&c~d" and fields["__tag__:exporter"] == "r1", fields
    pages = list(client.get_log_all(project, logstore, begin, end))
    assert sum(page.get_count() for page in pages) == 250, pages
    wanted = client.get_log(project, logstore, begin, end, size=230, reverse=True)
    assert wanted.get_count() == 230
    assert wanted.get_logs()[0].get_contents()["srcaddr"] == "10.0.0.249"

counted = client.get_histograms(GetHistogramsRequest(project, logstore, begin, end, "", ""))
assert counted.is_completed() and counted.get_total_count() == 250
topics = client.list_topics(ListTopicsRequest(project, logstore, "", 10))
assert topics.get_topics() == ["netflow"], topics.get_topics()

assert [shard["shardID"] for shard in client.list_shards(project, logstore).get_shards_info()] == [0]
first = client.get_begin_cursor(project, logstore, 0).get_cursor()
last = client.get_end_cursor(project, logstore, 0).get_cursor()
assert client.get_cursor_time(project, logstore, 0, first).get_cursor_time() >= now
assert client.get_previous_cursor_time(project, logstore, 0, last).get_cursor_time() >= now
later = client.get_cursor(project, logstore, 0, int(time.time()) + 60).get_cursor()
assert later == last
for compress in ("lz4", "zstd", ""):
    pulled = client.pull_logs(project, logstore, 0, first, count=1, compress=compress or False)
    assert pulled.get_loggroup_count() == 1
    assert pulled.get_flatten_logs_json()[0]["note"] == "你好 a=b&c~d"
batches = client.pull_log(project, logstore, 0, now - 60, int(time.time()) + 60, batch_size=70)
assert sum(len(batch.get_flatten_logs_json()) for batch in batches) == 250
tail = client.pull_logs(project, logstore, 0, last, count=10)
assert tail.get_loggroup_count() == 0 and tail.get_next_cursor() == last
refused("InvalidCursor", client.pull_logs, project, logstore, 0, "bm9uZQ==")

client.create_consumer_group(project, logstore, "readers", 30, True)
refused(
    "ConsumerGroupAlreadyExist", client.create_consumer_group, project, logstore, "readers", 30
)
client.update_consumer_group(project, logstore, "readers", 40, False)
listed = client.list_consumer_group(project, logstore).get_consumer_groups()
assert [(one.get_consumer_group_name(), one.get_timeout()) for one in listed] == [("readers", 40)]
assert client.heart_beat(project, logstore, "readers", "one", []).get_shards() == [0]
client.update_check_point(project, logstore, "readers", 0, last, "one", force_success=False)
points = client.get_check_point(project, logstore, "readers").get_consumer_group_check_points()
assert [(point["shard"], point["checkpoint"]) for point in points] == [(0, last)], points
client.delete_consumer_group(project, logstore, "readers")


class Reader(ConsumerProcessorBase):
    """Counts what it is given, and commits it."""

    seen = 0

    def process(self, log_groups, check_point_tracker):
        Reader.seen += sum(len(group.Logs) for group in log_groups.LogGroups)
        check_point_tracker.save_check_point(True)


option = LogHubConfig(
    "http://sls.local", "id", "secret", project, logstore, "workers", "one",
    cursor_position=CursorPosition.BEGIN_CURSOR, heartbeat_interval=1, data_fetch_interval=0.1,
    auth_version=version, region="cn-hangzhou",
)
worker = ConsumerWorker(Reader, option)
worker.start()
for _ in range(100):
    points = client.get_check_point(project, logstore, "workers").get_consumer_group_check_points()
    if Reader.seen == 250 and [point["checkpoint"] for point in points] == [last]:
        break
    time.sleep(0.1)
else:
    raise AssertionError("consumed %d of 250: %s" % (Reader.seen, points))
worker.shutdown()
worker.join(20)

with tempfile.TemporaryDirectory() as folder:
    path = folder + "/{}.data"
    dumped = client.pull_log_dump(
        project, logstore, now - 60, int(time.time()) + 60, path, batch_size=70
    )
    assert dumped.get_body()["total_count"] == 250, dumped.get_body()

refused("NotSupported", client.list_machine_group, project)
client.delete_index(project, logstore)
client.delete_logstore(project, logstore)
client.delete_project(project)
print("done")
