"""Packages that only this room needs; a missing one is one sentence."""

from importlib import import_module
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _


def needs(name: str, extra: str = "") -> Any:
    """The imported module `name`; raises `bioprocess.package` with what to do where it is not installed. `extra` is the
    package to install by hand where none of Madang's environments has it."""
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise MadangError(
            "bioprocess.package",
            _("This needs the package {package}, which is not installed.").format(package=package),
            _("Install it beside Madang: {package}.").format(package=extra)
            if extra
            else _("Run script/up without --lean, or install the extra `rooms`."),
        ) from None
