"""An alliance of one asking node and four sites over loopback."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from madang.services.alliance.serving import application
from services.alliance.alliance_house import Alliance, link, make_nodes
from web.served import serving


def tables(count: int, rows: int = 60, seed: int = 1) -> list[pa.Table]:
    chance = np.random.default_rng(seed)
    found = []
    for _site in range(count):
        age, sex = chance.integers(40, 90, rows), chance.integers(0, 2, rows)
        time = np.ceil(chance.exponential(300 / (1 + 0.3 * sex), rows))
        status = (chance.random(rows) < 0.7).astype(int)
        risk = 1 / (1 + np.exp(-(0.03 * (age - 65) + 0.4 * sex)))
        sick = (chance.random(rows) < risk).astype(int)
        found.append(pa.table({"age": age, "sex": sex, "time": time, "status": status, "sick": sick}))
    return found


@pytest.fixture
def alliance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alliance]:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", "127.0.0.1")
    center, sites = make_nodes(tmp_path, 4)
    with serving(application(center)) as served:
        made = Alliance(center, sites, served.address)
        link(made, tables(4))
        yield made
    made.close()
