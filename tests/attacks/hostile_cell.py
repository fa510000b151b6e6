"""A cell that speaks for itself: it writes raw lines on the pipe through which its kernel talks.

With WHAT = "lines" it says what is not in the list, with WHAT = "endless" twelve megabytes without an end of line.
"""

import json
import os
import stat

WHAT = "lines"


def is_pipe(number):
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    except OSError:
        return False


PIPES = [number for number in range(3, 64) if is_pipe(number)]


def tell(line):
    data = (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
    for number in PIPES:
        try:
            os.write(number, data)
        except OSError:
            continue


def lines():
    for kinds in (
        {"text/html": "<script>alert(1)</script>"},
        {"image/svg+xml": "<svg onload=alert(1)>"},
        {"application/javascript": "x"},
        {"application/vnd.jupyter.widget-view+json": {}},
        {"text/markdown": "![](http://evil.example)"},
        {"application/pdf": "JVBERi0="},
        {"image/gif": "R0lGOD"},
        {"image/png": "PHN2Zz4="},
        {"image/png": "data:text/html,x"},
        {"text/latex": "x"},
        {"application/json": {}},
        "x",
        None,
        [],
    ):
        tell({"say": "show", "id": "x", "kinds": kinds, "metadata": {"hidden": "payload"}})
    for say in (
        "download",
        "comm_open",
        "input_request",
        "eval",
        "payload",
        None,
        1,
        ["show"],
        "waits",
        "over",
        "saved",
    ):
        tell({"say": say, "notebook": "other", "cell": "other", "url": "http://evil.example"})
    for line in (b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"1", b'"x"', b'{"say": "show"}'):
        tell(line)
    tell({"say": "text", "text": {"a": 1}, "cell": "other"})
    tell({"say": "text", "text": "visible\u202e\u200b\x1b[2J\x07", "notebook": "other", "cell": "other"})
    tell({"say": "error", "name": ["x"], "value": 1, "trace": None})
    tell({"say": "begun", "count": "<b>"})
    table = {"columns": [1, {}], "index": None, "rows": 5}
    tell({"say": "show", "kinds": {"application/vnd.madang.table+json": table}})


def endless():
    for number in PIPES:
        try:
            for _ in range(200):
                os.write(number, b"x" * (1 << 16))
        except OSError:
            continue


{"lines": lines, "endless": endless}[WHAT]()
