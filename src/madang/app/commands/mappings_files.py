"""`madang mappings import|export|changes|report`: what goes to and comes from files."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from madang.app.commands.mappings_desk import Encoding, Name, VocabularyOption, open_desk
from madang.base.errors import MadangError
from madang.base.translate import _

_File = Optional[Path]  # noqa: UP045  # Typer reads this form on every Python


def import_files(
    name: Name,
    usagi: Annotated[_File, typer.Option("--usagi", metavar="FILE", help="A file that Usagi saved.")] = None,
    codes: Annotated[_File, typer.Option("--codes", metavar="FILE", help="A CSV of codes, names and counts.")] = None,
    source_vocabulary: Annotated[str, typer.Option(help="Vocabulary of the codes, where the file has none.")] = "",
    vocabulary: VocabularyOption = None,
    by: Annotated[str, typer.Option("--by", envvar="MADANG_REVIEWER", help="Who imports.")] = "",
    encoding: Encoding = "utf-8",
    replace: Annotated[bool, typer.Option("--replace", help="Take the file's word against other decisions.")] = False,
) -> None:
    """Take over a review made with Usagi, or a list of codes; all of the file or nothing."""
    from madang.base.console import console
    from madang.science.standardize.mapping import codes_of_file, merge_codes, read_usagi, take_over, write_codes

    desk = open_desk(name)
    if (usagi is None) == (codes is None):
        raise MadangError("command.usage", _("Say what to import."), _("Give --usagi FILE or --codes FILE."))
    known = codes_of_file(desk.codes_path) if desk.codes_path.exists() else []
    if codes:
        found = codes_of_file(codes, source_vocabulary, encoding)
        write_codes(desk.codes_path, merge_codes(found, known))
        console().print(_("{n} codes imported.").format(n=f"{len(found):,}"))
        return
    if not source_vocabulary:
        raise MadangError("command.usage", _("Usagi's file does not say its vocabulary."), "--source-vocabulary ID")
    file = read_usagi(usagi or Path(), source_vocabulary, desk.index(vocabulary).concept, by, encoding)
    changed = desk.update(take_over(file, replace), by)
    write_codes(desk.codes_path, merge_codes(known, file.codes))
    text = _("{codes} codes and {mappings} decisions read, {changed} of them new or changed.")
    console().print(
        text.format(codes=f"{len(file.codes):,}", mappings=f"{len(file.mappings):,}", changed=f"{changed:,}")
    )


def export_files(
    name: Name,
    usagi: Annotated[_File, typer.Option("--usagi", metavar="FILE", help="A file that Usagi opens.")] = None,
    source_to_concept_map: Annotated[
        _File, typer.Option("--source-to-concept-map", metavar="FILE", help="Approved mappings, for a pack's maps/.")
    ] = None,
    source_vocabulary: Annotated[str, typer.Option(help="Only codes of this vocabulary.")] = "",
    vocabulary: VocabularyOption = None,
) -> None:
    """Write the review for Usagi, or the approved mappings as SOURCE_TO_CONCEPT_MAP."""
    from madang.base.console import console
    from madang.science.standardize.mapping import Status, write_source_to_concept_map, write_usagi

    desk = open_desk(name)
    if (usagi is None) == (source_to_concept_map is None):
        raise MadangError(
            "command.usage", _("Say what to export."), _("Give --usagi FILE or --source-to-concept-map FILE.")
        )
    if source_to_concept_map:
        mappings = [m for m in desk.book.mappings() if source_vocabulary in ("", m.source_vocabulary_id)]
        written = write_source_to_concept_map(source_to_concept_map, mappings)
        console().print(_("{n} approved mappings written.").format(n=f"{written:,}"))
        left = sum(mapping.status is Status.APPROVED for mapping in mappings) - written
        if left:
            text = _("{n} of values, units and the like are left out: the table has no column for them.")
            console().print(text.format(n=f"{left:,}"))
        return
    items = [item for item in desk.items() if source_vocabulary in ("", item.code.vocabulary_id)]
    several = sorted({item.code.vocabulary_id for item in items})
    if len(several) > 1:
        raise MadangError(
            "mapping.several_vocabularies",
            _("Usagi's file holds one vocabulary, these are {names}.").format(names=", ".join(several)),
            _("Say which: --source-vocabulary {name}.").format(name=several[0]),
        )
    written = write_usagi(usagi or Path(), items, desk.index(vocabulary).concept)
    console().print(_("{n} codes written.").format(n=f"{written:,}"))


def changes(name: Name, vocabulary: VocabularyOption = None) -> None:
    """List the approved mappings that a vocabulary release changes."""
    from madang.base.console import console, show_table
    from madang.science.standardize.mapping import changed_targets

    desk = open_desk(name)
    mappings = desk.book.mappings()
    with desk.vocabulary(vocabulary) as release:
        found = changed_targets(mappings, release)
        text = _("{n} approved mappings are changed by {release}.").format(n=f"{len(found):,}", release=release.release)
    if not found:
        console().print(text, markup=False)
        return
    columns = [_("vocabulary"), _("code"), _("name"), _("target"), _("change"), _("now"), _("instead")]
    rows = [
        [
            *change.mapping.code_key,
            change.mapping.source_name,
            f"{change.mapping.target_concept_id} {change.mapping.target_name}",
            ", ".join(change.kinds),
            change.now,
            ", ".join(map(str, change.replacements)),
        ]
        for change in found
    ]
    show_table(text, columns, rows)


def report(
    name: Name,
    to: Annotated[_File, typer.Option("--to", metavar="FILE", help="The page; by default NAME-mappings.html.")] = None,
    minimum: Annotated[int, typer.Option(min=1, help="Smaller counts are not shown.")] = 5,
) -> None:
    """Write the state of the review as one self-contained page."""
    from madang.base.console import console
    from madang.science.standardize.mapping import review_page, write_report

    desk = open_desk(name)
    stem = Path(name).stem
    path = to or Path(f"{stem}-mappings.html")
    title = _("Mapping review of {name}").format(name=stem)
    write_report(path, review_page(title, desk.items(), minimum=minimum))
    console().print(str(path), markup=False)
