"""The steps of the holder's procedure as a graph: what each needs before it begins, and whom it waits for.

What needs the same things runs side by side. A step may be `late` where the holder allows it: the decision does not
wait for it, the permit does. Where it is urgent the committee votes while adequacy is looked at; nothing is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _, later


@dataclass(frozen=True)
class StepKind:
    """One kind of step. `when` is a field of the content that must be true for the step to be there at all."""

    name: str
    title: str  # marked by `later`
    who: str  # whom it waits for, marked by `later`
    needs: tuple[str, ...] = ()
    urgent_needs: tuple[str, ...] | None = None  # where it is urgent, if they are others
    late: bool = False
    when: str = ""


STEPS = (
    StepKind("screening", later("Papers are complete"), later("data steward")),
    StepKind(
        "ethics", later("Ethics approval or exemption"), later("applicant and ethics board"), ("screening",), late=True
    ),
    StepKind("adequacy", later("Adequacy of the pseudonymization"), later("data steward"), ("screening",)),
    StepKind("committee", later("Vote of the committee"), later("committee"), ("adequacy",), ("screening",)),
    StepKind("linkage", later("Linkage by the linkage body"), later("linkage body"), ("committee",), when="linkage"),
    StepKind("fee", later("Fee"), later("applicant"), ("committee",)),
)
NAMES = {step.name: step for step in STEPS}
AFTER = (
    StepKind("release-review", later("Review of what leaves"), later("output checkers")),
    StepKind("retention", later("Retention"), later("data steward")),
    StepKind("destruction", later("Destruction"), later("data steward")),
)


def wanted(content: Mapping[str, object]) -> list[StepKind]:
    """The steps that an application with this content takes."""
    return [step for step in STEPS if not step.when or content.get(step.when)]


def ready(states: Mapping[str, str], urgent: bool = False) -> list[str]:
    """The steps that can begin: they wait, and all that they need is done."""
    return [
        name
        for name, state in states.items()
        if state == "waiting"
        and all(states.get(need, "done") in ("done", "left-out") for need in needs_of(name, urgent))
    ]


def needs_of(name: str, urgent: bool) -> tuple[str, ...]:
    """What a step needs before it begins."""
    kind = NAMES[name]
    return kind.urgent_needs if urgent and kind.urgent_needs is not None else kind.needs


def check_graph(steps: tuple[StepKind, ...] = STEPS) -> None:
    """Raise `access.procedure` unless every need is a step and nothing waits for itself."""
    known = {step.name: set(step.needs) for step in steps}
    for name, needs in known.items():
        if needs - set(known):
            raise MadangError("access.procedure", _("The step {name} needs one that is not there.").format(name=name))
    rest = dict(known)
    while rest:
        free = [name for name, needs in rest.items() if not needs & set(rest)]
        if not free:
            raise MadangError("access.procedure", _("Steps wait for each other in a circle."))
        for name in free:
            del rest[name]
