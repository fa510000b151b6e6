"""`madang demo` from nothing to a certificate that a stranger verifies."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_demo_ends_with_a_certificate_of_exactly_these_bytes(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def madang(*arguments: str, status: int = 0, home: Path = home) -> str:
        environment = os.environ | {"MADANG_HOME": str(home), "MADANG_LANG": "en"}
        program = Path(sys.executable).with_name("madang")
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    out = madang("demo", "--persons", "50")
    assert "  valid: demo-hospital@1 met omop-ready@1" in out  # said by a second process
    # What belongs to the demo's project is there from the first time.
    assert json.loads(madang("compute", "list", "--json"))
    assert "demo-molecules" in madang("discovery", "library", "list")
    again = json.loads(madang("certificate", "issue", "demo-hospital", "--json"))
    assert not again["new"] and Path(again["folder"]).is_dir()
    folder, data = home / "certificates", home / "lake/demo-hospital"
    path = next((data / "care_site").glob("*.parquet"))
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    given = ["--key", folder / "issuer.jwk", "--status", folder / "status.jwt", "--data", data, "--json"]
    verify = ["certificate", "verify", f"{again['folder']}/certificate.jwt", *map(str, given)]
    answer = json.loads(madang(*verify, status=3, home=tmp_path / "stranger"))
    assert (answer["answer"], answer["dataset"]) == ("not about these data", "demo-hospital@1")
