"""How FAIR a record is: the metrics of FAIRsFAIR/FAIR-IMPACT v0.8, each with what would raise it.

Computed from the record and from what this portal does for every record; nothing is fetched. Points and identifiers
are those of the metrics; the method is ours, so F-UJI may see a record otherwise where its look-ups reach or fail.
"""

from dataclasses import dataclass

from madang.base.translate import _
from madang.services.catalog.forms.entry import Entry, is_address, license_of, plain


@dataclass(frozen=True)
class Metric:
    """Points earned of a total, and one sentence: what would raise them, or why there is nothing left to raise."""

    metric: str
    name: str
    earned: float
    total: float
    sentence: str


def assess(entry: Entry) -> list[Metric]:
    """All metrics in the order of the letters."""
    told, secure = entry.description, entry.address.startswith("https://")
    persistent = bool(entry.doi)
    core = [
        name
        for name, there in (
            (_("creator"), any(plain(name) for name in told.creator)),
            (_("title"), bool(entry.titles)),
            (_("publisher"), bool(plain(entry.publisher))),
            (_("day of publication"), entry.published is not None),
        )
        if not there
    ]
    described = [
        name
        for name, there in ((_("description"), bool(entry.descriptions)), (_("keywords"), bool(entry.keywords)))
        if not there
    ]
    license_address, _license_name = license_of(entry)
    related = [word for word in told.related if is_address(word) or word.startswith("10.")]
    told_of = bool(entry.files) or entry.tier != "embargoed"
    nothing = _("Nothing is left to raise.")

    def earned(metric: str, name: str, there: object, total: int, otherwise: str) -> Metric:
        """All points if it is there, else none and what would raise them."""
        return Metric(metric, name, total if there else 0, total, nothing if there else otherwise)

    return [
        Metric("FsF-F1-01MD", _("globally unique identifier"), 1, 1, nothing),
        earned(
            "FsF-F1-02MD",
            _("persistent identifier"),
            persistent,
            1,
            _("A DOI would raise it: have one registered for the record."),
        ),
        Metric(
            "FsF-F2-01M",
            _("descriptive core elements"),
            (0 if core else 1) + (0 if described else 1),
            2,
            _("Fill in: {names}.").format(names=", ".join(core + described)) if core + described else nothing,
        ),
        earned(
            "FsF-F3-01M",
            _("metadata name the data"),
            entry.download,
            1,
            _("A published version would raise it: the metadata name no data yet."),
        ),
        earned("FsF-F4-01M", _("found by search engines"), entry.state == "published", 2, _("Publish the record.")),
        Metric("FsF-A1-01M", _("access level and conditions"), 1, 1, nothing),
        Metric(
            "FsF-A1-02MD",
            _("retrievable by identifier"),
            1 + (1 if entry.tier == "open" and entry.download else 0),
            2,
            nothing
            if entry.tier == "open"
            else _("The data are not open, so that a machine alone cannot fetch them; that may be right."),
        ),
        Metric("FsF-A1.1-01MD", _("standard protocol"), 2 if entry.download else 1, 2, nothing),
        earned(
            "FsF-A1.2-01MD", _("protocol with authentication"), secure, 2, _("Have the portal reached under https.")
        ),
        Metric("FsF-I1-01M", _("formal language"), 2, 2, nothing),
        Metric("FsF-I2-01M", _("registered vocabularies"), 2, 2, nothing),
        earned(
            "FsF-I3-01M",
            _("references to related things"),
            related,
            2,
            _("Name an article or dataset that belongs to it, by DOI or address."),
        ),
        Metric(
            "FsF-R1-01M",
            _("content is specified"),
            1 + (1 if entry.files else 0),
            2,
            nothing if entry.files else _("Sizes and types of its files are not told."),
        ),
        earned(
            "FsF-R1.1-01M",
            _("license"),
            license_address,
            1,
            _("Give a license by its SPDX name, for example CC-BY-4.0."),
        ),
        earned("FsF-R1.2-01M", _("provenance"), entry.provenance, 1, _("Say where the data come from.")),
        Metric("FsF-R1.3-01M", _("standard of the community"), 1, 1, nothing),
        Metric(
            "FsF-R1.3-02D",
            _("format of the community"),
            1 if told_of and entry.files else 0,
            1,
            nothing if entry.files else _("A file in an open format would raise it."),
        ),
    ]
