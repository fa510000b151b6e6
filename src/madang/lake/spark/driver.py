"""The process that speaks Spark: in an environment of its own, knows nothing of Madang, takes JSON lines.

    {"op": "open", "tables": {"person": ["/path/a.parquet", ...]}, "schemas": {"person": "person_id BIGINT, ..."}}
                                                                      views over exactly these files
    {"op": "rows", "sql": "..."}                                      all rows, as lists
    {"op": "look", "sql": "..."}      its columns, before anything runs; an error where a cast reads or writes text of
                                      numbers or times, as engines do that each in its way; written texts that become
                                      something else, each with what
    {"op": "make", "name": "...", "sql": "...", "keep": true, "more": false}
                           a view of a SELECT, whose rows are kept if so said; `more`: beside those that the view has
    {"op": "drop", "names": ["..."]}                                  these are no more, nor what was kept of them
    {"op": "stop"}

Each answer is one JSON line: {"ok": ...} or {"error": "...", "state": "22018", "condition": "CAST_INVALID_INPUT"}: the
SQLSTATE and Spark's own name of what went wrong, empty where it has none. What Spark prints goes to standard error.
"""

import datetime
import decimal
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

JAVA_OPTIONS = "-Duser.timezone=UTC -Dfile.encoding=UTF-8 -Duser.language=en -Duser.country=US"


