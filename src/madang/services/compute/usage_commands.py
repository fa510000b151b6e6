"""`madang compute usage|quota|price`: what was used, what binds, what it costs."""

import json
from typing import Annotated

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]


@app.command("usage")
def usage_command(as_json: AsJson = False) -> None:
    """What projects and people used within 30 days, what is left of their quotas, and what it costs."""
    from dataclasses import asdict

    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import usage

    with opened() as node:
        found = usage.usage(node, commander(node))
        lines = ["; ".join(usage.left_lines(each)) for each in found]
    if as_json:
        print(json.dumps([asdict(each) | {"limit": each.limit} for each in found], ensure_ascii=False))
        return
    rows = [[each.title, each.tasks, each.waiting, each.running, left] for each, left in zip(found, lines, strict=True)]
    columns = [_("whose"), _("ended"), _("waiting"), _("running"), _("used, and what there is")]
    show_table(_("Use within 30 days"), columns, rows)


@app.command("quota")
def quota_command(
    share: Annotated[
        str, typer.Argument(help=_("project:NAME, person:LOGIN, organization:NAME (or numbers), or everybody."))
    ],
    core_hours: Annotated[float | None, typer.Option(help=_("Core hours within 30 days."))] = None,
    cores: Annotated[int | None, typer.Option(help=_("Cores at one time."))] = None,
    gpu_hours: Annotated[float | None, typer.Option(help=_("GPU hours within 30 days."))] = None,
    memory: Annotated[str, typer.Option(help=_("Memory at one time, as 500M or 4G."))] = "",
    disk: Annotated[str, typer.Option(help=_("Files that are kept, as 500M or 4G."))] = "",
) -> None:
    """Set what a project, person or organization may compute; without numbers there is no limit."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import quotas
    from madang.services.compute.definition import size_of

    most = [size_of(text) if text else None for text in (memory, disk)]
    with opened() as node:
        quotas.set_quota(node, commander(node), share, quotas.Limits(core_hours, cores, gpu_hours, *most))


@app.command("price")
def price_command(
    begins: Annotated[
        str, typer.Argument(help=_("The day on which it begins, as 2026-01-01; without: show prices."))
    ] = "",
    core_hour: Annotated[float, typer.Option(min=0, help=_("An hour of a core."))] = 0.0,
    gpu_hour: Annotated[float, typer.Option(min=0, help=_("An hour of a GPU."))] = 0.0,
    gigabyte: Annotated[float, typer.Option(min=0, help=_("A gigabyte that is kept for 30 days."))] = 0.0,
    currency: Annotated[str, typer.Option(help=_("The currency, as ISO 4217 has it."))] = "KRW",
    as_json: AsJson = False,
) -> None:
    """Set what computing costs from a day on, or show all prices."""
    from datetime import date

    from madang.base.console import show_table
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import prices

    with opened() as node:
        if begins:
            try:
                day = date.fromisoformat(begins)
            except ValueError:
                raise MadangError("price.bad", _("{text} is no day.").format(text=repr(begins)), "2026-01-01") from None
            costs = {"core_hour": core_hour, "gpu_hour": gpu_hour, "gigabyte": gigabyte}
            prices.set_price(node, commander(node), day, currency, **costs)
        with node.read() as session:
            found = prices.prices_in(session)
    told = [
        {
            "begins": each.begins.isoformat(),
            "currency": each.currency,
            "core_hour": each.core_hour,
            "gpu_hour": each.gpu_hour,
            "gigabyte": each.gigabyte,
        }
        for each in found
    ]
    if as_json:
        print(json.dumps(told))
        return
    rates = [_("an hour of a core"), _("an hour of a GPU"), _("a gigabyte for 30 days")]
    show_table(_("Prices"), [_("from", "time"), _("currency"), *rates], [list(each.values()) for each in told])
