"""No count about fewer people than the minimum, and none that the others give away.

Over ordered scales (years, ages) small counts are joined with their neighbors, so totals stay right. In an attrition
a step is kept back where the people who leave with it would be too few; of a concept, where those who have it or those
who do not are too few. A cohort that is too small itself shows nothing but that.
"""

from collections.abc import Sequence
from dataclasses import replace

from madang.science.cohorts.describe import Described, Prevalence, Rate, Share, Step


def enough(persons: int, minimum: int) -> bool:
    """Whether a count about so many people may be shown; one about nobody may."""
    return persons == 0 or persons >= minimum


def hidden(described: Described, minimum: int) -> Described:
    """The same numbers without those about fewer than `minimum` persons; 1 keeps nothing back."""
    if minimum <= 1:
        return replace(described, minimum=1)
    persons = described.persons or 0
    if not enough(persons, minimum):
        return replace(
            described,
            minimum=minimum,
            persons=None,
            entries=None,
            attrition=_attrition([*described.attrition[:-1]], minimum),
            years=(),
            ages=(),
            incidence=(),
            prevalence=(),
            features=(),
            quartiles={},
        )
    return replace(
        described,
        minimum=minimum,
        attrition=_attrition(described.attrition, minimum),
        years=_joined(described.years, minimum),
        ages=_ages(described.ages, minimum),
        incidence=_rates(described.incidence, minimum),
        prevalence=tuple(_prevalence(each, minimum) for each in described.prevalence),
        features=tuple(
            replace(each, before=_part(each.before, persons, minimum), after=_part(each.after, persons, minimum))
            for each in described.features
            if _part(each.before, persons, minimum) or _part(each.after, persons, minimum)
        ),
        quartiles=described.quartiles if persons >= 4 * minimum else {},
    )


def _part(count: int | None, whole: int, minimum: int) -> int | None:
    """A count of a part, unless it or what is left of the whole is about too few."""
    if count is None or not enough(count, minimum) or not enough(whole - count, minimum):
        return None
    return count


def _attrition(steps: Sequence[Step], minimum: int) -> tuple[Step, ...]:
    """Steps from the last one on: each is shown that is enough, and differs by enough from the next one shown."""
    shown: list[Step] = []
    last: int | None = None
    for step in reversed(steps):
        count = step.persons or 0
        if enough(count, minimum) and (last is None or enough(abs(count - last), minimum)):
            shown.append(step)
            last = count
        else:
            shown.append(replace(step, persons=None))
    return tuple(reversed(shown))


def groups(counts: Sequence[Sequence[int]], minimum: int) -> list[tuple[int, int]]:
    """Neighboring places of a scale to be joined, as (first, last), so that in each every count is 0 or enough."""
    found: list[tuple[int, int, list[int]]] = []
    for place, here in enumerate(counts):
        if found and not all(enough(count, minimum) for count in found[-1][2]):
            first, _last, held = found.pop()
            found.append((first, place, [a + b for a, b in zip(held, here, strict=True)]))
        else:
            found.append((place, place, list(here)))
    while len(found) > 1 and not all(enough(count, minimum) for count in found[-1][2]):
        _first, last, held = found.pop()
        first, _last, earlier = found.pop()
        found.append((first, last, [a + b for a, b in zip(earlier, held, strict=True)]))
    return [(first, last) for first, last, _held in found]


def _joined(shares: Sequence[Share], minimum: int) -> tuple[Share, ...]:
    return tuple(
        Share(shares[first].first, shares[last].last, sum(each.persons or 0 for each in shares[first : last + 1]))
        for first, last in groups([[each.persons or 0] for each in shares], minimum)
    )


def _ages(shares: Sequence[Share], minimum: int) -> tuple[Share, ...]:
    """Bands of ages by sex; where a sex has too few altogether, sexes are taken together."""
    sexes = sorted({each.sex for each in shares}, key=lambda sex: (sex is None, sex or 0))
    totals = {sex: sum(each.persons or 0 for each in shares if each.sex == sex) for sex in sexes}
    if not all(enough(total, minimum) for total in totals.values()):
        shares = [replace(each, sex=None) for each in shares]
        sexes = [None]
    bands = sorted({(each.first, each.last) for each in shares})
    table = [
        [
            sum(each.persons or 0 for each in shares if (each.first, each.last) == band and each.sex == sex)
            for sex in sexes
        ]
        for band in bands
    ]
    return tuple(
        Share(bands[first][0], bands[last][1], sum(row[place] for row in table[first : last + 1]), sex)
        for first, last in groups(table, minimum)
        for place, sex in enumerate(sexes)
    )


def _rates(rates: Sequence[Rate], minimum: int) -> tuple[Rate, ...]:
    return tuple(
        Rate(
            rates[first].first,
            rates[last].last,
            sum(each.persons or 0 for each in rates[first : last + 1]),
            round(sum(each.person_years for each in rates[first : last + 1]), 1),
        )
        for first, last in groups([[each.persons or 0] for each in rates], minimum)
    )


def _prevalence(each: Prevalence, minimum: int) -> Prevalence:
    observed = each.observed or 0
    if not enough(observed, minimum):
        return replace(each, persons=None, observed=None)
    return replace(each, persons=_part(each.persons, observed, minimum))
