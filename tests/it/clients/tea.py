"""What a user of alibabacloud-sls20201230 does, signed as argv says."""

import faulthandler
import sys
import time

from alibabacloud_sls20201230 import models
from alibabacloud_sls20201230.client import Client
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

faulthandler.dump_traceback_later(50, exit=True)
version = sys.argv[1]
project, logstore, group = "flow-tea-" + version, "flows", "readers"
client = Client(Config(
    access_key_id="id", access_key_secret="secret", endpoint="sls.local",
    protocol="http", region_id="cn-hangzhou", signature_version=version,
))


def refused(code, call, *arguments):
    try:
        call(*arguments)
    except UnretryableException as refusal:
        assert refusal.inner_exception.code == code, refusal
    else:
        raise AssertionError("not refused: " + code)


client.create_project(models.CreateProjectRequest(project_name=project, description="of a test"))
refused(
    "ProjectAlreadyExist", client.create_project,
    models.CreateProjectRequest(project_name=project, description="again"),
)
assert client.get_project(project, models.GetProjectRequest()).body.description == "of a test"
listed = client.list_project(models.ListProjectRequest(offset=0, size=100)).body
assert project in [one.project_name for one in listed.projects], listed
client.update_project(project, models.UpdateProjectRequest(description="changed"))
assert client.get_project(project, models.GetProjectRequest()).body.description == "changed"

client.create_log_store(
    project, models.CreateLogStoreRequest(logstore_name=logstore, ttl=7, shard_count=1)
)
refused(
    "LogStoreAlreadyExist", client.create_log_store, project,
    models.CreateLogStoreRequest(logstore_name=logstore, ttl=7, shard_count=1),
)
client.update_log_store(
    project, logstore, models.UpdateLogStoreRequest(logstore_name=logstore, ttl=14)
)
assert client.get_log_store(project, logstore).body.ttl == 14
listed = client.list_log_stores(project, models.ListLogStoresRequest(offset=0, size=10)).body
assert (listed.total, listed.logstores) == (1, [logstore]), listed
refused("LogStoreNotExist", client.get_log_store, project, "none")

refused("IndexConfigNotExist", client.get_index, project, logstore)
keys = {
    "srcaddr": models.IndexKey(type="text", token=[], doc_value=True),
    "bytes": models.IndexKey(type="long", doc_value=True),
}
client.create_index(project, logstore, models.CreateIndexRequest(body=models.Index(keys=keys)))
kept = client.get_index(project, logstore).body
assert sorted(kept.keys) == ["bytes", "srcaddr"] and kept.keys["bytes"].type == "long", kept

now = int(time.time())
items = [
    models.LogItem(time=now - 120 + number, contents=[
        models.LogContent(key="srcaddr", value="10.0.0.%d" % number),
        models.LogContent(key="bytes", value=str(number)),
        models.LogContent(key="note", value="你好 a=b&c~d"),
    ])
    for number in range(120)
]
tags = [models.LogTag(key="exporter", value="r1")]
for compression, some in (("zstd", items[:60]), ("lz4", items[60:100]), ("deflate", items[100:])):
    written = models.LogGroup(log_items=some, log_tags=tags, topic="netflow", source="192.0.2.9")
    client.put_logs_with_options(
        project, logstore, models.PutLogsRequest(body=written),
        models.PutLogsHeaders(x_log_compresstype=compression), RuntimeOptions(),
    )

begin, end, query = now - 200, now + 1, "srcaddr: 10.0.0.7"
found = client.get_logs(
    project, logstore, models.GetLogsRequest(from_=begin, to=end, query=query)
).body.data
assert len(found) == 1 and found[0]["note"] == "你好 a=b&c~d", found
assert found[0]["__tag__:exporter"] == "r1" and found[0]["__topic__"] == "netflow", found
for encoding in ("zstd", "lz4"):
    found = client.get_logs_v2with_options(
        project, logstore,
        models.GetLogsV2Request(
            from_=begin, to=end, query="* | SELECT count(*) AS logs, sum(bytes) AS sum",
        ),
        models.GetLogsV2Headers(accept_encoding=encoding), RuntimeOptions(),
    ).body
    assert found.meta.progress == "Complete" and found.meta.has_sql, found
    assert found.data == [{"logs": "120", "sum": "7140"}], found.data
page = client.get_logs_v2(
    project, logstore, models.GetLogsV2Request(from_=begin, to=end, line=100, offset=100)
).body
assert page.meta.count == 20 and page.data[0]["bytes"] == "100", page
counted = client.get_histograms(
    project, logstore, models.GetHistogramsRequest(from_=begin, to=end)
).body
assert sum(one.count for one in counted) == 120, counted
refused(
    "ParameterInvalid", client.get_logs, project, logstore,
    models.GetLogsRequest(from_=begin, to=end, query="* | SELECT no_such_function(1)"),
)

shards = client.list_shards(project, logstore).body
assert [shard.shard_id for shard in shards] == [0], shards
first, last = (
    client.get_cursor(project, logstore, "0", models.GetCursorRequest(from_=place)).body.cursor
    for place in ("begin", "end")
)
when = client.get_cursor_time(project, logstore, "0", models.GetCursorTimeRequest(cursor=first))
assert when.body.cursor_time >= now, when.body
for encoding in ("zstd", "lz4"):
    pulled = client.pull_logs_with_options(
        project, logstore, "0", models.PullLogsRequest(count=100, cursor=first),
        models.PullLogsHeaders(accept_encoding=encoding), RuntimeOptions(),
    )
    groups = pulled.body.log_group_list
    assert sum(len(group.log_items) for group in groups) == 120, groups
    assert groups[0].topic == "netflow" and groups[0].log_tags[0].value == "r1", groups
    contents = {one.key: one.value for one in groups[0].log_items[7].contents}
    assert contents["srcaddr"] == "10.0.0.7", contents
    assert pulled.headers["x-log-cursor"] == last, pulled.headers
refused(
    "InvalidCursor", client.pull_logs, project, logstore, "0",
    models.PullLogsRequest(count=1, cursor="bm9uZQ=="),
)

client.create_consumer_group(
    project, logstore,
    models.CreateConsumerGroupRequest(consumer_group=group, timeout=30, order=True),
)
client.update_consumer_group(
    project, logstore, group, models.UpdateConsumerGroupRequest(timeout=40, order=False)
)
listed = client.list_consumer_group(project, logstore).body
assert [(one.name, one.timeout, one.order) for one in listed] == [(group, 40, False)], listed
held = client.consumer_group_heart_beat(
    project, logstore, group, models.ConsumerGroupHeartBeatRequest(body=[], consumer="one")
).body
assert held == [0], held
client.consumer_group_update_check_point(
    project, logstore, group,
    models.ConsumerGroupUpdateCheckPointRequest(
        shard=0, checkpoint=last, consumer="one", force_success=True
    ),
)
points = client.get_check_point(project, logstore, group, models.GetCheckPointRequest()).body
assert [(point.shard, point.checkpoint) for point in points] == [(0, last)], points
client.delete_consumer_group(project, logstore, group)

client.create_log_store(
    project, models.CreateLogStoreRequest(logstore_name="gone", ttl=7, shard_count=1)
)
client.delete_log_store(project, "gone")
client.delete_index(project, logstore)
refused("IndexConfigNotExist", client.get_index, project, logstore)
print("done")
