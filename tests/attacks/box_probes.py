"""What a hostile program in a box tries. Run as a program, inside: `box_probes.py FACTS.json`; prints {name: evidence}.

Each probe returns evidence if it got through, and None or an exception if it was stopped. Each runs in a process of its
own, for a few seconds at most. Nothing here is unbounded. Only the standard library: this is run by a Python that has
nothing else, and outside a box as well, to show that the probes do get through where nothing stops them.
"""

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROBES: dict[str, Callable[[dict[str, Any]], object]] = {}
ARM = platform.machine() == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)


def probe(function: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    PROBES[function.__name__] = function
    return function


def call(x86: int, arm: int, *arguments: Any) -> str | None:
    """A system call by number; evidence if it got anywhere: any end but 'no such call' and 'not permitted'."""
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(arm if ARM else x86), *arguments)
    number = ctypes.get_errno()
    if result == -1 and number in (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT):
        return None
    return f"result {result}, {errno.errorcode.get(number, number)}"


def connects(family: int, kind: int, address: Any) -> str | None:
    with socket.socket(family, kind) as end:
        end.settimeout(2)
        end.connect(address)
        if kind == socket.SOCK_DGRAM:
            end.send(b"x")
            return None if end.getsockname()[0].startswith("127.") else f"a route from {end.getsockname()}"
        return f"connected to {address}"


# Network


@probe
def tcp_to_the_host(facts):
    return connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", facts["port"]))


@probe
def tcp_to_the_address_of_the_host(facts):
    return connects(socket.AF_INET, socket.SOCK_STREAM, (facts["address"], facts["port"]))


@probe
def tcp_by_version_6(facts):
    return connects(socket.AF_INET6, socket.SOCK_STREAM, ("::1", facts["port6"], 0, 0))


@probe
def datagrams_to_elsewhere(facts):
    return connects(socket.AF_INET, socket.SOCK_DGRAM, (facts["address"], 53))


@probe
def datagrams_that_are_sent_to_the_host(facts):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.settimeout(1)
        end.sendto(b"ping", ("127.0.0.1", facts["udp"]))
        return end.recv(10)


@probe
def names_of_machines(facts):
    found = socket.getaddrinfo(facts["name"], 80)
    return [entry for entry in found if not entry[4][0].startswith(("127.", "::1"))] or None


@probe
def interfaces_besides_loopback(facts):
    return [name for _number, name in socket.if_nameindex() if name != "lo"] or None


@probe
def raw_sockets(facts):
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@probe
def packet_sockets(facts):
    return socket.socket(17, socket.SOCK_RAW, 0)


@probe
def netlink_sockets(facts):
    return socket.socket(16, socket.SOCK_RAW, 0)


@probe
def sockets_to_the_hypervisor(facts):
    return socket.socket(40, socket.SOCK_STREAM)


@probe
def kernel_cryptography_sockets(facts):
    return socket.socket(38, socket.SOCK_SEQPACKET)


@probe
def abstract_sockets_of_the_host(facts):
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + facts["abstract"])


@probe
def named_sockets_of_the_host(facts):
    return connects(socket.AF_UNIX, socket.SOCK_STREAM, facts["socket"])


# Files


@probe
def a_secret_of_the_host(facts):
    return Path(facts["secret"]).read_text()


@probe
def a_file_of_another_project(facts):
    return Path(facts["other"]).read_text()


@probe
def a_secret_through_a_link_of_its_own(facts):
    link = Path(facts["write"]) / "link"
    link.symlink_to(facts["secret"])
    return link.read_text()


@probe
def a_secret_through_a_link_that_changes(facts):
    folder, end = Path(facts["write"]), time.monotonic() + 0.5
    flip = folder / "flip"
    while time.monotonic() < end:
        for target in (facts["secret"], facts["data"]):
            flip.unlink(missing_ok=True)
            flip.symlink_to(target)
            try:
                if flip.read_text() == facts["said"]:
                    return "read it"
            except OSError:
                continue


@probe
def accounts_of_the_host(facts):
    return [line for line in Path("/etc/passwd").read_text().splitlines() if facts["account"] in line] or None


@probe
def passwords_of_the_host(facts):
    return Path("/etc/shadow").read_text()


@probe
def folders_of_the_host(facts):
    return [name for name in os.listdir("/") if name in ("home", "var", "boot", "srv", "mnt", "run")] or None


@probe
def the_environment_of_the_node(facts):
    return os.environ.get("MADANG_PROBE_SECRET")


@probe
def the_environment_of_processes(facts):
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"MADANG_PROBE_SECRET" in (folder / "environ").read_bytes():
                return folder
        except OSError:
            continue


@probe
def the_root_of_the_first_process(facts):
    return os.listdir(f"/proc/{facts['pid']}/root")


@probe
def where_things_are_mounted_from(facts):
    return facts["root"] if facts["root"] in Path("/proc/self/mountinfo").read_text() else None


@probe
def the_command_lines_of_others(facts):
    return Path(f"/proc/{facts['pid']}/cmdline").read_bytes() or None


@probe
def the_devices_of_the_machine(facts):
    return os.listdir("/sys/class")


@probe
def messages_of_the_kernel(facts):
    return os.open("/dev/kmsg", os.O_RDONLY)


@probe
def memory_of_the_machine(facts):
    return os.open("/dev/mem", os.O_RDONLY)


@probe
def disks_of_the_machine(facts):
    return [
        name for name in os.listdir("/dev") if name.startswith(("sd", "vd", "nvme", "loop", "mapper", "kvm"))
    ] or None


@probe
def writing_what_can_only_be_read(facts):
    return Path(facts["data"]).write_text("changed")


@probe
def making_writable_what_can_only_be_read(facts):
    os.chmod(facts["data"], 0o666)
    return "changed its mode"


@probe
def a_hard_link_to_what_can_only_be_read(facts):
    os.link(facts["data"], Path(facts["write"]) / "hard")
    return "linked"


@probe
def taking_away_what_can_only_be_read(facts):
    os.unlink(facts["data"])
    return "removed"


@probe
def writing_into_python(facts):
    return Path(os.__file__).with_name("madang_probe.py").write_text("")


@probe
def writing_into_the_system(facts):
    return Path("/usr/lib/madang_probe").write_text("")


@probe
def writing_at_the_root(facts):
    return Path("/madang_probe").write_text("")


@probe
def writing_among_the_devices(facts):
    return Path("/dev/madang_probe").write_text("")


@probe
def a_device_of_its_own(facts):
    os.mknod(Path(facts["write"]) / "device", 0o600 | 0o020000, os.makedev(1, 3))
    return "made"


@probe
def a_file_by_its_handle(facts):
    return call(304, 265, -100, 0, 0)


@probe
def the_handle_of_a_file(facts):
    return call(303, 264, -100, 0, 0, 0, 0)


def attempt(function: Callable[[dict[str, Any]], object], facts: dict[str, Any]) -> str | None:
    """The evidence of one probe, which runs in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(8)
        try:
            evidence = function(facts)
        except (Exception, SystemExit):
            evidence = None
        if evidence is not None and evidence is not False:
            os.write(writing, (repr(evidence)[:200] or "yes").encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said.decode() if said else None


def main() -> None:
    """The program."""
    import box_probes_kernel  # registers its own with the module that it imports, which is not this one
    import box_probes_rare
    from box_probes import PROBES

    assert box_probes_kernel and box_probes_rare
    facts = json.loads(Path(sys.argv[1]).read_text())
    wanted = sys.argv[2:] or list(PROBES)
    print(json.dumps({name: attempt(PROBES[name], facts) for name in wanted}))


if __name__ == "__main__":
    main()
