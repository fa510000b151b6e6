"""What the pages of models and dockings show and take, as values: each is also the JSON twin of its page."""

from typing import Any, Literal

from pydantic import Field

from madang.web import View


class NewModel(View):
    """A model to train."""

    name: str = Field(title="The short name", min_length=1, max_length=40)
    file: bytes = Field(default=b"", title="The table")
    kind: Literal["csv", "xlsx", "parquet"] = Field(default="csv", title="The kind of file")
    structure: str = Field(default="smiles", title="The column with the structures", max_length=200)
    value: str = Field(default="pic50", title="The column with the values", max_length=200)
    date: str = Field(default="", title="The column with the dates", max_length=200)
    light: bool = Field(default=False, title="Few descriptors")


class NewDocking(View):
    """A docking to run."""

    name: str = Field(title="The short name", min_length=1, max_length=40)
    receptor: bytes = Field(title="The receptor", min_length=1)
    receptor_kind: Literal["pdb", "cif"] = Field(default="pdb", title="The kind of file")
    ligand: bytes = Field(default=b"", title="The known ligand")
    ligand_kind: Literal["sdf", "mol2", "pdb", "pdbqt"] = Field(default="sdf", title="The kind of file")
    residues: str = Field(default="", title="Residues", max_length=1_000)
    chains: str = Field(default="", title="Chains", max_length=100)
    exhaustiveness: int = Field(default=4, title="Exhaustiveness", ge=1, le=64)
    limit: int = Field(default=0, title="The limit", ge=0, le=20_000)


class Molecules(View):
    """Molecules to predict."""

    text: str = Field(title="The molecules", min_length=1, max_length=200_000)
    level: float = Field(default=0.9, title="The level", ge=0.5, le=0.99)


class Split(View):
    """Figures of a model for unseen molecules, beside those of the baseline."""

    name: str
    molecules: int
    figure: float | None
    low: float | None
    high: float | None
    error: float | None
    baseline: float | None
    covered: float | None


class Predicted(View):
    """What a model says of one molecule."""

    given: str
    svg: str
    value: float | None
    low: float | None
    high: float | None
    in_domain: bool
    nearest: str
    nearest_value: float | None
    similarity: float | None
    problem: str


class DroppedLine(View):
    """A row of a table that was not used, and why."""

    line: int
    reason: str


class ModelPage(View):
    """A model: its card, pictures, and what it says of molecules that were just asked for."""

    number: int
    library: str
    title: str
    state: str
    error: str
    job: int | None
    name: str
    version: int
    hash: str
    method: str
    kind: str
    measure: str
    rows: int
    compounds: int
    repeats: int
    dropped: list[DroppedLine]
    left_out: int
    range: list[float]
    splits: list[Split]
    domain: dict[str, Any]
    before: dict[str, Any] | None
    now: dict[str, Any] | None
    predicted_library: int
    charts: list[tuple[str, str]]
    predictions: list[Predicted]


class DockedLine(View):
    """A ligand with its score, or why it has none."""

    id: str
    smiles: str
    svg: str
    score: float | None
    problem: str


class DockingPage(View):
    """A docking: how far it is, the control, the receptor's report, ligands by score, and those that failed."""

    number: int
    library: str
    title: str
    state: str
    error: str
    job: int | None
    far: int
    total: int
    docked: int
    failed: int
    control: dict[str, Any] | None
    no_control: str
    receptor: dict[str, Any]
    box: dict[str, Any]
    ligands: list[DockedLine]
    problems: list[DockedLine]
