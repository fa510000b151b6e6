"""A hostile program in a box: many probes in one box, and each of the bombs in one of its own, all of them bounded."""

import ctypes
import ctypes.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.node import closed
from madang.node.closed import cgroup
from madang.node.closed import filter as seccomp
from madang.node.closed.calls import numbers
from support import needs

pytestmark = pytest.mark.also_root  # who makes boxes in another way
LIMITS = closed.Limits(seconds=60, memory=512 << 20, disk=24 << 20, scratch=8 << 20, processes=40)
PROGRAMS = sorted(Path(__file__).parent.glob("box_probes*.py"))
PROBES = {name for program in PROGRAMS for name in re.findall(r"^@probe\ndef (\w+)", program.read_text(), re.M)}
MOUNTED = "where_things_are_mounted_from"
ORDINARY = 61_234  # who attacks outside a box where the tests run as root


@pytest.fixture(autouse=True, scope="module")
def _bubblewrap() -> None:
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


@pytest.fixture(scope="module")
def facts() -> Iterator[dict[str, Any]]:
    """Things of the host that a probe may be after, and where it finds what it was given."""
    folder = Path(tempfile.mkdtemp(prefix="madang-attacks-"))
    folder.chmod(0o755)
    for name in ("secret", "other", "data"):
        (folder / name).write_text(f"the text of {name}")
    for name in ("write", "programs"):
        (folder / name).mkdir()
    for program in PROGRAMS:
        shutil.copy(program, folder / "programs")
    (folder / "data").chmod(0o666)
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as tcp6,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        mark = f"madang-attack-{os.getpid()}"
        abstract.bind("\0" + mark)
        named.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        udp.bind(("127.0.0.1", 0))
        for end in (abstract, named):
            end.listen()
        threading.Thread(target=_echo, args=(udp,), daemon=True).start()
        victim = subprocess.Popen(["sleep", "300"], **_ordinary())
        try:
            yield {
                **{"port": tcp.getsockname()[1], "port6": tcp6.getsockname()[1], "udp": udp.getsockname()[1]},
                **{"address": _address(), "name": socket.gethostname(), "abstract": mark, "mark": mark},
                **{name: str(folder / name) for name in ("secret", "other", "data", "write", "socket")},
                **{"said": "the text of secret", "pid": victim.pid, "root": str(folder), "account": "root"},
                **{"processes": LIMITS.processes, "scratch": LIMITS.scratch, "disk": LIMITS.disk},
            }
        finally:
            victim.kill()
            victim.wait()
            shutil.rmtree(folder)


def _echo(udp: socket.socket) -> None:
    try:
        while True:
            data, sender = udp.recvfrom(100)
            udp.sendto(data, sender)
    except OSError:
        return


