import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node import closed
from support import needs

pytestmark = pytest.mark.also_root  # who makes boxes in another way
LIMITS = closed.Limits(seconds=10, memory=1 << 30, address=1 << 30, output=1 << 16)


@pytest.fixture(autouse=True)
def _bubblewrap() -> None:
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


def say(code: str, files: Mapping[str, Path] | None = None, limits: closed.Limits = LIMITS) -> str:
    box = closed.Box(limits, read=files or {})
    ended = box.run([box.python, "-I", "-c", code])
    return (ended.output or ended.errors).decode()


def test_only_the_given_files_are_there_and_cannot_be_written(tmp_path: Path) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    given.write_text("given")
    other.write_text("other")
    assert say("print(open('/data/x').read(), end='')", {"/data/x": given}) == "given"
    hidden = [other, Path.home() / ".ssh", Path.home() / ".profile", Path("/etc/passwd"), Path("/proc/1/environ")]
    if not Path(sys.prefix).is_relative_to("/home"):  # else the folders on the way to the installation are there, empty
        hidden.append(Path("/home"))
    for path in hidden:
        assert say(f"import os; print(os.path.exists({str(path)!r}), end='')", {"/data/x": given}) == "False"
    for path in ("/data/x", "/data/y", "/y", str(closed.__file__)):
        assert "Error" in say(f"open({path!r}, 'a').write('x')", {"/data/x": given})
    assert given.read_text() == "given"


def test_what_is_kept_out_of_boxes_is_an_empty_folder_that_cannot_be_written() -> None:
    kept_out = [each.parent for each in Path(closed.__file__).parents[2].rglob("kept-out-of-boxes.txt")]
    assert kept_out
    for folder in kept_out:
        assert len(list(folder.iterdir())) > 1
        assert say(f"import os; print(os.listdir({str(folder)!r}), end='')") == "[]"
        assert "Error" in say(f"open({str(folder / 'x')!r}, 'w').write('x')")


def test_paths_with_odd_names_out_of_reach_are_shown_as_they_are(tmp_path: Path) -> None:
    """On a node that runs as root they are mounted twice, once by a table of mounts."""
    folder = tmp_path / "a b\\040#\n가"
    folder.mkdir(mode=0o700)
    (folder / "one").write_text("1")
    (folder / "one").chmod(0o644)
    shown = {"/d": folder, "/f 1": folder / "one"} if os.geteuid() == 0 else {"/f 1": folder / "one"}
    folder.chmod(0o755)
    tmp_path.chmod(0o700)
    assert say("print(open('/f 1').read(), end='')", shown) == "1"
    if os.geteuid() == 0:
        assert say("import os; print(os.listdir('/d'))", shown).strip() == "['one']"


def test_there_is_no_network_no_environment_and_no_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "shown")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        socket.create_connection(address, 2).close()  # from outside the box it is there
        assert "ConnectionRefusedError" in say(f"import socket; socket.create_connection({address!r}, 2)")
    assert "SECRET" not in say("import os; print(dict(os.environ))")
    assert say("import os; print(os.getuid(), os.getpid() < 10, end='')") == "65534 True"
    assert "Error" in say("import os; os.chroot('/tmp')")


def test_memory_scratch_time_and_output_are_bounded() -> None:
    assert "MemoryError" in say("bytearray(2 << 30)")
    assert "Error" in say("f = open('/tmp/x', 'wb'); [f.write(bytes(1 << 20)) for _ in range(20)]")
    with pytest.raises(MadangError) as late:
        say("while True: pass", limits=closed.Limits(0.5, 1 << 30, 10))
    assert late.value.code == "closed.time"
    with pytest.raises(MadangError) as much:
        say("while True: print('x' * 1000)")
    assert much.value.code == "closed.output"


def marked(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def gone(mark: str) -> bool:
    end = time.monotonic() + 5
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.05)
    return not marked(mark)


FORKS = "import os, time; [os.fork() for _ in range(3)]; time.sleep(60)  # "


def test_children_die_on_time() -> None:
    mark = f"late-{os.getpid()}"
    with pytest.raises(MadangError):
        say(FORKS + mark, limits=closed.Limits(1, 1 << 30, 10))
    assert gone(mark)


def test_children_die_with_who_asked() -> None:
    mark = f"orphan-{os.getpid()}"
    code = f"""
import sys
from madang.node import closed
box = closed.Box(closed.Limits(60, 1 << 30, 10))
box.run([box.python, "-c", {FORKS + "mark-"!r} + sys.argv[1]])
"""
    asker = subprocess.Popen([sys.executable, "-c", code, mark])
    end = time.monotonic() + 20
    while len(marked("mark-" + mark)) < 8 and time.monotonic() < end:
        time.sleep(0.05)
    assert len(marked("mark-" + mark)) >= 8
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    assert gone("mark-" + mark)
