"""What the pages of studies show and take, as values: each is also the JSON twin of its page."""

from typing import Any

from pydantic import Field

from madang.services.manufacturing import studies
from madang.web import View


class StudyLine(View):
    """A study in a list."""

    number: int
    kind: str
    project: str
    title: str
    state: str
    address: str


class StudiesView(View):
    """The studies of one's projects, and what new ones are made of."""

    studies: list[StudyLine]
    projects: list[tuple[str, str]]
    campaigns: list[tuple[str, str]]
    equipment: list[tuple[str, str]]
    golden: list[tuple[str, str]]
    done: list[tuple[str, str]]
    recipe: str
    loop: str
    most_faults: list[str]


class ChartView(View):
    """A picture with its title."""

    title: str
    svg: str


class HeadView(View):
    """What all studies show: who, what, how far."""

    number: int
    kind: str
    title: str
    project: str
    state: str
    error: str
    job: int | None
    asked: str
    use: str


class TwinView(View):
    """A twin: its end, what if, what matters, the design space."""

    head: HeadView
    kinetics: str
    source: str
    end: list[tuple[str, float, str]]
    batches: int
    probability: float | None
    standard_error: float | None
    attributes: list[dict[str, Any]]
    sensitivities: list[dict[str, Any]]
    control: dict[str, Any] | None
    charts: list[ChartView]
    space: list[ChartView]


class FoundryView(View):
    """A loop of the foundry: rounds, the best construct, notes, wells, what it waits for."""

    head: HeadView
    rounds: int
    planned: int
    result: str
    simulated: bool
    best: dict[str, Any]
    reading: float | None
    found: float | None
    fixed: float | None
    fates: dict[str, int]
    notes: list[dict[str, Any]]
    waiting: str
    charts: list[ChartView]
    wells: list[dict[str, Any]]
    well: str
    gives: bool


class AlarmView(View):
    """When a run left what good runs did, and which signals make that."""

    run: str
    begin: float
    finish: float | None
    worst: float
    signals: list[tuple[str, float]]


class WatchView(View):
    """Good runs, and the other runs of the project held against them."""

    head: HeadView
    runs: list[str]
    signals: list[str]
    alarms: list[AlarmView]
    quiet: list[str]
    charts: list[ChartView]


class SignalView(View):
    """A signal of a run so far."""

    name: str
    unit: str
    count: int
    newest: float | None


class FindingView(View):
    """An exception of a run."""

    kind: str
    tag: str
    begin: str
    text: str


class LiveView(View):
    """A run that is recorded: hours so far, alarms with the signals that explain them, exceptions, trends."""

    head: HeadView
    equipment: str
    address: str
    simulated: bool
    speed: float
    hours: float
    readings: int
    units: list[str]
    unit: str
    golden: int
    alarms: list[AlarmView]
    missing: list[str]
    findings: list[FindingView]
    signals: list[SignalView]
    charts: list[ChartView]
    version: str
    stops: bool


class NewStudy(View):
    """A twin or a foundry loop to compute."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    title: str = Field(title="The title", min_length=1, max_length=300)
    description: str = Field(title="The description", min_length=1, max_length=studies.LARGEST)
    sequences: str = Field(default="", title="The sequences", max_length=studies.LARGEST)


class NewGolden(View):
    """Good runs to learn from, by name; all of the project if none is named."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    title: str = Field(title="The title", min_length=1, max_length=300)
    runs: str = Field(default="", title="The runs", max_length=20_000)


class NewRecording(View):
    """A run to record."""

    equipment: int = Field(title="The equipment", ge=1, le=2**31 - 1)
    title: str = Field(title="The title", min_length=1, max_length=300)
    golden: int = Field(default=0, title="Good runs", ge=0, le=2**31 - 1)
    fault: str = Field(default="", title="The fault", max_length=300)


class Readings(View):
    """Readings of a plate, from its reader."""

    file: bytes = Field(default=b"", title="The file")
    text: str = Field(default="", title="The table", max_length=studies.LARGEST)


class NewPackage(View):
    """What a transfer package is made of: a campaign and studies by number."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    title: str = Field(title="The title", min_length=1, max_length=200)
    campaign: int = Field(default=0, title="The campaign", ge=0, le=2**31 - 1)
    studies: str = Field(default="", title="The studies", max_length=1_000)
