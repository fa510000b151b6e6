"""Designs: which experiments to begin with. Numbers are coded in the unit cube, low 0, middle 0.5, high 1.

Plackett and Burman, Biometrika 33 (1946) 305-325; Box and Wilson, J. R. Stat. Soc. B 13 (1951) 1-45; Box and Behnken,
Technometrics 2 (1960) 455-475; coordinate exchange: Meyer and Nachtsheim, Technometrics 37 (1995) 60-69.
"""

from itertools import chain, combinations, product

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.design.factors import Array, Point, Space
from madang.science.bioprocess.needs import needs

KINDS = (
    "latin-hypercube",
    "full-factorial",
    "plackett-burman",
    "central-composite",
    "box-behnken",
    "d-optimal",
)
MOST = 10_000  # experiments of one design


def design(
    space: Space, kind: str, experiments: int = 0, seed: int = 1, center: int = 0, blocks: int = 1
) -> list[Point]:
    """The experiments of a design, each a value per factor, with `block` from 1 where there is more than one.

    `experiments` is asked of latin-hypercube and d-optimal, `center` adds that many in the middle. Raises
    `design.kind` for a design that cannot be built for these factors, `design.constraints` where a fixed design leaves
    what is allowed.
    """
    space.checked()
    if kind not in KINDS:
        text = _("There is no design {kind}.").format(kind=kind)
        raise MadangError("design.kind", text, _("There are {names}.").format(names=", ".join(KINDS)))
    if kind in ("latin-hypercube", "d-optimal"):
        count = experiments or 2 * len(space.groups) + 2
        if not 1 <= count <= MOST:
            raise MadangError("design.kind", _("A design has between 1 and {most} experiments.").format(most=MOST))
        rows = _hypercube(space, count, seed) if kind == "latin-hypercube" else _optimal(space, count, seed)
        points = [space.decode(row) for row in rows]
    else:
        points = [space.decode(row) for row in _fixed(space, kind)]
        outside = sum(not space.allowed(point) for point in points)
        if outside:
            text = _("{count} experiments of this design break a constraint.").format(count=outside)
            raise MadangError("design.constraints", text, _("Use d-optimal or latin-hypercube."))
    middle = space.decode(np.concatenate([np.full(f.width, 0.5) for f in space.factors]))
    points += [dict(middle) for _copy in range(center) if space.allowed(middle)]
    return _blocked(space, points, blocks, seed)


def _hypercube(space: Space, count: int, seed: int) -> Array:
    if space.constraints:
        many = space.sample(max(512, 20 * count), seed)
        return _spread(many, count)
    sampler = needs("scipy.stats.qmc").LatinHypercube(len(space.groups), rng=seed, optimization="random-cd")
    return space.snap(sampler.random(count))


def _spread(rows: Array, count: int) -> Array:
    """`count` of the rows, each as far as can be from those before it."""
    chosen = [int(np.argmin(((rows - rows.mean(0)) ** 2).sum(1)))]
    nearest = ((rows - rows[chosen[0]]) ** 2).sum(1)
    while len(chosen) < min(count, len(rows)):
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, ((rows - rows[chosen[-1]]) ** 2).sum(1))
    return rows[chosen]


def _fixed(space: Space, kind: str) -> Array:
    factors = space.factors
    if kind == "full-factorial":
        levels: list[list[list[float]]] = []
        for factor in factors:
            if factor.choices:
                levels.append([factor.encode(choice) for choice in factor.choices])
            elif factor.levels:
                levels.append([factor.encode(level) for level in factor.levels])
            else:
                levels.append([[0.0], [1.0]])
        if np.prod([len(each) for each in levels], dtype=float) > MOST:
            raise MadangError("design.kind", _("A full factorial design of these factors is too large."))
        return np.array([[*chain(*row)] for row in product(*levels)])
    if any(factor.choices and len(factor.choices) != 2 for factor in factors):
        raise MadangError("design.kind", _("This design takes numeric factors and choices of two only."))
    count = len(factors)
    if kind == "plackett-burman":
        signs = _plackett_burman(count)
    elif any(factor.choices for factor in factors):
        raise MadangError("design.kind", _("This design takes numeric factors only."))
    elif kind == "central-composite":
        if count > 10:
            raise MadangError("design.kind", _("A central composite design takes at most 10 factors."))
        corners = np.array(list(product([-1.0, 1.0], repeat=count)))
        signs = np.concatenate([corners, np.eye(count), -np.eye(count), np.zeros((1, count))])
    else:
        if count < 3:
            raise MadangError("design.kind", _("A Box-Behnken design takes three factors or more."))
        rows = []
        for pair in combinations(range(count), 2):
            for first, second in product([-1.0, 1.0], repeat=2):
                row = np.zeros(count)
                row[list(pair)] = first, second
                rows.append(row)
        signs = np.array([*rows, np.zeros(count)])
    unit = (signs + 1) / 2
    columns = []
    for place, factor in enumerate(factors):
        columns.append(
            np.stack([1 - unit[:, place], unit[:, place]], 1) if factor.choices else unit[:, place : place + 1]
        )
    return np.concatenate(columns, axis=1)


