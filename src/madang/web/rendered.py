"""Pages that were rendered for strangers, given again as long as they would come out the same.

A page for somebody who is not signed in follows from its template, its language, its address and its value alone: a
room's helpers look up nothing for it but what the value names by its hash. The value is found and permitted anew at
each request; only making HTML of an equal one is spared, so nothing here can be out of date or meant for somebody else.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

_MOST = 8 << 20  # bytes of all that is kept


class Rendered:
    """The pages that were asked for last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, parts: Iterable[str], render: Callable[[], str]) -> bytes:
        """The page that follows from `parts`, which is what `render` makes of them."""
        digest = hashlib.sha256()
        for part in parts:
            written = part.encode("utf-8", "surrogatepass")
            digest.update(len(written).to_bytes(8, "big") + written)
        key = digest.digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = render().encode()
        with self._lock:
            if key not in self._kept:
                self._size += len(made)
            self._kept[key] = made
            while self._size > _MOST:
                self._size -= len(self._kept.popitem(last=False)[1])
        return made
