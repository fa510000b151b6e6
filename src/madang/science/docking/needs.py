"""The one place that says what to do where a package of docking is missing."""

import contextlib
from collections.abc import Iterator

from madang.base.errors import MadangError
from madang.base.translate import _


@contextlib.contextmanager
def needed(package: str) -> Iterator[None]:
    """Turn a failed import of `package` within the block into one sentence."""
    try:
        yield
    except ImportError as error:
        raise MadangError(
            "docking.missing",
            _("Docking needs the package {package}, which is not installed.").format(package=package),
            _("Install Madang with its extra `rooms`; for vina, Debian's package autodock-vina will do as well."),
        ) from error
