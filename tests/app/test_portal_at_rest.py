"""What the portal has loaded when nobody asks anything: what computes comes with the first question for it."""

import json
import subprocess
import sys
from pathlib import Path

HEAVY = {  # packages that only some questions need, and the millions of bytes that they would take in every process
    *("altair", "cryptography", "deltalake", "duckdb", "duckcdm", "gemmi", "h5py", "highspy", "joserfc"),
    *("lightgbm", "llvmlite", "lxml", "markdown_it", "matplotlib", "numba", "numpy", "openpyxl", "pandas", "polars"),
    *("pyarrow", "pydicom", "pysam", "pyspark", "rdkit", "scipy", "sklearn", "sqlglot", "tifffile", "vl_convert"),
}
PROGRAM = """
import json, sys
from pathlib import Path
from starlette.testclient import TestClient
from madang.app.portal import portal
from madang.node.home import Home
from madang.node.node import Node
node = Node.open(Home(Path(sys.argv[1])))
app = portal(node, keeper=False)
loaded = {"at rest": sorted({name.partition(".")[0] for name in sys.modules})}
client = TestClient(app)
for path in ("/", "/records", "/sign-in"):
    assert client.get(path).status_code == 200, path
loaded["after pages"] = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps(loaded))
"""


def test_the_portal_at_rest_has_not_loaded_what_computes(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = {when: set(names) for when, names in json.loads(ran.stdout).items()}
    assert loaded["at rest"] & HEAVY == set()
    assert loaded["after pages"] & HEAVY == set()
    assert {"fastapi", "sqlalchemy", "madang"} <= loaded["at rest"]  # the names are those of packages
