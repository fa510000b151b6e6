"""The room's part of `madang demo`: a small library that was made up, lots, a plate of synthetic readings, a synthetic
solubility with a model that a job trains, a shortlist."""

import io
import itertools
import json
import random

from sqlalchemy import select

from madang.base.progress import Progress
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people import Actor, Project
from madang.services.discovery import lots, service, shortlists, studies
from madang.services.discovery.models import MoleculeLibrary

PROJECT = "demo-kidney"
NAME = "demo-molecules"
_CORES = ("O=C(N{0})c1ccc({1})cc1", "O=S(=O)(N{0})c1ccc({1})cc1", "c1c({1})ccc2c1nc(N{0})nc2", "c1cc({1})c(CN{0})nc1")
_AMINES = ("C", "CC", "C6CC6", "Cc6ccccc6", "CCO", "CCN(C)C", "c6ccccn6", "CC(C)O", "CC(=O)O")
_ENDS = ("F", "Cl", "OC", "C#N", "C(F)(F)F", "N5CCOCC5", "C")
_GOALS = b"""property,shape,low,high,weight
pic50,higher,5,8,2
qed,higher,0.3,0.9,1
logp,range,1,4,1
weight,lower,250,500,1
"""
CONCENTRATIONS = [10 / 3**step for step in range(10)]


def molecules() -> str:
    """SMILES and names of molecules of four made-up series."""
    made = (core.format(amine, end) for core, amine, end in itertools.product(_CORES, _AMINES, _ENDS))
    return "".join(f"{smiles} DEMO-{number:04d}\n" for number, smiles in enumerate(made, 1))


def plate(seed: int = 11) -> bytes:
    """A workbook of a synthetic plate: eight compounds, controls, and a layout."""
    import xlsxwriter

    chance = random.Random(seed)
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True}) as book:
        sheet, layout = book.add_worksheet("Plate 1"), book.add_worksheet("Layout")
        sheet.write(0, 0, "Synthetic readings: nobody measured them")
        layout.write_row(0, 0, ["well", "compound", "concentration (uM)", "type"])
        for column in range(12):
            sheet.write(2, column + 1, column + 1)
        for row in range(8):
            sheet.write(3 + row, 0, "ABCDEFGH"[row])
            ic50 = 10 ** chance.uniform(-2, 1)
            for column in range(12):
                well = f"{'ABCDEFGH'[row]}{column + 1}"
                told: list[object] = [well, f"DEMO-{1 + 30 * row:04d}", "", "sample"]
                if column in (0, 11):
                    signal = 90_000.0 if column == 0 else 4_000.0
                    told = [well, "DMSO" if column == 0 else "reference", "", "neg" if column == 0 else "pos"]
                else:
                    told[2] = CONCENTRATIONS[column - 1]
                    signal = 4_000 + 86_000 / (1 + (CONCENTRATIONS[column - 1] / ic50))
                sheet.write(3 + row, column + 1, signal * (1 + chance.gauss(0, 0.02)))
                layout.write_row(1 + 12 * row + column, 0, told)
    return data.getvalue()


def lots_table() -> str:
    """A lot of each compound of the plate, and a sample of the first."""
    rows = [f"LOT-{1 + 30 * row:04d},DEMO-{1 + 30 * row:04d},,{5 + row},mg,9{row % 8}.5,,," for row in range(8)]
    return (
        "name,compound,of,amount,unit,purity,source,place,made\n" + "\n".join(rows) + "\nSAMPLE-1,,LOT-0001,1,mg,,,,\n"
    )


def results_table(seed: int = 12) -> str:
    """A made-up solubility of every molecule: what it is made of, and chance."""
    chance = random.Random(seed)
    rows: list[str] = []
    for line in molecules().splitlines():
        smiles, name = line.split()
        value = 2.4 - 0.04 * len(smiles) + 0.5 * smiles.count("O") - 0.4 * smiles.count("c6") + chance.gauss(0, 0.25)
        rows.append(f"{name},log solubility,{value:.2f},log uM,2026-03-{1 + len(rows) % 28:02d},synthetic")
    return "compound,property,value,unit,date,source\n" + "\n".join(rows) + "\n"


def training_table() -> str:
    """The same as a table to learn from: structures, values, dates."""
    smiles = {name: text for text, name in (line.split() for line in molecules().splitlines())}
    rows = [line.split(",") for line in results_table().splitlines()[1:]]
    return "smiles,value,date\n" + "".join(f"{smiles[row[0]]},{row[2]},{row[4]}\n" for row in rows)


def make(node: Node, progress: Progress) -> None:
    """Make library, plate and shortlist once, for the project of the demo; nothing if that is not there."""
    with node.read() as session:
        project = session.scalar(select(Project.id).where(Project.name == PROJECT))
        there = session.scalar(select(MoleculeLibrary.id).where(MoleculeLibrary.name == NAME))
    if project is None or there is not None or node.home.lake().dataset(NAME).exists:
        return
    owner = Actor.owner()
    with progress.step(_("A library of made-up molecules")):
        files = [("demo.smi", molecules().encode())]
        service.fill(node, owner, NAME, PROJECT, files, "합성 화합물 (데모) / Made-up molecules (demo)")
        service.measure(node, owner, NAME, "합성 측정값 / Synthetic readings", plate())
        lots.enter(node, owner, NAME, lots_table())
        results = results_table().encode()
        service.measure(node, owner, NAME, "합성 용해도 / Synthetic solubility", results)
        table = training_table().encode()
        studies.train(node, owner, NAME, "solubility", table=table, value="value", date="date", light=True)
        made = shortlists.shortlist(node, owner, NAME, "데모 후보 목록 / Demo shortlist", _GOALS)
        first = shortlists.see_shortlist(node, owner, made.id)
        shortlists.decide(node, owner, made.id, _first(first.rows), "make", "데모용 결정 / A decision of the demo")


def _first(rows: str) -> str:
    return str(json.loads(rows)[0]["id"])
