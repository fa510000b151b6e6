"""The kernel of a workspace: runs cells by IPython and talks through one pipe each way, a JSON object a line.

It is the only thing that talks out of the box, and whoever listens believes nothing of it: every limit here is there
to be friendly, and is held again by the gateway. What it hears: {"do": "run", "id", "code"}, {"do": "complete", "id",
"code", "at"}, {"do": "stop"}. What it says: {"say": "ready"}, and with "id" of a cell {"say": "begun", "count"},
{"say": "text", "text"}, {"say": "show", "kinds": {type: value}}, {"say": "error", "name", "value", "trace"},
{"say": "done", "seconds"}, {"say": "names", "names", "from"}.
"""

import base64
import contextlib
import importlib
import itertools
import json
import os
import queue
import re
import signal
import sys
import threading
import time
import zipfile
from typing import Any

TABLE = "application/vnd.madang.table+json"
_ROWS, _COLUMNS, _CELL = 60, 40, 200  # of a table that is shown; characters of one cell
_TEXT = 200_000  # characters of text of one cell
PACKAGES = "/workspace/.packages"
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_MARK = b"\x00madang-flushed\x00"
_PATIENCE = 5.0  # seconds between two stops of one cell


class Talk:
    """The pipe out, and what is printed on the way to it."""

    def __init__(self) -> None:
        self.out = os.dup(1)
        self.heard = os.dup(0)
        self.cell = ""
        self._lock = threading.Lock()
        self._printed = 0
        self._flushed = threading.Event()
        reading, writing = os.pipe()
        for descriptor in (1, 2):
            os.dup2(writing, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.close(writing)
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115  # for good
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115  # for good
        threading.Thread(target=self._pass_on, args=(reading,), daemon=True).start()

    def say(self, what: str, **more: Any) -> None:
        """Say something of the cell that runs."""
        line = json.dumps({"say": what, "id": self.cell, **more}, ensure_ascii=True, allow_nan=False, default=str)
        with self._lock:
            view = memoryview(line.encode() + b"\n")
            while view:
                view = view[os.write(self.out, view) :]

    def begin(self, cell: str) -> None:
        """What is said from now on belongs to this cell."""
        self.cell, self._printed = cell, 0

    def flush(self) -> None:
        """Have everything said that was printed so far, also by programs that were started."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        self._flushed.clear()
        os.write(1, _MARK)
        self._flushed.wait(2)

    def _pass_on(self, reading: int) -> None:
        held = b""
        while data := os.read(reading, 1 << 16):
            held += data
            while _MARK in held:
                before, _mark, held = held.partition(_MARK)
                self._text(before)
                self._flushed.set()
            keep = next((n for n in range(len(_MARK) - 1, 0, -1) if held.endswith(_MARK[:n])), 0)
            self._text(held[: len(held) - keep])
            held = held[len(held) - keep :]

    def _text(self, data: bytes) -> None:
        if not data or self._printed > _TEXT:
            return
        text = _COLORS.sub("", data.decode("utf-8", "replace"))
        self._printed += len(text)
        self.say("text", text=text if self._printed <= _TEXT else text[: max(0, _TEXT - self._printed)] + "\n…\n")


def make_shell(talk: Talk) -> Any:
    """An IPython whose output goes through `talk`."""
    from IPython.core.displayhook import DisplayHook  # type: ignore[import-not-found]  # of workspaces
    from IPython.core.displaypub import DisplayPublisher  # type: ignore[import-not-found]  # of workspaces
    from IPython.core.interactiveshell import InteractiveShell  # type: ignore[import-not-found]  # of workspaces
    from traitlets.config import Config  # type: ignore[import-not-found]  # of workspaces

    def show(kinds: dict[str, Any]) -> None:
        talk.flush()
        kept = {kind: kinds[kind] for kind in ("text/plain", "image/png", TABLE) if kind in kinds}
        if isinstance(kept.get("image/png"), bytes):
            kept["image/png"] = base64.b64encode(kept["image/png"]).decode()
        if TABLE in kept:
            kept.pop("text/plain", None)
        elif "text/plain" in kept:
            kept["text/plain"] = _COLORS.sub("", kept["text/plain"])[:_TEXT]
        talk.say("show", kinds=kept)

    class Hook(DisplayHook):
        def write_output_prompt(self) -> None:
            """There is none."""

        def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
            show(format_dict)

        def finish_displayhook(self) -> None:
            """Nothing is left open."""

    class Publisher(DisplayPublisher):
        def publish(self, data: dict[str, Any], metadata: Any = None, **_more: Any) -> None:
            show(data)

        def clear_output(self, wait: bool = False) -> None:
            """What was shown stays."""

    class Shell(InteractiveShell):
        displayhook_class = Hook
        display_pub_class = Publisher

        def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
            talk.flush()
            name, trace = getattr(etype, "__name__", str(etype)), _COLORS.sub("", "\n".join(stb))
            talk.say("error", name=name, value=str(evalue)[:2000], trace=trace[:20_000])

        def ask_exit(self) -> None:
            talk.say("ended")
            os._exit(0)

        def enable_gui(self, gui: Any = None) -> None:
            """There is no screen."""

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    config.InteractiveShell.autocall = 0
    config.Completer.use_jedi = False  # slow at its first use, and what it adds is for names that do not exist yet
    config.DisplayFormatter.active_types = ["text/plain", "image/png"]
    shell = Shell.instance(config=config)
    shell.system = shell.system_raw
    _add_tables(shell)
    return shell


def _add_tables(shell: Any) -> None:
    """Tables are shown as columns and rows of text, which no page has to trust."""
    from IPython.core.formatters import BaseFormatter  # type: ignore[import-not-found]  # of workspaces
    from traitlets import ObjectName, Unicode  # type: ignore[import-not-found]  # of workspaces

    class Tables(BaseFormatter):
        format_type = Unicode(TABLE)
        print_method = ObjectName("_repr_madang_table_")
        _return_type = (dict,)

    tables = Tables(parent=shell.display_formatter)
    shell.display_formatter.formatters[TABLE] = tables
    shell.display_formatter.active_types = ["text/plain", "image/png", TABLE]
    for module in ("pandas", "pandas.core.frame"):
        tables.for_type_by_name(module, "DataFrame", _of_frame)
    tables.for_type_by_name(
        "pyarrow.lib", "Table", lambda table: _of_frame(table.slice(0, _ROWS).to_pandas(), len(table))
    )
    for module in ("duckdb", "_duckdb", "duckdb._relation"):
        tables.for_type_by_name(
            module, "DuckDBPyRelation", lambda found: _of_frame(found.limit(_ROWS).df(), found.shape[0])
        )


def _of_frame(frame: Any, rows: int | None = None) -> dict[str, Any]:
    """A frame as it is shown: its first and last rows, its first columns."""
    count = len(frame) if rows is None else rows
    part = frame.iloc[:, :_COLUMNS]
    cut = len(part) > _ROWS
    if cut:
        part = part.iloc[[*range(_ROWS // 2), *range(len(part) - _ROWS // 2, len(part))]]
    names = [str(name)[:_CELL] for name in part.columns]
    index = [str(name)[:_CELL] for name in part.index]
    cells = [[_cell(value) for value in row] for row in part.itertuples(index=False, name=None)]
    return {
        "columns": names,
        "index": index,
        "rows": cells,
        "gap": _ROWS // 2 if cut else None,
        "count": count,
        "width": frame.shape[1],
        "numeric": [getattr(kind, "kind", "O") in "iuf" for kind in part.dtypes],
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return str(value)[:_CELL]


def add_data(names: dict[str, Any], folder: str) -> None:
    """What a notebook finds: `tables()`, `table("person")` as a pandas frame, `sql("SELECT ...")` over all tables."""
    connection: list[Any] = []

    def tables() -> list[str]:
        """The names of the tables that this workspace may read."""
        found = os.listdir(folder) if os.path.isdir(folder) else []
        return sorted({name.removesuffix(".parquet") for name in found if name != "README.txt"})

    def sql(query: str) -> Any:
        """What DuckDB answers to `query`, in which every table has its name."""
        duckdb = importlib.import_module("duckdb")  # the workspace's own, which is no engine of the node
        if not connection:
            connection.append(duckdb.connect(config={"memory_limit": os.environ.get("MADANG_SQL_MEMORY", "1GB")}))
            connection[0].execute("SET temp_directory = '/tmp/duckdb'")  # inside the box
            for name in tables():
                source = (
                    f"{folder}/{name}.parquet" if os.path.isfile(f"{folder}/{name}.parquet") else f"{folder}/{name}/*"
                )
                quoted = name.replace('"', '""')
                connection[0].execute(f"CREATE VIEW \"{quoted}\" AS FROM read_parquet('{source}')")
        return connection[0].sql(query)

    def table(name: str) -> Any:
        """A whole table as a pandas frame."""
        quoted = name.replace('"', '""')
        return sql(f'FROM "{quoted}"').df()

    def export(name: str, form: str) -> Any:
        """A table as a file for SAS (`xpt`), Stata (`dta`) or SPSS (`sav`) in /workspace, and what the format lost."""
        return importlib.import_module("formats").export(table(name), name, form)

    def install(name: str) -> str:
        """Have a package of the approved wheels in /wheels, or one that was brought in; without what it needs."""
        wanted = re.sub(r"[-_.]+", "_", name).lower()
        for place in ("/wheels", "/brought"):
            found = sorted(os.listdir(place)) if os.path.isdir(place) else []
            for file in found:
                if file.endswith(".whl") and re.sub(r"[-_.]+", "_", file.split("-")[0]).lower() == wanted:
                    with zipfile.ZipFile(f"{place}/{file}") as wheel:
                        wheel.extractall(PACKAGES)
                    importlib.invalidate_caches()
                    return file
        raise ValueError(f"there is no wheel of {name} in /wheels or /brought")

    if PACKAGES not in sys.path:
        sys.path.append(PACKAGES)
    names.update(tables=tables, table=table, sql=sql, export=export, install=install)


def add_r(shell: Any) -> None:
    """Cells that begin with %%R, where R is installed; see `r`."""
    held: list[Any] = []

    def cell_of_r(line: str, cell: str) -> None:
        from IPython.display import Image, display  # type: ignore[import-not-found]  # of workspaces

        if not held:
            held.append(
                importlib.import_module("r").R(lambda text: print(text, end=""), lambda png: display(Image(png)))
            )
        held[0].run(cell, {name: shell.user_ns["table"](name) for name in line.replace(",", " ").split()})

    shell.register_magic_function(cell_of_r, magic_kind="cell", magic_name="R")


class Kernel:
    """Runs what it hears, one cell after the other."""

    def __init__(self) -> None:
        self.talk = Talk()
        self.shell = make_shell(self.talk)
        self.runs = False
        self.stopped = -_PATIENCE
        self.waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        add_data(self.shell.user_ns, "/data")
        add_r(self.shell)

    def listen(self) -> None:
        """In a thread: take what comes; end when nobody is there any more."""
        with open(self.talk.heard, "rb") as heard:
            for line in heard:
                asked = json.loads(line)
                if asked["do"] == "stop":
                    if self.runs:
                        os.kill(os.getpid(), signal.SIGINT)
                else:
                    self.waiting.put(asked)
        os._exit(0)

    def interrupted(self, *_signal: object) -> None:
        """A stop. One that comes while the last is being answered would end the answer, and the cell would seem to run
        for ever; one that comes later is for a cell that goes on in spite of the last."""
        if self.runs and time.monotonic() - self.stopped >= _PATIENCE:
            self.stopped = time.monotonic()
            raise KeyboardInterrupt

    def serve(self) -> None:
        """In the main thread, where signals arrive."""
        signal.signal(signal.SIGINT, self.interrupted)
        threading.Thread(target=self.listen, daemon=True).start()
        self.talk.say("ready", python=".".join(map(str, sys.version_info[:3])))
        while True:
            try:
                asked = self.waiting.get()
                if asked["do"] == "run":
                    self.run(asked)
                elif asked["do"] == "complete":
                    self.complete(asked)
            except KeyboardInterrupt:  # it came when the cell was over
                continue

    def run(self, asked: dict[str, Any]) -> None:
        """One cell."""
        self.talk.begin(str(asked["id"]))
        self.talk.say("begun", count=self.shell.execution_count)
        start = time.monotonic()
        self.runs, self.stopped = True, -_PATIENCE
        try:
            self.shell.run_cell(asked["code"], store_history=True)
        except KeyboardInterrupt:
            self.talk.say("error", name="KeyboardInterrupt", value="", trace="")
        finally:
            self.runs = False
            self.talk.flush()
            self.talk.say("done", seconds=round(time.monotonic() - start, 3))

    def complete(self, asked: dict[str, Any]) -> None:
        """The names that may stand at a place of a cell."""
        self.talk.begin(str(asked["id"]))
        from IPython.core.completer import provisionalcompleter  # type: ignore[import-not-found]  # of workspaces

        names, place = [], asked["at"]
        with contextlib.suppress(Exception), provisionalcompleter():
            found = list(itertools.islice(self.shell.Completer.completions(asked["code"], asked["at"]), 50))
            place = min(each.start for each in found)
            names = [asked["code"][place : each.start] + each.text for each in found]
        self.talk.say("names", names=names, **{"from": place})


if __name__ == "__main__":
    Kernel().serve()