def session(master: str, memory: str, threads: int) -> Any:
    """A session whose answers are those of the first engine: UTC, ANSI arithmetic, no times of another zone."""
    from pyspark.sql import SparkSession  # type: ignore[import-not-found]  # of its own environment

    builder = SparkSession.builder.appName("madang").master(master)
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": memory,
        "spark.executor.memory": memory,
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.variable.substitute": "false",  # "${env:HOME}" in a text is that text
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # an overflow is an error, not other digits
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
        "spark.sql.caseSensitive": "false",
        "spark.sql.shuffle.partitions": str(max(2, 2 * threads)),
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
        "spark.sql.files.ignoreMissingFiles": "false",
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.executor.extraJavaOptions": JAVA_OPTIONS,
    }
    if master.startswith("local"):  # all in one process, which nobody else is to reach
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    for name, value in settings.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has not is {"type": text}."""
    if isinstance(value, datetime.datetime):
        return {"timestamp": value.isoformat(sep=" ")}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if isinstance(value, decimal.Decimal):
        return {"decimal": str(value)}
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"double": repr(value)}
    if isinstance(value, (bytes, bytearray)):
        return {"blob": bytes(value).hex()}
    return value


def stopped(spark: Any) -> bool:
    """Whether nothing can be asked any more, as after a lack of memory."""
    try:
        return bool(spark.sparkContext._jsc.sc().isStopped())
    except Exception:  # Java itself is gone
        return True


def wrong(error: Exception) -> dict[str, str]:
    """What Spark says went wrong: one sentence, SQLSTATE and condition.

    What went wrong on the way, and not with the question, comes as an error of Java with all that it passed through.
    """
    text = str(error)
    if isinstance(error, (ValueError, OverflowError)):  # Python cannot hold it
        return {"error": "a day outside of the years 1 to 9999", "state": "22008", "condition": ""}
    if type(error).__name__ == "Py4JJavaError":  # "An error occurred while calling o1.collect.\n: a.b.Error: ..."
        text = text.partition("\n: ")[2] or text
        text = re.sub(r"^(?:[\w$]+\.)+[\w$]+: ", "", text)
    named = re.match(r"\[([A-Z0-9_.]+)\] ", text)
    state = re.search(r"SQLSTATE: (\w{5})", text)
    return {
        "error": re.split(r"\s*SQLSTATE: |\n\tat |\nDriver stacktrace", text)[0][:4000],
        "state": state[1] if state else "",
        "condition": "OUT_OF_MEMORY" if "OutOfMemoryError" in text else named[1] if named else "",
    }


def casts(plan: Any) -> Iterator[Any]:
    """All casts of a plan, written or not, also of plans within it."""
    plans = [plan]
    while plans:
        plan = plans.pop()
        children, found = plan.children(), plan.expressions()
        plans += [children.apply(n) for n in range(children.size())]
        parts = [found.apply(n) for n in range(found.size())]
        while parts:
            part = parts.pop()
            below = part.children()
            parts += [below.apply(n) for n in range(below.size())]
            name = part.getClass().getSimpleName()
            if name == "Cast":
                yield part
            if name in ("ScalarSubquery", "LateralSubquery", "Exists", "ListQuery"):
                plans.append(part.plan())


def cast_of_text(frame: Any) -> str:
    """The first cast that will run from a text, or that is written from a floating number to one; empty if none.

    Of constants nothing is left in the plan that runs: a floating one is seen in the plan as it was written, a text by
    `written_texts`.
    """
    asked = frame._jdf.queryExecution()
    for plan, of_text in ((asked.optimizedPlan(), True), (asked.analyzed(), False)):
        if '.Cast"' not in plan.toJSON():  # one word with Java, where to go through it takes thousands
            continue
        for part in casts(plan):
            source, target = part.child().dataType().simpleString(), part.dataType().simpleString()
            if (of_text and source == "string" != target) or (target == "string" and source in ("double", "float")):
                return f"{part.sql()} ({source} to {target})"
    return ""


def written_texts(frame: Any) -> list[list[str]]:
    """The constants that are texts and become something else: each text, and what."""
    found = []
    told = [json.loads(frame._jdf.queryExecution().analyzed().toJSON())]
    while told:
        part = told.pop()
        told += [each for each in (part.values() if isinstance(part, dict) else part) if isinstance(each, dict | list)]
        for one, next_ in itertools.pairwise(part if isinstance(part, list) else ()):  # what is cast comes after it
            if _is(one, "Cast") and _is(next_, "Literal") and next_["dataType"] == "string":
                found.append([str(next_["value"]), str(one["dataType"])])
    return found


def _is(part: Any, name: str) -> bool:
    return isinstance(part, dict) and str(part.get("class", "")).endswith(f".{name}")


def cut(spark: Any, frame: Any) -> Any:
    """The same rows without the plan that they come from: plans within plans grow beyond all memory.

    How to work them out stays known (unlike after `localCheckpoint`), so that rows lost with an executor come again.
    """
    from pyspark.sql import DataFrame

    rows, schema = frame._jdf.queryExecution().toRdd(), frame._jdf.schema()
    return DataFrame(spark._jsparkSession.internalCreateDataFrame(rows, schema, False), spark)


def main() -> None:
    """Answer until told to stop or until nobody asks any more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints to standard output must not stand between answers
    master, memory, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])

    def say(**told: Any) -> None:
        out.write(json.dumps(told) + "\n")
        out.flush()

    try:
        spark = session(master, memory, threads)
    except Exception as error:  # whatever Java says
        say(**wrong(error))
        return
    say(ok="ready", version=spark.version)
    kept: dict[str, list[Any]] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if asked["op"] == "stop":
                break
            if asked["op"] == "open":
                for name, paths in asked["tables"].items():
                    reader, schema = spark.read, asked.get("schemas", {}).get(name)
                    reader = reader.schema(schema) if schema else reader  # else a job for each table finds it out
                    reader.parquet(*paths).createOrReplaceTempView(name)
                say(ok=len(asked["tables"]))
            elif asked["op"] == "rows":
                frame = spark.sql(asked["sql"])
                limit = asked.get("limit")
                taken = (frame.limit(limit) if limit is not None else frame).collect()
                kinds = [field.dataType.simpleString() for field in frame.schema.fields]
                say(ok=[[plain(value) for value in row] for row in taken], columns=frame.columns, types=kinds)
            elif asked["op"] == "look":
                frame = spark.sql(asked["sql"])
                odd = cast_of_text(frame)
                if odd:
                    say(error=odd, state="", condition="CAST_OF_TEXT")
                    continue
                kinds = [field.dataType.simpleString() for field in frame.schema.fields]
                say(ok=kinds, texts=written_texts(frame))
            elif asked["op"] == "make":
                frame = spark.sql(asked["sql"])
                if asked.get("keep"):
                    frame = cut(spark, frame).persist()
                    kept.setdefault(asked["name"], []).append(frame)
                if asked.get("more"):
                    frame = spark.table(asked["name"]).unionAll(frame)
                frame.createOrReplaceTempView(asked["name"])
                say(ok=asked["name"])
            elif asked["op"] == "drop":
                for name in asked["names"]:
                    spark.catalog.dropTempView(name)
                    for frame in kept.pop(name, []):
                        frame.unpersist()
                say(ok=len(asked["names"]))
            else:
                say(error="unknown op", state="", condition="")
        except Exception as error:  # whatever Spark says
            say(**wrong(error), stopped=stopped(spark))
    spark.stop()


if __name__ == "__main__":
    main()
