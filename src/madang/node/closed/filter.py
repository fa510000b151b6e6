"""The seccomp filter of a closed program, as the BPF program that the kernel takes.

What is not in the table does not exist (ENOSYS, so that libraries fall back to what does); a call of the table with an
argument that opens a door is refused (EPERM, and EAFNOSUPPORT for sockets); calls of another architecture kill.
"""

import errno
import os
import struct
from collections.abc import Iterator, Sequence

from madang.node.closed.calls import numbers

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_KILL, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
# Offsets in struct seccomp_data; both machines are little-endian, so the low half of an argument comes first.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _GREATER, _AT_LEAST = 0x15, 0x25, 0x35

_NAMESPACES = 0x7E020000  # CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: there is only an empty loopback to talk to
_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: what types for whoever reads this terminal
_LEASES = (1024, 1026)  # F_SETLEASE, F_NOTIFY: whoever writes a file, or in a folder, would wait or be told of
_PERSONALITIES = (0x0, 0xFFFFFFFF)  # Linux as it is, and the question which one it is
_DEVICES = (0x2000, 0x6000)  # S_IFCHR, S_IFBLK

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, k


def program(machine: str | None = None) -> bytes:
    """The filter for a machine (this one), as an array of struct sock_filter. Errors: KeyError for other machines."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions(machine or os.uname().machine))


def instructions(machine: str) -> list[Instruction]:
    """The filter as instructions."""
    allowed = numbers(machine)
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for name, body in _arguments().items():
        if name in allowed:
            code += [(_EQUAL, 0, len(body), allowed[name]), *body]
    for first, last in _ranges(sorted(allowed.values())):
        code += [(_AT_LEAST, 0, 2, first), (_GREATER, 1, 0, last), (_RETURN, 0, 0, _ALLOW)]
    return [*code, _refuse(errno.ENOSYS)]


def _arguments() -> dict[str, list[Instruction]]:
    """What is looked at besides the number: the rest of the program for a call, which always returns."""
    return {
        "clone": [_load(0), (_AND, 0, 0, _NAMESPACES), *_one_of((0,), errno.EPERM)],
        "socket": [_load(0), *_one_of(_FAMILIES, errno.EAFNOSUPPORT)],
        "fcntl": [_load(1), *_none_of(_LEASES, errno.EPERM)],
        "ioctl": [_load(1), *_none_of(_TERMINAL, errno.EPERM)],
        "personality": [_load(0), *_one_of(_PERSONALITIES, errno.EPERM)],
        "mknod": [_load(1), (_AND, 0, 0, 0xF000), *_none_of(_DEVICES, errno.EPERM)],
        "mknodat": [_load(2), (_AND, 0, 0, 0xF000), *_none_of(_DEVICES, errno.EPERM)],
    }


def _load(argument: int) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _refuse(number: int) -> Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


def _one_of(values: Sequence[int], number: int) -> list[Instruction]:
    jumps = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*jumps, _refuse(number), (_RETURN, 0, 0, _ALLOW)]


def _none_of(values: Sequence[int], number: int) -> list[Instruction]:
    jumps = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*jumps, (_RETURN, 0, 0, _ALLOW), _refuse(number)]


def _ranges(values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Sorted numbers as (first, last) of each run without a gap."""
    first = last = values[0]
    for value in values[1:]:
        if value != last + 1:
            yield first, last
            first = value
        last = value
    yield first, last
