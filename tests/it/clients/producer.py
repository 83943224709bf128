"""Sends logs of a known sum with aliyun-log-producer, where argv says."""

import faulthandler
import sys
import threading
import time

from aliyun_log_producer import EnqueueFullError, Log, Producer, ProducerConfig

faulthandler.dump_traceback_later(50, exit=True)
project, logstore, compression, logs = *sys.argv[1:4], int(sys.argv[4])
config = ProducerConfig(
    endpoint="http://sls.local", access_key_id="id", access_key_secret="secret",
    compression=compression, batch_count_threshold=700, linger=0.1, max_attempts=1,
)
ends, lock = [], threading.Lock()


def ended(error):
    with lock:
        ends.append(error and (error.http_status, error.error_code, error.message))


now = int(time.time())
with Producer(config) as producer:
    writer = producer.writer(project, logstore)
    for number in range(logs):
        contents = [("bytes", str(number)), ("packets", "3"), ("note", "你好")]
        log = Log(contents, time=now - number % 60, time_ns=number)
        while True:
            try:
                writer.send(log, topic="netflow", source="192.0.2.7", on_delivery=ended)
                break
            except EnqueueFullError:
                time.sleep(0.005)
assert ends == [None] * logs, (len(ends), [end for end in ends if end][:3])
print("done")
