"""`madang manufacturing`: campaigns, monitoring, the twin, the foundry, runs and the simulated plant."""

import typer

from madang.services.manufacturing.commands_monitor import app as monitor

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(monitor, name="monitor")


@app.callback()
def manufacturing() -> None:
    """Develop a bioprocess: design, run, watch, understand."""
