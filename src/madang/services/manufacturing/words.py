"""What the program keeps as codes, in the reader's language."""

from madang.base.translate import _
from madang.services.manufacturing import studies


def axis_named(name: str) -> str:
    """An axis of a design space in the reader's language."""
    return {"feed": _("feed, times the recipe's"), "temperature": _("temperature of the last part (°C)")}.get(
        name, name
    )


def kind_named(kind: str) -> str:
    """A kind of study in the reader's language."""
    words = {
        studies.TWIN: _("twin"),
        studies.FOUNDRY: _("foundry"),
        studies.WATCH: _("good runs"),
        studies.RUN: _("recording"),
    }
    return words.get(kind, kind)


def state_named(state: str) -> str:
    """The state of a study in the reader's language."""
    words = {"working": _("in work"), "ending": _("ending"), "done": _("done"), "failed": _("failed")}
    return words.get(state, state)


def finding_named(kind: str) -> str:
    """What an exception of a run is, in the reader's language."""
    words = {
        "gap": _("gap"),
        "silent": _("stopped"),
        "bad": _("bad quality"),
        "nan": _("no number"),
        "clock": _("wrong clock"),
        "away": _("equipment away"),
        "unit": _("unit changed"),
        "stuck": _("repeats its value"),
        "jump": _("jumps"),
        "late": _("late"),
        "appeared": _("new signal"),
        "twice": _("came twice"),
    }
    return words.get(kind, kind)


def note_named(kind: str) -> str:
    """What happened in a round of the foundry, in the reader's language."""
    words = {
        "failed": _("a device did not do its step"),
        "recovered": _("it worked when tried again"),
        "skipped": _("the step was skipped"),
        "turned": _("the plate was turned by half and was turned back"),
        "twice": _("readings came twice and count once"),
        "contradiction": _("readings of a well contradict each other"),
        "controls": _("the controls do not hold, so nothing is taken from this plate"),
        "empty": _("wells were not filled"),
    }
    return words.get(kind, kind)


def fate_named(fate: str) -> str:
    """What became of a well, in the reader's language."""
    words = {"read": _("was read"), "empty": _("not filled"), "unread": _("not read"), "skipped": _("skipped")}
    return words.get(fate, fate)


def designs() -> dict[str, str]:
    """The designs that a campaign may begin with, in the reader's language."""
    return {
        "latin-hypercube": _("spread evenly (Latin hypercube)"),
        "full-factorial": _("all combinations (full factorial)"),
        "plackett-burman": _("screening (Plackett-Burman)"),
        "central-composite": _("response surface (central composite)"),
        "box-behnken": _("response surface (Box-Behnken)"),
        "d-optimal": _("optimal (D-optimal)"),
    }
