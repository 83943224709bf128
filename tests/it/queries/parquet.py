"""Answers questions over Parquet files as argv's document says, in JSON."""

import json
import sys

import duckdb

asked = json.load(open(sys.argv[1]))
connection = duckdb.connect()
# Times as SLS has them: whole seconds, of a start rounded down, of an end up.
connection.execute(
    """CREATE TABLE log AS SELECT * REPLACE (
        epoch_ms("start") // 1000 AS "start", (epoch_ms("end") + 999) // 1000 AS "end"
    ) FROM read_parquet(?, union_by_name = true)""",
    [asked["parts"]],
)


def shown(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


answers = []
for sql in asked["questions"]:
    # SLS's SQL needs no FROM.
    whole = sql if "from log" in sql.lower() else "FROM log " + sql
    rows = connection.execute(whole).fetchall()
    answers.append([[shown(value) for value in row] for row in rows])
print(json.dumps(answers))