def _address() -> str:
    """An address of this machine besides loopback, or one of a net for documentation."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        try:
            end.connect(("192.0.2.1", 9))  # nothing is sent
            return str(end.getsockname()[0])
        except OSError:
            return "192.0.2.1"


def _ordinary() -> dict[str, Any]:
    """How to start a process as an ordinary user, and never as root."""
    return {"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if os.geteuid() == 0 else {}


def boxed(facts: dict[str, Any], wanted: Iterable[str], *, proc: bool) -> dict[str, str | None]:
    """What the probes report from inside; what they were given is where it was outside, as any good hint would be."""
    given = Path(facts["root"]) / "programs" / "facts.json"
    given.write_text(json.dumps(facts | {"data": "/data/data", "write": "/write"}))
    box = closed.Box(
        LIMITS,
        read={"/data/data": Path(facts["data"]), "/programs": given.parent},
        write={"/write": Path(facts["write"])},
        programs=True,
        proc=proc,
    )
    finished = box.run([box.python, "-s", "-S", "/programs/box_probes.py", "/programs/facts.json", *wanted])
    assert finished.output, finished.errors
    result: dict[str, str | None] = json.loads(finished.output)
    return result


def test_every_probe_is_stopped(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_PROBE_SECRET", "shown")
    # With /proc a program may learn from where its files are mounted; that is said where it is asked for.
    for proc, wanted in ((False, PROBES), (True, PROBES - {MOUNTED})):
        result = boxed(facts, sorted(wanted), proc=proc)
        assert {name: said for name, said in result.items() if said} == {}
        assert set(result) == wanted
        assert len(result) >= 60
    assert Path(facts["data"]).read_text() == "the text of data"
    assert not _marked(facts["mark"])


# What an ordinary process on any machine can do; other probes want rights that it may or may not have there.
GET_THROUGH = {
    *("tcp_to_the_host", "datagrams_that_are_sent_to_the_host", "abstract_sockets_of_the_host"),
    *("named_sockets_of_the_host", "a_secret_of_the_host", "a_file_of_another_project", "folders_of_the_host"),
    *("a_secret_through_a_link_of_its_own", "a_secret_through_a_link_that_changes", "accounts_of_the_host"),
    *("the_environment_of_the_node", "the_command_lines_of_others", "netlink_sockets", "where_things_are_mounted_from"),
    *("a_signal_to_a_process_of_the_host", "memory_that_nobody_counts", "shared_memory_of_system_v"),
    *("a_file_that_is_larger_than_the_disk", "very_many_processes", "filling_the_temporary_folder", "higher_limits"),
    *("being_spared_when_memory_is_short", "another_priority_for_a_process_of_the_host"),
    *("writing_what_can_only_be_read", "the_devices_of_the_machine"),
}


def test_the_probes_get_through_where_nothing_stops_them(facts: dict[str, Any]) -> None:
    """In a plain process of an ordinary user, which is how a stock notebook server runs its kernels."""
    given = Path(facts["root"]) / "programs" / "facts.json"
    write = Path(facts["root"]) / "outside"
    write.mkdir()
    write.chmod(0o777)
    copy = write / "copy"
    copy.write_text("x")
    copy.chmod(0o666)
    given.write_text(json.dumps(facts | {"root": "/", "write": str(write), "data": str(copy)}))
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") if os.geteuid() == 0 else sys.executable
    command = [python or "python3", "-s", "-S", str(given.parent / "box_probes.py"), str(given)]
    wanted = sorted(PROBES - {"living_on", "becoming_root"})
    command += wanted
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=120,
        check=True,
        env={"PATH": "/usr/bin:/bin", "MADANG_PROBE_SECRET": "shown"},
        cwd=write,
        **_ordinary(),
    )
    through = {name for name, said in json.loads(done.stdout).items() if said}
    assert GET_THROUGH - through == set()


@pytest.mark.parametrize("holder", ["group", "supervisor"])
def test_memory_is_bounded_for_all_processes_together(holder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if holder == "supervisor":
        monkeypatch.setattr(cgroup, "delegated", lambda: None)
    elif cgroup.delegated() is None:
        pytest.skip("missing: a delegated control group")
    hog = "x = bytearray(60 << 20); time.sleep(20)"
    code = f"import os, time\nfor _ in range(6):\n if os.fork() == 0:\n  {hog}\ntime.sleep(20)"
    box = closed.Box(closed.Limits(seconds=15, memory=200 << 20, processes=40))
    with pytest.raises(MadangError) as error:
        box.run([box.python, "-I", "-S", "-c", code])
    assert error.value.code == "closed.memory"


def test_disk_is_bounded_for_all_files_together() -> None:
    for code in (
        "import time\nfor i in range(40): open(f'/write/{i}', 'wb').write(bytes(1 << 20))\ntime.sleep(20)",
        "import time\nfor i in range(3000): open(f'/write/{i}', 'wb')\ntime.sleep(20)",
    ):
        folder = Path(tempfile.mkdtemp(prefix="madang-attacks-"))
        try:
            box = closed.Box(
                closed.Limits(seconds=15, memory=200 << 20, disk=16 << 20, files=1000), write={"/write": folder}
            )
            with pytest.raises(MadangError) as error:
                box.run([box.python, "-I", "-S", "-c", code])
            assert error.value.code == "closed.disk"
        finally:
            shutil.rmtree(folder)


HIDDEN = {
    "behind a path that is too long": "for n in range(20):\n os.mkdir('x' * 250); os.chdir('x' * 250)",
    "below very many folders": "for n in range(3000):\n os.mkdir('x'); os.chdir('x')",
    "in a folder that is closed": "os.mkdir('x', 0o300); os.chdir('x')",
}


@pytest.mark.parametrize("where", HIDDEN)
def test_the_disk_is_not_filled_where_nobody_looks(where: str) -> None:
    """What a program hides from who counts ends it, and is taken away afterwards all the same."""
    fill = "for n in range(40):\n open(str(n), 'wb').write(bytes(1 << 20))\ntime.sleep(20)"
    folder = Path(tempfile.mkdtemp(prefix="madang-attacks-"))
    try:
        box = closed.Box(closed.Limits(seconds=15, memory=200 << 20, disk=16 << 20), write={"/write": folder})
        with pytest.raises(MadangError) as error:
            box.run([box.python, "-I", "-S", "-c", f"import os, time\nos.chdir('/write')\n{HIDDEN[where]}\n{fill}"])
        assert error.value.code == "closed.disk"
        with pytest.raises(MadangError) as error:  # and no other begins there
            box.run([box.python, "-I", "-S", "-c", "import time; time.sleep(20)"])
        assert error.value.code == "closed.disk"
    finally:
        closed.remove_inside(folder)
    assert not folder.exists()


def test_output_and_time_are_bounded() -> None:
    box = closed.Box(closed.Limits(seconds=2, memory=200 << 20, output=1 << 20))
    for code, expected in (("while True: print('x' * 9999)", "closed.output"), ("while True: pass", "closed.time")):
        with pytest.raises(MadangError) as error:
            box.run([box.python, "-I", "-S", "-c", code])
        assert error.value.code == expected
    finished = box.run([box.python, "-I", "-S", "-c", "import sys; sys.stderr.write('x' * (8 << 20))"])
    assert len(finished.errors) <= 64 << 10


def test_processor_time_is_bounded() -> None:
    box = closed.Box(closed.Limits(seconds=20, memory=200 << 20, cpu=1))
    assert box.run([box.python, "-I", "-S", "-c", "while True: pass"]).code != 0


def test_a_box_that_lives_on_ends_with_who_holds_it_and_over_a_limit() -> None:
    mark = f"madang-living-{os.getpid()}"
    box = closed.Box(closed.Limits(seconds=None, memory=100 << 20))
    code = f"import sys\nfor line in sys.stdin:\n sys.stdout.write(line * 2); sys.stdout.flush()\n# {mark}"
    running = box.start([box.python, "-I", "-S", "-c", code])
    running.stdin.write(b"said\n")
    assert running.stdout.read(10) == b"said\nsaid\n"
    assert running.is_alive and _marked(mark)
    running.stop()
    assert not running.is_alive and not _marked(mark)
    greedy = box.start([box.python, "-I", "-S", "-c", "import time; x = bytearray(150 << 20); time.sleep(20)"])
    assert greedy.wait(10)
    assert greedy.error is not None and greedy.error.code == "closed.memory"


def test_what_lies_in_a_folder_of_a_box_is_read_without_following_links(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_text("secret")
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "plain").write_text("plain")
    (folder / "link").symlink_to(secret)
    (folder / "far").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with closed.open_inside(folder, "deep/plain") as file:
        assert file.read() == b"plain"
    for name in ("link", "far/secret", "pipe", "deep", "../secret", str(secret), "", ".", "nothing", "a\0b", "x/" * 50):
        with pytest.raises(MadangError) as error:
            closed.open_inside(folder, name)
        assert error.value.code == "closed.file"
    with pytest.raises(MadangError):
        closed.open_inside(folder, "deep/plain", largest=4)
    assert dict(closed.files_inside(folder)) == {"deep/plain": 5}


def test_the_table_of_calls_has_the_numbers_of_libseccomp() -> None:
    name = ctypes.util.find_library("seccomp")
    if name is None:
        needs("/libseccomp")
    library = ctypes.CDLL(name)
    for machine, architecture in seccomp.ARCHITECTURES.items():
        for call, number in numbers(machine).items():
            known = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(architecture), call.encode())
            assert known in (number, -1), call  # -1: a call that is younger than this libseccomp


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
def test_the_filter_decides_as_the_table_says(machine: str) -> None:
    """Every number under an interpreter of BPF that is obviously right."""
    code, allowed = seccomp.instructions(machine), numbers(machine)
    architecture = seccomp.ARCHITECTURES[machine]
    looked_at = {allowed[name]: name for name in ("clone", "socket", "ioctl", "personality", "mknod", "mknodat") if name in allowed}  # fmt: skip  # noqa: E501
    for number in (*range(600), 0x40000000, 0x40000001, 0xFFFFFFFF):
        verdict = decide(code, number, architecture, [0] * 6)
        if number in looked_at:
            assert verdict == (0x0005_0061 if looked_at[number] == "socket" else 0x7FFF0000)
        else:
            assert verdict == (0x7FFF0000 if number in allowed.values() else 0x0005_0026)
        assert decide(code, number, 0x40000003, [0] * 6) == 0x80000000
    for name, arguments, good in (
        ("clone", [0x00010F00], True),  # what makes a thread
        ("clone", [0x10000011], False),
        ("clone", [0x0002_0000 | 1 << 32], False),
        ("socket", [1], True),
        ("socket", [10], True),
        ("socket", [16], False),
        ("socket", [40], False),
        ("ioctl", [0, 0x5401], True),
        ("ioctl", [0, 0x5412], False),
        ("ioctl", [0, 0x541C | 1 << 32], False),
        ("personality", [0xFFFFFFFF], True),
        ("personality", [0x0040000], False),
        ("mknodat", [0, 0, 0o010600], True),
        ("mknodat", [0, 0, 0o020600], False),
        ("mknodat", [0, 0, 0o060600], False),
    ):
        verdict = decide(code, allowed[name], architecture, [*arguments, *[0] * (6 - len(arguments))])
        assert (verdict == 0x7FFF0000) == good, (name, arguments)


def decide(code: list[seccomp.Instruction], number: int, architecture: int, arguments: list[int]) -> int:
    """What the filter answers to one call."""
    words = [number & 0xFFFFFFFF, architecture, 0, 0]
    for argument in arguments:
        words += [argument & 0xFFFFFFFF, argument >> 32]
    place = register = 0
    while True:
        operation, if_true, if_false, k = code[place]
        place += 1
        if operation == 0x20:
            register = words[k // 4]
        elif operation == 0x54:
            register &= k
        elif operation == 0x06:
            return k
        else:
            holds = {0x15: register == k, 0x25: register > k, 0x35: register >= k}[operation]
            place += if_true if holds else if_false


def _marked(mark: str) -> list[str]:
    end = time.monotonic() + 3
    while True:
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                    found.append(folder.name)
            except OSError:
                continue
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)
