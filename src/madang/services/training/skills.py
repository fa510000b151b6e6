"""What skills are called; a badge has them in English."""

from madang.base.translate import _, later

# What the courses that ship prove.
_SKILLS = (
    later("data access", "skill"),
    later("trained in data protection", "skill"),
    later("OMOP standardization", "skill"),
    later("data quality", "skill"),
    later("cohort definition", "skill"),
    later("molecule ranking", "skill"),
    later("fed-batch", "skill"),
    later("variant calling", "skill"),
    later("evaluation of medical AI", "skill"),
)


def skills_named(skills: list[str]) -> str:
    """Skills in the reader's language where they are those of a course that ships."""
    return ", ".join(_(each, "skill") if each in _SKILLS else each for each in skills)
