"""`madang mappings`: review how the codes of a dataset are mapped to standard concepts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from madang.app.commands.mappings_desk import By, Name, Top, VocabularyOption, one_of, open_desk
from madang.app.commands.mappings_files import changes, export_files, import_files, report
from madang.app.commands.mappings_review import review
from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.standardize.mapping import Count


class SummaryByDefault(TyperGroup):
    """`madang mappings NAME` is short for `madang mappings summary NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `summary` before anything that is neither a command nor an option."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["summary", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=SummaryByDefault,
    no_args_is_help=True,
    add_completion=False,
    help="Review how codes are mapped: summary, list, suggest, set, review, import, export, changes, report.",
)


@app.command()
def summary(name: Name) -> None:
    """Codes and records mapped, by vocabulary and level and by state of the review."""
    from madang.base.console import console, show_table
    from madang.science.standardize.mapping import count_by_level, count_by_status, total

    items = open_desk(name).items()

    def rows(counts: "list[Count]") -> list[list[object]]:
        return [
            [c.vocabulary_id, c.group, c.codes, c.mapped_codes, c.records, c.mapped_records, _share(c)]
            for c in [*counts, *([total(counts)] if len(counts) > 1 else [])]
        ]

    counted = [_("codes"), _("mapped codes"), _("records"), _("mapped records"), _("share")]
    show_table(_("How the run mapped"), [_("vocabulary"), _("level"), *counted], rows(count_by_level(items)))
    show_table(_("State of the review"), [_("vocabulary"), _("status"), *counted], rows(count_by_status(items)))
    if any(not item.mapped for item in items):
        console().print(_("Go on with: madang mappings review {name}").format(name=name), markup=False)


@app.command(name="list")
def list_codes(
    name: Name,
    unmapped: Annotated[bool, typer.Option("--unmapped", help="Only codes without a target.")] = False,
    status: Annotated[str, typer.Option(help="unreviewed, candidate, approved or rejected.")] = "",
    source_vocabulary: Annotated[str, typer.Option(help="Only codes of this vocabulary.")] = "",
    top: Top = 20,
) -> None:
    """Codes by number of records, with their decisions."""
    from madang.base.console import show_table
    from madang.science.standardize.mapping import Status

    known = ["unreviewed", *(member.value for member in Status)]
    if status and status not in known:
        raise MadangError("mapping.value", _("There is no status '{s}'.").format(s=status), ", ".join(known))
    items = [
        item
        for item in open_desk(name).items()
        if (not unmapped or not item.mapped)
        and status in ("", item.status)
        and source_vocabulary in ("", item.code.vocabulary_id)
    ]
    shown = items[:top]
    title = _("{shown} of {all} codes").format(shown=f"{len(shown):,}", all=f"{len(items):,}")
    columns = [_("vocabulary"), _("code"), _("name"), _("records"), _("level"), _("status"), _("targets")]
    rows = [
        [
            item.code.vocabulary_id,
            item.code.code,
            " / ".join(item.code.names),
            item.code.records,
            item.code.level,
            item.status,
            ", ".join(f"{m.target_concept_id} {m.target_name} ({m.status})" for m in item.mappings)
            or ", ".join(map(str, item.code.target_concept_ids)),
        ]
        for item in shown
    ]
    show_table(title, columns, rows)


@app.command()
def suggest(
    name: Name,
    code: Annotated[str, typer.Option(help="Only this code; otherwise the most frequent without a target.")] = "",
    source_vocabulary: Annotated[str, typer.Option(help="Only codes of this vocabulary.")] = "",
    vocabulary: VocabularyOption = None,
    domain: Annotated[str, typer.Option(help="Only targets of this domain.")] = "",
    target_vocabulary: Annotated[str, typer.Option(help="Only targets of this vocabulary.")] = "",
    top: Top = 10,
    each: Annotated[int, typer.Option(min=1, max=100, help="Suggestions per code.")] = 5,
) -> None:
    """Ranked suggestions for codes, with their reasons."""
    from madang.base.console import show_table
    from madang.science.standardize.mapping import Filter, Suggester

    desk = open_desk(name)
    items = [item for item in desk.items() if source_vocabulary in ("", item.code.vocabulary_id)]
    items = [item for item in items if (item.code.code == code if code else not item.mapped)][:top]
    if code and not items:
        raise MadangError("mapping.unknown", _("There is no code {code} in {name}.").format(code=code, name=name))
    filters = Filter(frozenset(filter(None, [domain])), frozenset(filter(None, [target_vocabulary])))
    suggester = Suggester(desk.index(vocabulary), desk.book.mappings())
    found = suggester.suggest_many([item.code for item in items], each, filters)
    columns = [_("concept"), _("name"), _("domain"), _("vocabulary"), _("score"), _("reasons")]
    for item, suggestions in zip(items, found, strict=True):
        head = f"{item.code.vocabulary_id} {item.code.code}  {' / '.join(item.code.names)}  ({item.code.records:,})"
        rows = [
            [
                str(s.concept.concept_id),
                s.concept.name,
                s.concept.domain_id,
                s.concept.vocabulary_id,
                f"{s.score:.2f}",
                "; ".join(f"{reason.text} ({reason.score:.2f})" for reason in s.reasons),
            ]
            for s in suggestions
        ]
        show_table(head, columns, rows)


@app.command(name="set")
def set_code(
    name: Name,
    source_vocabulary: Annotated[str, typer.Argument(metavar="VOCABULARY", help="Vocabulary of the code.")],
    code: Annotated[str, typer.Argument(metavar="CODE")],
    to: Annotated[int, typer.Option("--to", metavar="CONCEPT", min=0, help="Target concept, 0 for none.")],
    by: By,
    status: Annotated[str, typer.Option(help="candidate, approved or rejected.")] = "approved",
    equivalence: Annotated[str, typer.Option(help="EQUAL, EQUIVALENT, WIDER, NARROWER, INEXACT, UNMATCHED.")] = "",
    mapping_type: Annotated[str, typer.Option("--type", help="MAPS_TO, MAPS_TO_VALUE, ...")] = "MAPS_TO",
    only: Annotated[bool, typer.Option("--only", help="Reject the other approved targets of the code.")] = False,
    comment: Annotated[str, typer.Option(help="A note for later readers.")] = "",
    vocabulary: VocabularyOption = None,
) -> None:
    """Set a code's target to candidate, approved or rejected."""
    from madang.base.console import console
    from madang.science.standardize.mapping import Equivalence, MappingType, Status, decide, set_mapping

    default = "UNREVIEWED" if to or status != "approved" else "UNMATCHED"
    wanted, how = one_of(Status, status), one_of(Equivalence, equivalence or default)
    kind = one_of(MappingType, mapping_type)
    desk = open_desk(name)
    item = desk.item(source_vocabulary, code)
    concept = desk.index(vocabulary).concept(to) if to else None
    if to and concept is None:
        raise MadangError("mapping.no_concept", _("Concept {id} is not in the vocabulary.").format(id=to))
    mapping = decide(item.code, concept, wanted, how, by, kind, comment)
    desk.update(set_mapping(mapping, alone=only), by)
    target = f"{to} {concept.name}" if concept else _("no target")
    console().print(f"{source_vocabulary} {code} -> {target}: {mapping.status} {mapping.equivalence}", markup=False)


app.command()(review)
app.command(name="import")(import_files)
app.command(name="export")(export_files)
app.command()(changes)
app.command()(report)


def _share(count: "Count") -> str:
    return f"{count.mapped_records / count.records:.1%}" if count.records else ""
