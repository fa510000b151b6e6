"""What the commands of `madang mappings` share: their options, and the desk with a book, its codes and a vocabulary."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import typer

from madang.app.commands.vocabulary import only_vocabulary
from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.home import Home
    from madang.science.omop.vocabulary import Vocabulary
    from madang.science.standardize.mapping import MappingBook, NameIndex, ReviewItem, SourceCode
    from madang.science.standardize.mapping.book import Change, Edit

E = TypeVar("E", bound=StrEnum)


def user_name() -> str:
    """Who is logged in; empty where the system has no name for this user, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


Name = Annotated[str, typer.Argument(metavar="NAME", help="Dataset, or the .csv file of a book of mappings.")]
VocabularyOption = Annotated[
    Optional[str],  # noqa: UP045  # Typer reads this form on every Python
    typer.Option(
        "--vocabulary", metavar="DIR|NAME", help="Vocabulary: an unpacked Athena folder, a dataset, or `starter`."
    ),
]
By = Annotated[
    str,
    typer.Option(
        "--by",
        envvar="MADANG_REVIEWER",
        default_factory=user_name,
        show_default=False,
        help="Who decides; MADANG_REVIEWER, or who is logged in, if not given.",
    ),
]
Encoding = Annotated[str, typer.Option(help="Encoding of the file, such as cp949.")]
Top = Annotated[int, typer.Option(min=1, help="How many codes.")]


@dataclass
class Desk:
    """What a review of NAME needs: its book, its codes, and the vocabulary on request."""

    name: str
    home: "Home"
    book: "MappingBook"

    @property
    def codes_path(self) -> Path:
        """The list of codes that was imported for this book."""
        return self.book.path.with_suffix(".codes.csv")

    def codes(self) -> "list[SourceCode]":
        """The codes of the dataset's newest version and those that were imported."""
        from madang.lake.engine import Engine
        from madang.science.standardize.mapping import codes_of_file, codes_of_version, merge_codes

        met: list[SourceCode] = []
        imported = codes_of_file(self.codes_path) if self.codes_path.exists() else []
        if not self.is_file and (dataset := self.home.lake().dataset(self.name)).exists:
            version = dataset.version()
            if "source_codes" in version.tables or not (imported or self.book.path.exists()):
                with Engine() as engine:
                    met = codes_of_version(engine, version)
        elif not imported and not self.book.path.exists():
            raise MadangError(
                "mapping.unknown",
                _("There is neither a dataset nor a book of mappings called {name}.").format(name=self.name),
                _("`madang datasets` lists; `madang mappings import {name} --codes FILE` begins one.").format(
                    name=self.name
                ),
            )
        return merge_codes(met, imported)

    def update(self, change: "Edit", by: str) -> int:
        """Edit the book as an act of whoever gives the command; how many decisions are new or changed."""
        from madang.services.datasets import begun
        from madang.services.datasets.acts import REVIEW

        with begun(REVIEW, self.name, source=by) as act:
            changed = self.book.update(change, by)
            act.done(detail=f"{changed} decisions")
        return changed

    def write(self, changes: "Iterable[Change]", by: str) -> int:
        """Make changes to the book, all or none, as an act of whoever gives the command; how many rows differ."""
        from madang.services.datasets import begun
        from madang.services.datasets.acts import REVIEW

        with begun(REVIEW, self.name, source=by) as act:
            changed = self.book.write(changes, by)
            act.done(detail=f"{changed} decisions")
        return changed

    @property
    def is_file(self) -> bool:
        """Whether NAME is the path of a book rather than a dataset."""
        return self.name.endswith(".csv")

    def items(self) -> "list[ReviewItem]":
        """The codes with the decisions on them."""
        from madang.science.standardize.mapping import review_items

        return review_items(self.codes(), self.book.mappings())

    def item(self, vocabulary: str, code: str) -> "ReviewItem":
        """One code with its decisions; a code that was never met is taken as it is."""
        from madang.science.standardize.mapping import ReviewItem, SourceCode

        for item in self.items():
            if item.code.key == (vocabulary, code):
                return item
        return ReviewItem(SourceCode(vocabulary, code, level="not met"), ())

    @contextmanager
    def vocabulary(self, named: str | None) -> "Iterator[Vocabulary]":
        """The vocabulary of that name, attached."""
        from madang.lake.engine import Engine
        from madang.science.omop.vocabulary import Vocabulary

        folder, reference = self._vocabulary(named)
        with Engine() as engine:
            if folder:
                yield Vocabulary.from_folder(engine, folder)
            else:
                yield Vocabulary.from_version(engine, self.home.lake().find(reference))

    def index(self, named: str | None) -> "NameIndex":
        """The name index of a vocabulary, built at its first use."""
        from madang.base.console import ProgressBars
        from madang.science.standardize.mapping import Terms, folder_key, open_index, read_terms

        folder, reference = self._vocabulary(named)
        key = folder_key(folder) if folder else self.home.lake().find(reference).digest[:32]

        def terms() -> Terms:
            with self.vocabulary(named) as vocabulary:
                return read_terms(vocabulary)

        with ProgressBars() as progress:
            return open_index(self.home.path / "indexes", key, terms, progress)

    def _vocabulary(self, named: str | None) -> tuple[Path | None, str]:
        """The folder, or the reference to a version, that `named` means; by default the only one in the lake."""
        from madang.app.commands.standardize import STARTER
        from madang.science.omop.starter import starter_path

        if named == STARTER:  # as `standardize` has it
            return Path(starter_path()), ""
        if named:
            return (Path(named), "") if Path(named).is_dir() else (None, named)
        return None, only_vocabulary(self.home.lake())


def open_desk(name: str) -> Desk:
    """The desk of a dataset of this home, or of a book at a path."""
    from madang.lake.manifest import check_dataset_name
    from madang.node.home import Home
    from madang.science.standardize.mapping import MappingBook

    home = Home.find()
    path = Path(name) if name.endswith(".csv") else home.path / "mappings" / f"{check_dataset_name(name)}.csv"
    return Desk(name, home, MappingBook(path))


def one_of(kind: type[E], text: str) -> E:
    """The member of an enumeration that `text` names, in any case."""
    for member in kind:
        if member.value.lower() == text.lower():
            return member
    words = ", ".join(member.value for member in kind)
    raise MadangError(
        "mapping.value", _("There is no '{text}'.").format(text=text), _("Use {words}.").format(words=words)
    )
