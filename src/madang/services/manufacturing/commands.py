"""`madang manufacturing`: campaigns, monitoring, the twin, the foundry, runs and the simulated plant."""

import typer

from madang.services.manufacturing.commands_campaign import app as campaign
from madang.services.manufacturing.commands_foundry import app as foundry
from madang.services.manufacturing.commands_monitor import app as monitor
from madang.services.manufacturing.commands_runs import app as runs
from madang.services.manufacturing.commands_runs import simulate_command
from madang.services.manufacturing.commands_transfer import app as transfer
from madang.services.manufacturing.commands_twin import app as twin

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(campaign, name="campaign")
app.add_typer(foundry, name="foundry")
app.add_typer(monitor, name="monitor")
app.add_typer(runs, name="runs")
app.add_typer(transfer, name="transfer")
app.add_typer(twin, name="twin")
app.command("simulate")(simulate_command)


@app.callback()
def manufacturing() -> None:
    """Develop a bioprocess: design, run, watch, understand."""
