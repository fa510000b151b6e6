"""What a model can foresee, and what people call it."""

from madang.base.translate import _

OUTCOMES = ("inpatient", "emergency", "death")


def outcome_name(outcome: str) -> str:
    """What people call an outcome, in the reader's language."""
    names = {"inpatient": _("a stay in hospital"), "emergency": _("a visit to the emergency room"), "death": _("death")}
    return names[outcome]
