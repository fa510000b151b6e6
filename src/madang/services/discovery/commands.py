"""`madang discovery`: libraries, search, models, curves, docking and ranking, each from a file or a library."""

import typer

from madang.services.discovery import command_library, command_search

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(command_library.app, name="library")
app.command("search")(command_search.search_command)
