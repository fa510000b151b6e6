"""What can be done with a request for release, by whom, from which state to which."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import (
    Details,
    allow,
    auditor,
    in_project,
    nobody_else,
    not_who,
    role,
    role_anywhere,
    signed_in,
    theirs,
)


class Asked(Details):
    """What was asked for: files by name and hash, and what the rules said."""

    files: list[str]
    rules: str
    refused_by_rule: bool


class Voted(Details):
    """That somebody voted; what they said is in the record of the release once all have."""

    votes: int
    decided: bool


class Said(Details):
    """A question, or an answer."""

    by_checker: bool


class Taken(Details):
    """What left."""

    files: list[str]


CHECKER = "release-checker"
member = in_project()
checker = role(CHECKER) & not_who("owner_id")
ASK = allow(
    "release.ask",
    member | nobody_else,
    title=later("ask for a release"),
    to=("asked", "refused"),
    details=Asked,
)
HAND_OVER = allow(
    "release.hand_over",
    role_anywhere("steward"),
    title=later("hand results of a run to the desk"),
    to=("asked", "refused"),
    details=Asked,
)
SEE = allow("release.see", member | theirs | role(CHECKER) | auditor, reads=True, title=later("see a release"))
JUDGE = allow("release.judge", role(CHECKER), reads=True, title=later("see what a release would open"))
VOTE = allow(
    "release.vote",
    checker,
    title=later("vote on a release"),
    frm=("asked",),
    to=("asked", "approved", "refused"),
    details=Voted,
)
QUESTION = allow(
    "release.question",
    role(CHECKER) | member | theirs,
    title=later("ask or answer about a release"),
    frm=("asked",),
    details=Said,
)
WITHDRAW = allow(
    "release.withdraw", member | theirs, title=later("withdraw a request for release"), frm=("asked",), to="withdrawn"
)
TAKE = allow(
    "release.take",
    signed_in,
    title=later("take what was released"),
    frm=("approved",),
    to="taken",
    details=Taken,
)
RELEASE = States(
    "release",
    "asked",
    {
        "asked": later("in review"),
        "refused": later("refused"),
        "approved": later("approved"),
        "taken": later("taken away"),
        "withdrawn": later("withdrawn"),
    },
    model=".models:Release",
)