def _plackett_burman(count: int) -> Array:
    """Two levels in the fewest runs that are a multiple of four and more than `count`."""
    runs = 4 * (count // 4 + 1)
    first = {12: "++-+++---+-", 20: "++--++++-+-+----++-", 24: "+++++-+-++--++--+-+----"}
    hadamard = needs("scipy.linalg").hadamard
    while runs not in first and runs & (runs - 1):
        runs += 4
    if runs in first:
        row = np.array([1.0 if sign == "+" else -1.0 for sign in first[runs]])
        table = np.stack([np.roll(row, shift) for shift in range(runs - 1)])
        return np.concatenate([table, -np.ones((1, runs - 1))])[:, :count]
    return hadamard(runs).astype(float)[:, 1 : count + 1]


def _terms(space: Space, rows: Array) -> Array:
    """Model matrix: constant, linear, squares of numbers and interactions; choices against the last of them."""
    columns: list[Array] = []
    owners = []
    at = 0
    for number, factor in enumerate(space.factors):
        if factor.choices:
            for place in range(factor.width - 1):
                columns.append(rows[:, at + place] - rows[:, at + factor.width - 1])
                owners.append(number)
        else:
            columns.append(2 * rows[:, at] - 1)
            owners.append(number)
        at += factor.width
    out = [np.ones(len(rows)), *columns]
    for place, factor in enumerate(space.factors):
        if not factor.choices:
            out.append(columns[owners.index(place)] ** 2)
    out += [columns[i] * columns[j] for i, j in combinations(range(len(columns)), 2) if owners[i] != owners[j]]
    return np.stack(out, 1)


def _optimal(space: Space, count: int, seed: int) -> Array:
    """D-optimal for the quadratic model, or the linear one if experiments are few; by exchange with candidates."""
    candidates = np.unique(np.round(np.concatenate([space.sample(600, seed), _corners(space)]), 9), axis=0)
    model = _terms(space, candidates)
    if count < model.shape[1]:
        linear = 1 + sum(factor.width - 1 if factor.choices else 1 for factor in space.factors)
        model = model[:, :linear]
    if count < model.shape[1]:
        text = _("{count} experiments cannot tell {terms} effects apart.")
        raise MadangError("design.kind", text.format(count=count, terms=model.shape[1]))
    best, best_value = np.arange(count), -np.inf
    for start in range(4):
        random = np.random.default_rng(seed + start)
        chosen = random.choice(len(candidates), count, replace=len(candidates) < count)
        information = model[chosen].T @ model[chosen] + 1e-6 * np.eye(model.shape[1])
        for _sweep in range(20):
            moved = False
            for place in range(count):
                without = np.linalg.inv(information - np.outer(model[chosen[place]], model[chosen[place]]) * (1 - 1e-9))
                gain = np.einsum("ij,jk,ik->i", model, without, model)
                top = int(np.argmax(gain))
                if gain[top] > gain[chosen[place]] * (1 + 1e-6):
                    old, new = model[chosen[place]], model[top]
                    information += np.outer(new, new) - np.outer(old, old)
                    chosen[place], moved = top, True
            if not moved:
                break
        value = float(np.linalg.slogdet(information)[1])
        if value > best_value:
            best, best_value = chosen.copy(), value
    return candidates[best]


def _corners(space: Space) -> Array:
    levels = [
        [factor.encode(choice) for choice in factor.choices] if factor.choices else [[0.0], [0.5], [1.0]]
        for factor in space.factors
    ]
    random = np.random.default_rng(0)
    if np.prod([len(each) for each in levels], dtype=float) <= 3000:
        rows = np.array([[*chain(*row)] for row in product(*levels)])
    else:
        drawn = ([each[random.integers(len(each))] for each in levels] for _row in range(3000))
        rows = np.array([[*chain(*row)] for row in drawn])
    rows = space.snap(rows)
    return np.array([row for row in rows if space.allowed(space.decode(row))]).reshape(-1, rows.shape[1])


def _blocked(space: Space, points: list[Point], blocks: int, seed: int) -> list[Point]:
    """Points in random order, dealt into blocks so that each has about the same mean of every factor."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(points))
    if blocks <= 1:
        return [points[place] for place in order]
    if blocks > len(points):
        raise MadangError("design.kind", _("There are more blocks than experiments."))
    rows = space.encode(points)
    best, least = np.arange(len(points)) % blocks, np.inf
    for _try in range(200):
        dealt = random.permutation(np.arange(len(points)) % blocks)
        means = np.stack([rows[dealt == block].mean(0) for block in range(blocks)])
        if (worst := float(means.var(0).sum())) < least:
            best, least = dealt, worst
    sorted_places = sorted(order, key=lambda place: best[place])
    return [{**points[place], "block": int(best[place]) + 1} for place in sorted_places]
