"""`madang discovery`: libraries, search, models, curves, docking and ranking, each from a file or a library."""

import typer

from madang.services.discovery import (
    command_curves,
    command_dock,
    command_library,
    command_model,
    command_rank,
    command_search,
    command_sequences,
)

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(command_library.app, name="library")
app.command("search")(command_search.search_command)
app.add_typer(command_sequences.app, name="sequences")
app.add_typer(command_model.app, name="model")
app.command("curves")(command_curves.curves_command)
app.command("dock")(command_dock.dock_command)
app.command("rank")(command_rank.rank_command)
app.command("rgroups")(command_rank.rgroups_command)
app.command("pairs")(command_rank.pairs_command)
