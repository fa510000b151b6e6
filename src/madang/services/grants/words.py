"""What statuses, tiers, events and reasons are called in the reader's language."""

from typing import Protocol

from madang.base.translate import _


class Happening(Protocol):
    """What has a kind: an event of a promise."""

    @property
    def kind(self) -> str:
        """Which kind."""
        ...


def status_name(status: str) -> str:
    """A status in the reader's language."""
    return {
        "promised": _("promised", "promise"),
        "due": _("due soon", "promise"),
        "late": _("late", "promise"),
        "deposited": _("deposited", "promise"),
        "validated": _("validated", "promise"),
        "released": _("released", "promise"),
        "excused": _("excused", "promise"),
        "cancelled": _("cancelled", "promise"),
    }[status]


def tier_name(tier: str) -> str:
    """A way to release, or the tier of a record, in the reader's language."""
    return {
        "open": _("open", "release"),
        "registered": _("for who signs in", "release"),
        "controlled": _("on request", "release"),
        "embargoed": _("under embargo", "release"),
        "metadata-only": _("description only", "release"),
    }.get(tier, tier)


def event_named(event: Happening) -> str:
    """An event in a few words."""
    return {
        "promised": _("promised", "event"),
        "prolonged": _("prolonged", "event"),
        "cancelled": _("cancelled", "event"),
        "linked": _("record linked", "event"),
        "unlinked": _("link taken back", "event"),
        "valid": _("found valid", "event"),
        "invalid": _("not found valid", "event"),
        "released": _("released", "event"),
        "withdrawn": _("withdrawn", "event"),
        "asked": _("asked to be excused", "event"),
        "allowed": _("excuse allowed", "event"),
        "refused": _("excuse refused", "event"),
        "soon": _("reminded before the day", "event"),
        "late": _("reminded after the day", "event"),
        "entered": _("private funds entered", "event"),
    }.get(event.kind, event.kind)


def reason_name(reason: str) -> str:
    """A reason of the list in the reader's language."""
    if reason.startswith("rule "):
        return _("By the rule {rule}.").format(rule=reason.removeprefix("rule "))
    return {
        "illness": _("illness or leave"),
        "no data": _("no data came into being"),
        "patent": _("a patent is applied for"),
        "consent": _("consent does not cover it"),
        "publication": _("the publication is not out yet"),
        "other": _("another reason"),
    }.get(reason, reason)


def use_of_data(kind: str) -> str:
    """A kind of use of data, in the reader's language."""
    return {
        "permit": _("permits", "uses"),
        "workspace": _("workspaces", "uses"),
        "count": _("cohort counts", "uses"),
        "release": _("releases", "uses"),
        "download": _("downloads", "uses"),
    }.get(kind, kind)
