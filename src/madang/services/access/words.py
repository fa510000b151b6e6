"""What people call things on the pages of applications, and the choices that forms offer."""

from madang.base.translate import _
from madang.services.access import deciding, service, shown
from madang.services.access.content import BASES, PURPOSES


def kind_named(kind: str) -> str:
    """What people call a kind of applicant."""
    return {
        "company": _("company", "applicant"),
        "research": _("research institution", "applicant"),
        "public": _("public body", "applicant"),
        "insurer": _("insurer", "applicant"),
    }.get(kind, kind)


def kinds() -> list[tuple[str, str]]:
    """Kinds of applicants, for a choice."""
    return [(name, kind_named(name)) for name in service.KINDS]


def purposes() -> list[tuple[str, str]]:
    """Kinds of purposes, for a choice."""
    names = {
        "public health": _("public health", "purpose"),
        "treatment": _("better treatment", "purpose"),
        "product safety": _("safety of a product", "purpose"),
        "methods": _("new methods", "purpose"),
        "health services": _("health services", "purpose"),
        "marketing": _("marketing", "purpose"),
        "underwriting": _("underwriting of insurance", "purpose"),
    }
    return [(name, names[name]) for name in PURPOSES]


def bases() -> list[tuple[str, str]]:
    """Legal bases, for a choice."""
    names = {
        "scientific research": _("scientific research", "basis"),
        "statistics": _("statistics", "basis"),
        "archiving": _("archiving in the public interest", "basis"),
        "consent": _("consent", "basis"),
        "contract": _("contract", "basis"),
    }
    return [(name, names[name]) for name in BASES]


def ethics_kinds() -> list[tuple[str, str]]:
    """How things stand with the ethics board, for a choice."""
    return [
        ("none", _("not asked yet", "ethics")),
        ("approved", _("approved", "ethics")),
        ("exempt", _("exempt from review", "ethics")),
        ("later", _("papers come later", "ethics")),
    ]


def places_of_use() -> list[tuple[str, str]]:
    """Where the data are used, for a choice."""
    return [("closed space", _("in a closed space", "place")), ("results only", _("results only", "place"))]


def kinds_of_research() -> list[tuple[str, str]]:
    """What kind of research it is, for a choice; conditions of consent ask for it."""
    return [
        ("", _("not said", "research")),
        ("general", _("general research", "research")),
        ("health", _("research about health", "research")),
        ("disease", _("research on diseases", "research")),
        ("ancestry", _("research on the origins of populations", "research")),
        ("methods", _("development of methods", "research")),
        ("clinical care", _("care of patients", "research")),
    ]


def yes_no() -> list[tuple[str, str]]:
    """Yes, no, or not said; for a choice."""
    return [("", _("not said", "answer")), ("yes", _("yes")), ("no", _("no"))]


def choices() -> list[tuple[str, str]]:
    """Votes, for a choice."""
    return [(name, shown.choice_word(name)) for name in deciding.CHOICES]


def step_word(state: str) -> str:
    """What people call the state of a step."""
    return {
        "waiting": _("waits for other steps", "step"),
        "open": _("open", "step"),
        "done": _("done", "step"),
        "refused": _("refused", "step"),
        "left-out": _("left out", "step"),
    }[state]
