"""A definition from whatever somebody names: ATLAS JSON, the readable form in TOML, a workbook of code lists."""

from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.science.cohorts.codes import Book, Code, resolve
from madang.science.cohorts.definition import LIMIT, SUFFIXES, Definition, of_bytes, read_bytes
from madang.science.cohorts.form import all_codes, build
from madang.science.cohorts.form_file import read_form
from madang.science.cohorts.workbook import as_form, read_workbook

MOST_FILES = 5_000


@dataclass(frozen=True)
class Loaded:
    """A definition, and what became of the codes that it was written with (None: it was written with concepts)."""

    definition: Definition
    book: Book | None = None


def load(path: Path, vocabulary: Version | None = None) -> Loaded:
    """The definition in a file. Forms and workbooks need the vocabulary in which their codes are looked up.

    Errors: `cohort.definition`, `cohort.form`, `cohort.vocabulary`, `cohort.too_large`, those of reading a file.
    """
    if path.suffix.lower() not in SUFFIXES:
        message = _("{path} is no definition: its name ends neither in .json nor in .toml, .xlsx or .csv.")
        raise MadangError("cohort.file", message.format(path=path))
    return of_file(read_bytes(path), path.suffix.lower(), path.stem, vocabulary)


def of_file(data: bytes, suffix: str, name: str, vocabulary: Version | None = None) -> Loaded:
    """As `load`, of the bytes of a file whose name ends in `suffix`."""
    if suffix == ".json":
        return Loaded(of_bytes(data, name))
    if len(data) > LIMIT:
        of_bytes(data)  # says that it is too large
    if suffix == ".toml":
        form = read_form(data, name)
        for each in form.sets:
            all_codes(form, each)  # a circle is found before any vocabulary is asked for
        book = _resolve(form.codes(), vocabulary)
        return Loaded(build(form, book), book)
    lists = read_workbook(data, name, xlsx=suffix == ".xlsx")
    book = _resolve(lists.all_codes(), vocabulary)
    return Loaded(build(as_form(lists, book), book), book)


def _resolve(codes: list[Code], vocabulary: Version | None) -> Book:
    if not codes:
        return Book("", ())
    if vocabulary is None:
        message = _("The definition is written with codes, so a vocabulary is needed to read it.")
        raise MadangError("cohort.vocabulary", message, _("Name a dataset or vocabulary: --on NAME."))
    return resolve(vocabulary, codes)


def files_in(place: Path) -> list[Path]:
    """The files that may be definitions: the one that is named, or those of a folder by name (numbers as numbers)."""
    if not place.is_dir():
        return [place]
    found = [path for path in place.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not found:
        message = _("The folder {path} has no definitions.").format(path=place)
        raise MadangError("cohort.file", message, _("Definitions end in .json, .toml, .xlsx or .csv."))
    if len(found) > MOST_FILES:
        message = _("The folder {path} has more than {most} files.").format(path=place, most=MOST_FILES)
        raise MadangError("cohort.file", message)
    return sorted(
        found,
        key=lambda path: (not path.stem.isdecimal(), int(path.stem or 0) if path.stem.isdecimal() else 0, path.name),
    )
