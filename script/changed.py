"""Which tests belong to what changed since main (committed or not); called by `script/test --changed`.

Prints paths of tests. A room brings its own tests; the storeys below bring those of all that stands on them only where
they are named here, so the whole run before landing is not replaced by this.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALWAYS = ("tests/house",)  # style of the source, docs, translations


def changed() -> set[str]:
    """Paths that differ from main, committed, staged, lying around or new."""
    base = subprocess.run(["git", "merge-base", "HEAD", "main"], capture_output=True, text=True, cwd=ROOT, check=False)
    since = base.stdout.strip() or "HEAD~1"
    commands = (["git", "diff", "--name-only", since], ["git", "ls-files", "--others", "--exclude-standard"])
    outputs = [subprocess.run(each, capture_output=True, text=True, cwd=ROOT, check=True).stdout for each in commands]
    return {line for output in outputs for line in output.splitlines()}


def tests_of(path: str) -> list[str]:
    """The tests of a file, as paths that may not exist."""
    parts = Path(path).parts
    if parts[0] == "tests":
        whole = parts[1:2] if len(parts) < 4 else parts[1:3]
        return [path] if Path(path).name.startswith("test_") else ["/".join(("tests", *whole))]
    if parts[:2] != ("src", "madang") or len(parts) < 4:
        return []
    storey, room = parts[2], parts[3].removesuffix(".py")
    if storey == "services":
        return [f"tests/services/{room}", "tests/services/test_portal.py", f"tests/attacks/test_{room}.py"]
    if storey == "science":
        return [f"tests/science/{room}"]
    return [f"tests/{storey}"]


def main() -> None:
    """Print them, each once."""
    found = {test for path in changed() for test in tests_of(path)} | set(ALWAYS)
    kept = sorted(each for each in found if (ROOT / each).exists())
    print("\n".join(each for each in kept if not any(each.startswith(f"{other}/") for other in kept)))


if __name__ == "__main__":
    sys.exit(main())
