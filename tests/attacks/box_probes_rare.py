"""What a hostile program in a box tries that is rarer: other families of sockets, services of the machine, programs
with rights of their own, calls that few have heard of, and what it could leave or lift for itself.
"""

import ctypes
import os
import signal
import socket
import subprocess
from pathlib import Path

from box_probes import call, libc, probe

# Services of the machine

SERVICES = (
    *("/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"),
    *("/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/journal/socket", "/run/udev/control"),
    *("/dev/log", "/tmp/.X11-unix/X0", "/run/munge/munge.socket.2", "/run/postgresql/.s.PGSQL.5432"),
)


@probe
def sockets_of_services(facts):
    return [path for path in SERVICES if os.path.exists(path)] or None


@probe
def what_a_cloud_tells_its_machines(facts):
    with socket.socket() as end:
        end.settimeout(1)
        end.connect(("169.254.169.254", 80))
        return "connected"


@probe
def other_families_of_sockets(facts):
    """Bluetooth, CAN, TIPC, RDS, XDP, SMC, QRTR, KCM, phonet, ATM, X.25, keys of IPsec."""
    made = []
    for family in (31, 29, 30, 21, 44, 43, 42, 41, 35, 8, 9, 15):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                made.append((family, kind, socket.socket(family, kind).fileno()))
            except OSError:
                continue
    return made or None


@probe
def several_ways_at_once(facts):
    """MPTCP, and data that are sent with the first packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as end:
        end.settimeout(1)
        return end.sendto(b"x", 0x20000000, ("127.0.0.1", facts["port"]))


@probe
def tunnels_and_file_systems_of_users(facts):
    for path in ("/dev/net/tun", "/dev/fuse", "/dev/kvm", "/dev/vhost-net", "/dev/uinput", "/dev/loop-control"):
        try:
            return path, os.open(path, os.O_RDWR)
        except OSError:
            continue
    return None


# Rights of others


@probe
def programs_with_rights_of_their_own(facts):
    wanted = (
        ["sudo", "-n", "true"],
        ["pkexec", "--disable-internal-agent", "true"],
        ["fusermount3", facts["write"]],
        ["newuidmap", str(os.getpid()), "0", "0", "1"],
        ["mount", "-t", "tmpfs", "none", facts["write"]],
        ["bwrap", "--ro-bind", "/", "/", "true"],
        ["unshare", "-r", "true"],
        ["chroot", "/usr", "true"],
        ["nsenter", "-t", "1", "-m", "true"],
    )
    for command in wanted:
        try:
            done = subprocess.run(command, capture_output=True, timeout=2, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return command
    return None


@probe
def a_descriptor_of_another_process(facts):
    other = libc.syscall(ctypes.c_long(434), ctypes.c_long(1), 0)
    return call(438, 438, other if other >= 0 else 3, 0, 0)


@probe
def advice_about_the_memory_of_others(facts):
    return [each for each in (call(440, 440, 3, 0, 0, 20, 0), call(448, 448, 3, 0)) if each] or None


@probe
def moving_the_memory_of_others(facts):
    return [each for each in (call(256, 238, 1, 0, 0, 0), call(279, 239, 1, 0, 0, 0, 0, 0)) if each] or None


@probe
def the_first_place_in_every_queue(facts):
    """Real time and deadlines: whoever has them need not share the machine."""
    found = []
    for policy in (os.SCHED_FIFO, os.SCHED_RR):
        try:
            os.sched_setscheduler(0, policy, os.sched_param(1))
            found.append(policy)
        except OSError:
            continue
    deadline = ctypes.create_string_buffer(
        (48).to_bytes(4, "little") + (6).to_bytes(4, "little") + bytes(16)
        + b"".join(each.to_bytes(8, "little") for each in (10_000_000, 20_000_000, 20_000_000)), 48
    )  # fmt: skip
    if libc.syscall(ctypes.c_long(314 if os.uname().machine == "x86_64" else 274), 0, deadline, 0) == 0:
        found.append("deadline")
    return found or None


@probe
def a_better_nice(facts):
    before = os.nice(0)
    return os.nice(-5) < before


@probe
def the_first_place_at_the_disk(facts):
    return call(251, 30, 1, 0, (1 << 13) | 0)


@probe
def being_spared_when_memory_is_short(facts):
    """The kernel ends first who was marked for it; a program that lifts its mark has others ended."""
    mark = Path("/proc/self/oom_score_adj")
    mark.write_text("0")
    return mark.read_text()


@probe
def settings_of_the_kernel(facts):
    """Where cores go, what answers the keyboard, what loads modules; on a machine of our own none is changed: each is
    written as it was."""
    for name in ("kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "vm/drop_caches", "fs/pipe-max-size"):
        path = Path("/proc/sys", name)
        try:
            before = path.read_text()
            path.write_text(before)
            return name
        except OSError:
            continue
    return None


# Calls that few have heard of


@probe
def calls_of_old_kernels(facts):
    """Local tables of segments, libraries in the kernel, accounts of processes, hanging up, memory in another order."""
    found = {number: call(number, arm) for number, arm in ((154, -1), (134, -1), (163, 89), (153, 58), (216, 234))}
    return {number: said for number, said in found.items() if said} or None


@probe
def pages_from_pipe_to_file(facts):
    return [each for each in (call(275, 76, -1, 0, -1, 0, 1, 0), call(278, 75, -1, 0, 0, 0)) if each] or None


@probe
def memory_that_not_even_the_kernel_reads(facts):
    return call(447, 447, 0)


@probe
def which_pages_of_a_file_others_read(facts):
    """The cache of a file that several projects may read tells which parts of it the others do."""
    return call(451, 451, os.open(facts["data"], os.O_RDONLY), 0, 0, 0)


@probe
def lists_of_mounts(facts):
    found = {number: call(number, number, 0, 0, 0, 0) for number in (428, 442, 457, 458)}
    return {number: said for number, said in found.items() if said} or None


# What it leaves


@probe
def marks_on_what_can_only_be_read(facts):
    """Times, rights, owners and attributes of a file that several projects read would be a letter box."""
    for change in (
        lambda path: os.setxattr(path, "user.told", b"x"),
        lambda path: os.utime(path, (1, 1)),
        lambda path: os.chmod(path, 0o600),
        lambda path: os.rename(path, path + "2"),
        lambda path: os.truncate(path, 0),
    ):
        try:
            change(facts["data"])
            return "changed"
        except OSError:
            continue
    return None


@probe
def a_lease_on_what_others_write(facts):
    import fcntl

    end = os.open(facts["data"], os.O_RDONLY)
    return fcntl.fcntl(end, fcntl.F_SETLEASE, fcntl.F_RDLCK) == 0


@probe
def a_program_of_another_user(facts):
    """Set to run as somebody else, and owned by root or by a group of the machine."""
    path = Path(facts["write"], "program")
    path.write_text("#!/bin/sh\n")
    os.chown(path, 0, 0)
    path.chmod(0o6755)
    status = path.stat()
    return (status.st_uid, status.st_gid, oct(status.st_mode)) if status.st_uid == 0 and os.getuid() != 0 else None


@probe
def a_signal_when_it_is_gone(facts):
    """A timer, a lock or a signal of terminals that would reach who started it."""
    return os.kill(os.getppid(), signal.SIGCONT) if os.getppid() == facts["pid"] else None
