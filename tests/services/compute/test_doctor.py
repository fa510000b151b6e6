"""The doctor says where tasks run, and what keeps them from it."""

from typing import Any

import pytest

from madang.node import closed
from madang.services.compute.doctor import look
from portal_house import House


def levels(house: House) -> dict[str, str]:
    return {each.what: each.level for each in look(house.node)}


def test_the_doctor_sees_boxes_clusters_and_mistakes(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(closed, "why_not", lambda: "no namespaces")
    assert levels(house)["tasks"] == "doubtful"
    settings = house.node.home.folder("compute") / "cluster.toml"
    settings.write_text("executor = 'nomad'\n")
    (finding,) = look(house.node)
    assert finding.level == "bad" and "executor" in finding.message
    told = f"executor = 'slurm'\nfolder = '{tmp_path / 'shared'}'\ncores = 4\nmemory = '8G'\n"
    settings.write_text(told + "# again\n")
    monkeypatch.setattr("shutil.which", lambda name: None if name == "sbatch" else f"/bin/{name}")
    assert levels(house)["cluster"] == "bad"
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert levels(house)["cluster"] == "bad"
    (tmp_path / "shared").mkdir()
    assert levels(house)["cluster"] == "good"
    (house.node.home.path / "compute" / "cluster.json").write_text('{"said": "It is down."}')
    assert levels(house)["cluster"] == "doubtful"
