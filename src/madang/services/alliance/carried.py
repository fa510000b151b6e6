"""`madang alliance courier` and `hand`: what goes by files, and what is filled in by hand."""

from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _
from madang.services.alliance.said import File, Number, acting, node_of, read, say, write

courier = typer.Typer(add_completion=False, no_args_is_help=True, help=_("Studies and answers as signed files."))


@courier.command("out")
def courier_out(number: Number, partner: Annotated[str, typer.Argument(help=_("Partner."))], file: File) -> None:
    """Write the file with a study for a site that has no way out."""
    from madang.services.alliance import courier as files

    with node_of() as node:
        write(file, files.carried_out(node, acting(node), number, partner))
    say(_("{file} can be carried to {partner}.").format(file=file, partner=partner))


@courier.command("in")
def courier_in(file: File) -> None:
    """At the site: take a study's file in."""
    from madang.services.alliance import courier as files

    with node_of() as node:
        study = files.brought_in(node, acting(node), read(file))
    say(_("It is study {number}: {title}").format(number=study.id, title=study.title))


@courier.command("answer")
def courier_answer(file: File, out: Annotated[Path, typer.Argument(help=_("The answer's file to write."))]) -> None:
    """At the site: write the answer to an approved study."""
    from madang.services.alliance import courier as files

    with node_of() as node:
        write(out, files.answered(node, acting(node), read(file)))
    say(_("{file} can be carried out.").format(file=out))


@courier.command("back")
def courier_back(file: File) -> None:
    """At the asking node: take an answer's file in."""
    from madang.services.alliance import courier as files

    with node_of() as node:
        study = files.taken_back(node, acting(node), read(file))
    say(_("The answer belongs to study {number}.").format(number=study.id))


hand = typer.Typer(add_completion=False, no_args_is_help=True, help=_("Sites without a node, which fill in a form."))


@hand.command("add")
def hand_add(name: Annotated[str, typer.Argument(help=_("What to call the site."))]) -> None:
    """Write down a site that has no node and answers by hand."""
    from madang.services.alliance import byhand

    with node_of() as node:
        made = byhand.add_site(node, acting(node), name)
    say(_("{name} is asked what takes one round, and answers by hand.").format(name=made.name))


@hand.command("form")
def hand_form(number: Number, file: File) -> None:
    """Write the form of a study (.csv), to be filled in at a site."""
    from madang.services.alliance import byhand

    with node_of() as node:
        write(file, byhand.form(node, acting(node), number).encode())
    say(_("{file} can be sent to the site.").format(file=file))


@hand.command("back")
def hand_back(
    number: Number,
    partner: Annotated[str, typer.Argument(help=_("Partner."))],
    file: File,
    source: Annotated[str, typer.Option("--from", help=_("Who told the numbers, and how: a name and a letter, say."))],
) -> None:
    """Take a filled form in."""
    from madang.services.alliance import byhand

    with node_of() as node:
        byhand.taken(node, acting(node), number, partner, read(file), source)
    say(_("The numbers of {partner} are in study {number}.").format(partner=partner, number=number))
