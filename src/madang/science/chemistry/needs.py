"""The one place that says what to do where a package of the labs is missing."""

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
            "chemistry.missing",
            _("The discovery lab needs the package {package}, which is not installed.").format(package=package),
            _("Install Madang with its extra `rooms` (`script/up` does so unless it is told --lean)."),
        ) from error
