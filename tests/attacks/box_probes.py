"""What a hostile program in a box tries. Run as a program, inside: `box_probes.py FACTS.json`; prints {name: evidence}.

Each probe returns evidence if it got through, and None or an exception if it was stopped. Each runs in a process of its
own, for a few seconds at most. Nothing here is unbounded. Only the standard library: this is run by a Python that has
nothing else, and outside a box as well, to show that the probes do get through where nothing stops them.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import signal
import socket
import struct
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


# Privileges and namespaces


@probe
def becoming_root(facts):
    os.setresuid(0, 0, 0)
    return os.getuid() == 0


@probe
def other_groups(facts):
    os.setgroups([0])
    return os.getgroups()


@probe
def capabilities(facts):
    header = struct.pack("=II", 0x20080522, 0)
    data = ctypes.create_string_buffer(24)
    libc.syscall(ctypes.c_long(90 if ARM else 125), header, data)
    return struct.unpack("=6I", data.raw)[0] or None


@probe
def capabilities_of_a_program_with_a_set_user_bit(facts):
    status = os.waitstatus_to_exitcode(os.system("/usr/bin/su -c true root </dev/null >/dev/null 2>&1"))
    return "became root" if status == 0 else None


@probe
def a_user_namespace(facts):
    return call(272, 97, 0x10000000)


@probe
def a_network_namespace(facts):
    return call(272, 97, 0x40000000)


@probe
def a_namespace_by_clone(facts):
    child = libc.syscall(ctypes.c_long(220 if ARM else 56), ctypes.c_long(0x10000000 | signal.SIGCHLD), 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    return child if child > 0 else None


@probe
def a_namespace_by_clone3(facts):
    return call(435, 435, ctypes.create_string_buffer(struct.pack("=8Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64), 64)


@probe
def another_namespace(facts):
    return call(308, 268, 0, 0)


@probe
def mounting(facts):
    return call(165, 40, b"none", b"/tmp", b"tmpfs", 0, 0)


@probe
def mounting_by_the_new_calls(facts):
    return call(430, 430, b"tmpfs", 0)


@probe
def taking_a_mount_away(facts):
    return call(166, 39, b"/tmp", 2)


@probe
def another_root(facts):
    return call(155, 41, b"/tmp", b"/tmp")


@probe
def a_root_below(facts):
    return call(161, 51, b"/tmp")


@probe
def tracing_the_first_process(facts):
    return call(101, 117, 16, facts["pid"], 0, 0)


@probe
def reading_another_process(facts):
    return call(310, 270, facts["pid"], 0, 0, 0, 0, 0)


@probe
def files_of_another_process(facts):
    return call(438, 438, 0, 0, 0)


@probe
def comparing_processes(facts):
    return call(312, 272, os.getpid(), os.getppid(), 0, 0, 0)


@probe
def performance_events(facts):
    return call(298, 241, 0, 0, 0, 0, 0)


@probe
def programs_in_the_kernel(facts):
    return call(321, 280, 0, 0, 0)


@probe
def faults_of_pages(facts):
    return call(323, 282, 0)


@probe
def rings_of_calls(facts):
    return call(425, 425, 1, ctypes.create_string_buffer(120))


@probe
def keys_of_the_kernel(facts):
    return call(250, 219, 0, -3, 0, 0, 0)


@probe
def adding_a_key(facts):
    return call(248, 217, b"user", b"madang", b"x", 1, -3)


@probe
def modules_of_the_kernel(facts):
    return call(313, 273, -1, b"", 0)


@probe
def another_kernel(facts):
    return call(246, 104, 0, 0, 0, 0)


@probe
def swap(facts):
    return call(167, 224, b"/tmp/x", 0)


@probe
def the_clock(facts):
    return call(227, 112, 0, ctypes.create_string_buffer(16))


@probe
def the_name_of_the_machine(facts):
    return call(170, 161, b"x", 1)


@probe
def messages_of_the_kernel_by_call(facts):
    return call(103, 116, 3, ctypes.create_string_buffer(100), 100)


@probe
def watching_all_files(facts):
    return call(300, 262, 0, 0)


@probe
def quotas(facts):
    return call(179, 60, 0, 0, 0, 0)


@probe
def addresses_that_are_not_random(facts):
    return call(135, 92, 0x0040000)


@probe
def typing_for_the_terminal(facts):
    _master, slave = os.openpty()
    import fcntl

    fcntl.ioctl(slave, 0x5412, b"x")
    return "typed"


@probe
def ports_of_the_machine(facts):
    return None if ARM else call(172, 0, 3)


@probe
def calls_of_another_architecture(facts):
    """getpid by the 32-bit entry, which the table of numbers does not mean."""
    if ARM:
        return None
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    return function()


@probe
def calls_with_short_pointers(facts):
    return None if ARM else call(0x40000000 | 39, 0)


# Signals


@probe
def a_signal_to_a_process_of_the_host(facts):
    os.kill(facts["pid"], signal.SIGCONT)
    return "sent"


@probe
def another_priority_for_a_process_of_the_host(facts):
    os.setpriority(os.PRIO_PROCESS, facts["pid"], 19)
    return "set"


# Limits


@probe
def memory_that_nobody_counts(facts):
    return call(319, 279, b"x", 0)


@probe
def shared_memory_of_system_v(facts):
    return call(29, 194, 0, 4096, 0o1600)


@probe
def queues_of_messages(facts):
    return call(240, 180, b"x", 0o102, 0o600, 0)


@probe
def higher_limits(facts):
    import resource

    for kind in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE):
        _soft, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            return kind
        try:
            resource.setrlimit(kind, (hard + 1, hard + 1))
            return kind
        except (ValueError, OSError):
            continue


@probe
def very_many_processes(facts):
    children = []
    try:
        for _ in range(facts["processes"] + 40):
            child = os.fork()
            if child == 0:
                time.sleep(20)
                os._exit(0)
            children.append(child)
    except OSError:
        return None
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return f"{len(children)} processes"


@probe
def very_many_descriptors(facts):
    held = []
    try:
        for _ in range(5000):
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return None
    return f"{len(held)} descriptors"


def _fill(folder: str, limit: int) -> str | None:
    written = 0
    try:
        with open(Path(folder) / "filling", "wb") as file:
            while written <= limit:
                written += file.write(bytes(1 << 20))
    except OSError:
        return None
    finally:
        Path(folder, "filling").unlink(missing_ok=True)
    return f"{written} bytes"


@probe
def filling_the_temporary_folder(facts):
    return _fill("/tmp", facts["scratch"])  # inside the box


@probe
def filling_shared_memory(facts):
    return _fill("/dev/shm", facts["scratch"])


@probe
def a_file_that_is_larger_than_the_disk(facts):
    return _fill(facts["write"], facts["disk"])


@probe
def a_core_of_a_crash(facts):
    os.chdir(facts["write"])
    child = os.fork()
    if child == 0:
        os.abort()
    os.waitpid(child, 0)
    return [name for name in os.listdir(".") if name.startswith("core")] or None


@probe
def living_on(facts):
    """A process that leaves its session and its parent still is in the box; the test looks for it afterwards."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", f"import time; time.sleep(8) # {facts['mark']}"])
        os._exit(0)
    return None


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
    facts = json.loads(Path(sys.argv[1]).read_text())
    wanted = sys.argv[2:] or list(PROBES)
    print(json.dumps({name: attempt(PROBES[name], facts) for name in wanted}))


if __name__ == "__main__":
    main()
