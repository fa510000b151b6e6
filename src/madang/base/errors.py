"""The one error shape of the house."""

from madang.base.translate import _


class MadangError(Exception):
    """Something that the person asked for cannot be done.

    `code` is stable and documented (`area.what`), `message` is one sentence that says what is wrong,
    `hint` is one sentence that says what to do about it, or empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Cancelled(MadangError):
    """Work was stopped on request; nothing was committed."""

    def __init__(self) -> None:
        super().__init__(
            "cancelled",
            _("Stopped on request."),
            _("Nothing was committed; run the same command to start again."),
        )
