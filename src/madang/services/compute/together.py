"""Transactions of several threads as one: each waits for the disk, so those that come meanwhile wait together.

Whoever comes first leads: while it commits, the next ones gather. If anything in a group fails, nothing of it has
happened, and each does its own alone, so that an error is told to whom it belongs.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from madang.node.node import Node

T = TypeVar("T")


@dataclass
class _Group:
    work: list[Callable[[Session], Any]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    failed: bool = False


class Together:
    """Gathers what is to be written by the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leading = threading.Lock()  # held while a group is committed
        self._next: _Group | None = None

    def write(self, node: Node, work: Callable[[Session], T]) -> T:
        """Do `work` in a transaction and return what it returns, once that is committed."""
        with self._lock:
            leads = self._next is None
            group = self._next = self._next or _Group()
            place = len(group.work)
            group.work.append(work)
        if leads:
            self._lead(node, group)
        else:
            group.done.wait()
        if group.failed:
            with node.write() as session:
                return work(session)
        answer: T = group.answers[place]
        return answer

    def _lead(self, node: Node, group: _Group) -> None:
        try:
            with self._leading:
                with self._lock:  # from here on others begin a new group
                    self._next = None
                with node.write() as session:
                    group.answers = [each(session) for each in group.work]
        except Exception:
            group.failed = True
        except BaseException:
            group.failed = True
            raise
        finally:
            group.done.set()
