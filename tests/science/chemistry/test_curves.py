"""Curves: many fits at once against SciPy from many starts, known parameters found again, workbooks of all shapes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scipy")

from scipy.optimize import curve_fit

from madang.base.errors import MadangError
from madang.science.chemistry.curves import controls, curves_of, fit_many, picture
from madang.science.chemistry.plates import read_plates

xlsxwriter = pytest.importorskip("xlsxwriter")


def logistic(x, bottom, top, ic50, hill):
    return bottom + (top - bottom) / (1 + (ic50 / x) ** hill)


def by_scipy(points):
    x, y = np.log10([p[0] for p in points]), np.array([p[1] for p in points])
    best = np.inf
    for start in np.linspace(x.min(), x.max(), 4):
        for rise in (np.ptp(y), -np.ptp(y)):
            try:
                found, _ = curve_fit(
                    lambda u, b, r, p, k: b + r / (1 + 10 ** (np.exp(k) * (p - u))),
                    x,
                    y,
                    [y.min() if rise > 0 else y.max(), rise, start, 0.0],
                    bounds=([-np.inf, -np.inf, x.min() - 2, np.log(0.2)], [np.inf, np.inf, x.max() + 2, np.log(10)]),
                )
            except RuntimeError:
                continue
            b, r, p, k = found
            best = min(best, float(((b + r / (1 + 10 ** (np.exp(k) * (p - x))) - y) ** 2).sum()))
    return best


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 8.0]), st.booleans())
def test_the_fit_is_as_good_as_that_of_scipy(seed, noise, falling):
    random = np.random.default_rng(seed)
    x = 10 ** np.sort(random.uniform(-3, 1.5, random.integers(6, 14)))
    bottom, top = (100, 0) if falling else (0, 100)
    middle = 10 ** random.uniform(*np.log10(x[[1, -2]]))  # within what was measured; beyond, the fit only bounds it
    y = logistic(x, bottom, top, middle, random.uniform(0.6, 2.5)) + random.normal(0, noise, len(x))
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    assert fit_many([points]).residual[0] <= by_scipy(points) * 1.001 + 1e-6


def test_known_parameters_are_found_again():
    x = np.repeat(10 / 3.0 ** np.arange(10), 2)
    curves = [(ic50, hill) for ic50 in (0.005, 0.1, 1.0, 5.0) for hill in (0.7, 1.0, 2.0)]
    fit = fit_many([list(zip(x, logistic(x, 2, 98, ic50, hill), strict=True)) for ic50, hill in curves])
    assert 10**fit.log_ic50 == pytest.approx([ic50 for ic50, _hill in curves], rel=1e-3)
    assert fit.hill == pytest.approx([hill for _ic50, hill in curves], rel=1e-3)
    assert fit.top == pytest.approx([98] * 12, abs=0.1) and fit.bottom == pytest.approx([2] * 12, abs=0.1)


CONCENTRATIONS = [10 / 3**step for step in range(10)]
TRUTH = {"CPD-1": 0.1, "CPD-2": 1.0, "CPD-3": 1e6}


def reading(row, column, size=96):
    """Columns 1 and last are controls; three rows of samples, one compound each."""
    last = 12 if size == 96 else 24
    if column == 1:
        return 1000.0 + row
    if column == last:
        return 50.0 + row
    if column <= 11 and row < 3:
        return 50 + 950 / (1 + CONCENTRATIONS[column - 2] / list(TRUTH.values())[row])
    return 500.0


def what(row, column, size=96):
    last = 12 if size == 96 else 24
    if column == 1:
        return "DMSO", None
    if column == last:
        return "positive control", None
    return (f"CPD-{row + 1}", CONCENTRATIONS[column - 2]) if column <= 11 and row < 3 else ("", None)


def grid(sheet, top, left, size, cell):
    rows, columns = (8, 12) if size == 96 else (16, 24)
    for column in range(1, columns + 1):
        sheet.write(top, left + column, column)
    for row in range(rows):
        sheet.write(top + 1 + row, left, chr(ord("A") + row))
        for column in range(1, columns + 1):
            value = cell(row, column)
            if value not in ("", None):
                sheet.write(top + 1 + row, left + column, value)


def as_list(book, size):
    sheet = book.add_worksheet("Layout")
    sheet.write_row(0, 0, ["Well", "Compound", "Concentration (nM)", "Type"])
    number = 1
    for row in range(8 if size == 96 else 16):
        for column in range(1, 13 if size == 96 else 25):
            name, amount = what(row, column, size)
            if name:
                kind = "sample" if amount else ("neg" if name == "DMSO" else "pos")
                sheet.write_row(
                    number, 0, [f"{chr(65 + row)}{column:02d}", name, amount * 1000 if amount else "", kind]
                )
                number += 1


def as_grids(book, size):
    sheet = book.add_worksheet("Plate map")
    height = 10 if size == 96 else 18
    sheet.merge_range(0, 0, 0, 6, "Compound")
    grid(sheet, 1, 0, size, lambda r, c: what(r, c, size)[0])
    sheet.write(height + 2, 0, "Concentration [nM]")
    grid(sheet, height + 3, 0, size, lambda r, c: what(r, c, size)[1] and what(r, c, size)[1] * 1000)


def in_one_cell(book, size):
    def cell(row, column):
        name, amount = what(row, column, size)
        return f"{name} {amount * 1000:.6g} nM" if amount else name

    grid(book.add_worksheet("layout"), 2, 3, size, cell)


@pytest.mark.parametrize("layout", [as_list, as_grids, in_one_cell])
@pytest.mark.parametrize("size", [96, 384])
def test_workbooks(tmp_path, layout, size):
    path = tmp_path / "plate.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Results")
        sheet.write(0, 0, "Synthetic reader")
        sheet.write(1, 0, 1)  # a number that begins no grid
        grid(sheet, 7, 3, size, lambda r, c: "OVRFLW" if (r, c) == (1, 5) else reading(r, c, size))
        layout(book, size)
    (plate,) = read_plates(path)
    assert (plate.size, plate.unit) == (size, "nM")
    assert controls(plate).z_prime == pytest.approx(0.95, abs=0.06)
    curves = {curve.compound: curve for curve in curves_of(plate)}
    assert list(curves) == list(TRUTH)
    assert curves["CPD-1"].ic50 == pytest.approx(100, rel=0.02) and curves["CPD-1"].operator == "="
    assert curves["CPD-1"].pic50 == pytest.approx(7, abs=0.01)
    assert curves["CPD-2"].ic50 == pytest.approx(1000, rel=0.02)
    assert curves["CPD-2"].excluded == (("B5", "reads OVRFLW"),)
    assert curves["CPD-3"].operator == ">" and "flat" in curves["CPD-3"].flags
    assert curves["CPD-3"].ic50 == pytest.approx(10_000) and curves["CPD-3"].hill is None


def test_readings_as_a_list_of_two_plates(tmp_path):
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("all")
        sheet.write_row(0, 0, ["plate", "well", "compound", "concentration", "unit", "signal"])
        number = 1
        for plate in ("P1", "P2"):
            for row in range(3):
                for column in range(1, 13):
                    name, amount = what(row, column)
                    row_ = [plate, f"{chr(65 + row)}{column}", name, amount or "", "uM", reading(row, column)]
                    sheet.write_row(number, 0, row_)
                    number += 1
    plates = read_plates(path)
    assert [plate.name for plate in plates] == ["P1", "P2"]
    for plate in plates:
        assert curves_of(plate)[1].ic50 == pytest.approx(1, rel=0.02)


def test_a_name_with_script_is_only_text_in_the_picture(tmp_path):
    path = tmp_path / "x.xlsx"
    with xlsxwriter.Workbook(path) as book:
        grid(book.add_worksheet("data"), 0, 0, 96, reading)
        sheet = book.add_worksheet("Layout")
        sheet.write_row(0, 0, ["well", "compound", "concentration"])
        for column in range(2, 12):
            sheet.write_row(column, 0, [f"A{column}", "<script>alert(1)</script>", CONCENTRATIONS[column - 2]])
    (curve,) = curves_of(read_plates(path)[0])
    assert not curve.percent and curve.ic50 == pytest.approx(0.1, rel=0.02)
    assert "<script>" not in picture(curve) and picture(curve).startswith("<svg")


def test_workbooks_that_say_too_little(tmp_path):
    bare, empty, broken = (tmp_path / f"{name}.xlsx" for name in ("bare", "empty", "broken"))
    with xlsxwriter.Workbook(bare) as book:
        grid(book.add_worksheet("data"), 0, 0, 96, reading)
    with xlsxwriter.Workbook(empty) as book:
        book.add_worksheet("data")
    broken.write_bytes(bare.read_bytes()[:500])
    for path, code in ((bare, "no_layout"), (empty, "no_plate"), (broken, "workbook")):
        with pytest.raises(MadangError) as error:
            read_plates(path)
        assert error.value.code == f"chemistry.{code}"


def filled(path, cell=reading, head=("Well", "Compound", "Concentration (uM)"), row=None, others=()):
    """A workbook of one plate with its layout as a list; `cell` gives readings, `row` the line of a well."""
    with xlsxwriter.Workbook(path) as book:
        grid(book.add_worksheet("Results"), 2, 2, 96, cell)
        sheet = book.add_worksheet("Layout")
        sheet.write_row(0, 0, list(head))
        wells = [(r, c) for r in range(8) for c in range(1, 13) if what(r, c)[0]]
        lines = [(row or in_a_row)(r, c, *what(r, c)) for r, c in wells]
        for place, line in enumerate([*lines, *others], 1):
            sheet.write_row(place, 0, line)
    return path


def in_a_row(row, column, name, amount):
    return [f"{chr(65 + row)}{column}", name, amount or ""]


def comma(value, digits=4):
    return f"{value:.{digits}f}".replace(".", ",")


ODD_PLATES = {
    "readings with a decimal comma": ({"cell": lambda r, c: comma(reading(r, c))}, "uM", 1),
    "concentrations with a decimal comma": (
        {"row": lambda r, c, name, x: [f"{chr(65 + r)}{c}", name, comma(x, 3) if x else ""]},
        "uM",
        1,
    ),
    "readings in percent": ({"cell": lambda r, c: f"{reading(r, c) / 10:.3f} %"}, "uM", 1),
    "spaces in thousands": ({"cell": lambda r, c: f"{reading(r, c):,.1f}".replace(",", chr(0xA0))}, "uM", 1),
    "a mass": ({"head": ("Well", "Compound", "Concentration (ug/mL)")}, "ug/mL", 1),
    "name, amount and mass in one cell": (
        {"row": lambda r, c, name, x: [f"{chr(65 + r)}{c}", f"{name} {x:.6g} ng/mL" if x else name, ""]},
        "ng/mL",
        1,
    ),
    "logarithms": (
        {
            "head": ("Well", "Compound", "log Concentration (M)"),
            "row": lambda r, c, name, x: [f"{chr(65 + r)}{c}", name, math.log10(x) - 6 if x else ""],
        },
        "M",
        1e-6,
    ),
    "wells with a hyphen": ({"row": lambda r, c, name, x: [f"{chr(65 + r)}-{c:02d}", name, x or ""]}, "uM", 1),
    "controls as screening programs call them": (
        {"row": lambda r, c, name, x: [f"{chr(65 + r)}{c}", name if x else "ZPE" if c == 1 else "HPE", x or ""]},
        "uM",
        1,
    ),
}


@pytest.mark.parametrize("name", list(ODD_PLATES))
def test_plates_as_other_keyboards_and_programs_write_them(tmp_path, name):
    given, unit, scale = ODD_PLATES[name]
    (plate,) = read_plates(filled(tmp_path / "plate.xlsx", **given))
    found = {curve.compound: curve.ic50 for curve in curves_of(plate)}
    assert plate.unit == unit and list(found) == list(TRUTH)
    assert found["CPD-1"] == pytest.approx(0.1 * scale, rel=0.03)
    assert found["CPD-2"] == pytest.approx(1.0 * scale, rel=0.03)


def test_units_that_cannot_be_converted_are_left_out_and_said(tmp_path):
    def row(r, c, name, amount):
        return [f"{chr(65 + r)}{c}", name, amount or "", ("ug/mL" if r == 2 else "uM") if amount else ""]

    head = ("Well", "Compound", "Concentration", "Unit")
    (plate,) = read_plates(filled(tmp_path / "plate.xlsx", head=head, row=row))
    assert plate.unit == "uM"
    assert {well.problem for well in plate.wells if well.compound == "CPD-3"} == {"other unit: ug/mL"}


def test_a_well_that_is_there_twice_and_plates_that_are_too_large_are_refused(tmp_path):
    with pytest.raises(MadangError, match="B2 more than once"):
        read_plates(filled(tmp_path / "twice.xlsx", others=[["B2", "OTHER-9", 5]]))
    with pytest.raises(MadangError, match="beyond P24"):
        read_plates(filled(tmp_path / "far.xlsx", others=[["AA1", "OTHER-9", 5]]))
    path = tmp_path / "large.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Results")
        sheet.write_row(2, 3, list(range(1, 49)))
        for row in range(32):
            sheet.write_row(3 + row, 2, [chr(65 + row) if row < 26 else f"A{chr(39 + row)}", *[1.0] * 48])
        as_list(book, 96)
    with pytest.raises(MadangError, match="beyond P24"):
        read_plates(path)
