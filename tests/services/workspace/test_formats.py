"""Tables for SAS, Stata and SPSS, made where they are made: in the Python of workspaces."""

from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node import closed
from madang.node.home import Home
from madang.node.node import Node
from madang.services.workspace import inside
from madang.services.workspace.environment import find_environment
from support import needs


def test_tables_come_back_but_for_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("bwrap")
    node = Node.open(Home(tmp_path / "home"))
    try:
        environment = find_environment(node)
    except MadangError:
        needs("/environment of workspaces (script/environment workspace)")
    finally:
        node.close()
    program = Path(__file__).with_name("formats_inside.py")
    box = closed.Box(
        closed.Limits(60, 1 << 30, processes=64, open_files=512),
        read={"/opt/kernel": Path(inside.__file__).parent, "/check.py": program},
        environment_folder=environment,
    )
    finished = box.run([box.python, "-s", "/check.py"])
    assert finished.output == b"good", finished.errors.decode()
