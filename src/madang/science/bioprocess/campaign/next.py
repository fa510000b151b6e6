"""What to try next in a campaign, what is best so far, and whether to stop."""

from dataclasses import dataclass

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.campaign.description import Campaign, read_campaign
from madang.science.bioprocess.campaign.results import Done, read_done
from madang.science.bioprocess.design import design
from madang.science.bioprocess.design.factors import Point
from madang.science.bioprocess.optimization.suggest import Suggested, Surrogate, suggest

LEAST_LEARNED = 3  # results from which a process can be asked


@dataclass(frozen=True)
class Next:
    """The experiments to try (`plan`: begin, improve or explore), the best so far, how much each factor matters.

    `best` are places of experiments done: one for one objective, all that no other beats for several. `matters`:
    per result a share per factor. `stop` says why nothing more is worth trying, or is empty.
    """

    experiments: tuple[Suggested, ...]
    best: tuple[int, ...]
    matters: dict[str, dict[str, float]]
    stop: str
    note: str


def next_experiments(campaign: Campaign, done: Done | None = None, count: int | None = None) -> Next:
    """The next experiments: first what is left of the starting design, then what promises most.

    The answer is the same until results are added. Raises `campaign.earlier` where an earlier campaign cannot be used.
    """
    done = done or read_done(campaign)
    count = count or campaign.batch
    left = campaign.experiments - len(done)
    best = _best(campaign, done)
    if left <= 0:
        return Next((), best, {}, _("All {count} experiments are done.").format(count=campaign.experiments), "")
    count = min(count, left)
    usable = [int(np.isfinite(done.results[aim.name]).sum()) for aim in campaign.aims]
    waiting = _not_done(campaign, done)
    if waiting or min(usable) < LEAST_LEARNED:
        if not waiting:
            waiting = _more(campaign, done, count)
        planned = tuple(Suggested(point, {}, float("nan"), "begin") for point in waiting[:count])
        return Next(planned, best, {}, "", _("The starting design comes first."))
    flat = [aim.name for aim in campaign.aims if np.nanmax(done.results[aim.name]) == np.nanmin(done.results[aim.name])]
    earlier = []
    for file in campaign.earlier:
        other = read_campaign(file)
        if [factor.name for factor in other.space.factors] != [factor.name for factor in campaign.space.factors]:
            text = _("The earlier campaign {file} has other factors.").format(file=file)
            raise MadangError("campaign.earlier", text)
        told = read_done(other)
        inside = [place for place, point in enumerate(told.points) if _inside(campaign, point)]
        points = [told.points[place] for place in inside]
        earlier.append((points, {name: values[inside] for name, values in told.results.items()}))
    tried, believed = suggest(campaign.space, campaign.aims, done.points, done.results, count, campaign.seed, earlier)
    note = ""
    if flat:
        note = _("All results of {names} are equal; nothing can be learned from them yet.").format(
            names=", ".join(flat)
        )
    return Next(tuple(tried), best, _matters(campaign, believed), _stop(campaign, tried, flat), note)


def _inside(campaign: Campaign, point: Point) -> bool:
    try:
        campaign.space.encode([point])
    except MadangError:
        return False
    return True


def _not_done(campaign: Campaign, done: Done) -> list[Point]:
    """Points of the starting design that no experiment has had yet."""
    if campaign.begin == 0 and campaign.design == "latin-hypercube":
        return []
    planned = design(campaign.space, campaign.design, campaign.begin, campaign.seed, campaign.center, campaign.blocks)
    rows = list(campaign.space.encode(done.points)) if len(done) else []
    left = []
    for point in planned:
        row = campaign.space.encode([point])[0]
        for place, other in enumerate(rows):
            if np.abs(other - row).max() < 1e-6:
                rows.pop(place)
                break
        else:
            left.append(point)
    # Whoever began with experiments of their own has begun: the design is only a way to begin.
    return [] if len(done) >= len(planned) else left[: len(planned) - len(done)]


def _more(campaign: Campaign, done: Done, count: int) -> list[Point]:
    rows = campaign.space.sample(256, campaign.seed + len(done) + 1)
    seen = campaign.space.encode(done.points) if len(done) else np.empty((0, rows.shape[1]))
    out: list[Point] = []
    for _turn in range(count):
        far = np.min(((rows[:, None] - seen[None]) ** 2).sum(2), 1) if len(seen) else np.ones(len(rows))
        chosen = rows[int(np.argmax(far))]
        out.append(campaign.space.decode(chosen))
        seen = np.concatenate([seen, chosen[None]])
    return out


def _best(campaign: Campaign, done: Done) -> tuple[int, ...]:
    """Places of the experiments that keep all ranges and that no other beats in every objective."""
    wanted = [aim for aim in campaign.aims if aim.maximize is not None]
    keeps = np.ones(len(done), dtype=bool)
    for aim in campaign.aims:
        values = done.results[aim.name]
        with np.errstate(invalid="ignore"):
            keeps &= np.isfinite(values) & (values >= aim.least) & (values <= aim.most)
    places = np.flatnonzero(keeps)
    if not len(places):
        return ()
    table = np.stack([(1 if aim.maximize else -1) * done.results[aim.name][places] for aim in wanted], 1)
    if table.shape[1] == 1:
        return (int(places[int(np.argmax(table[:, 0]))]),)
    beaten = [bool(((table >= row).all(1) & (table > row).any(1)).any()) for row in table]
    return tuple(int(place) for place, lost in zip(places, beaten, strict=True) if not lost)


def _matters(campaign: Campaign, believed: dict[str, Surrogate]) -> dict[str, dict[str, float]]:
    """Per result the share of each factor: the variance of its main effect as the process sees it."""
    rows = campaign.space.sample(256, campaign.seed)
    out = {}
    for name, surrogate in believed.items():
        effects = []
        for place in range(len(campaign.space.factors)):
            columns = campaign.space.groups == place
            levels = rows[:9, columns]
            means = []
            for level in levels:
                moved = rows[:128].copy()
                moved[:, columns] = level
                means.append(float(surrogate(moved)[0].mean()))
            effects.append(float(np.var(means)))
        total = sum(effects) or 1.0
        out[name] = {f.name: round(e / total, 4) for f, e in zip(campaign.space.factors, effects, strict=True)}
    return out


def _stop(campaign: Campaign, tried: list[Suggested], flat: list[str]) -> str:
    if flat or not tried or sum(aim.maximize is not None for aim in campaign.aims) > 1:
        return ""
    if tried[0].promise < campaign.stop_gain:
        text = _("The next experiment promises less than {share} of the spread of the results.")
        return text.format(share=f"{campaign.stop_gain:.1%}")
    return ""
