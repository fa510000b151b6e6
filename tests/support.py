"""What tests of every storey share: real data beside the repository, and tools that may be missing."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MISSING = "missing: "  # how a skip for lack of something starts; conftest.py repeats these at the end of the run


def needs(tool: str | Path) -> Path:
    """The path of a program or file that a test cannot do without.

    Where it is absent the test is skipped, with a line at the end of the run that says so. Where CI=true it fails:
    the build server must not pass by leaving tests out.
    """
    path = Path(tool) if isinstance(tool, Path) or "/" in tool else Path(shutil.which(tool) or "")
    if path.is_absolute() and path.exists():
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{MISSING}{tool}", pytrace=False)
    pytest.skip(f"{MISSING}{tool}")


def shared_data(name: str) -> Path:
    """A folder or file of real data, kept beside the repository and never in it; the test is skipped without it."""
    path = Path(os.environ.get("MADANG_SHARED_DATA", ROOT.parent / "shared" / "data")) / name
    if not path.exists():
        pytest.skip(f"{MISSING}shared data {name}")
    return path
