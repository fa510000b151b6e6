"""More of what a hostile program in a box tries: privileges, the kernel, signals and limits."""

import ctypes
import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path

from box_probes import ARM, call, libc, probe

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
