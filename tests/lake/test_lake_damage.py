"""Damage is found and named, and never taken for data."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lakes import commit, new_lake, persons

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.lake import Dataset, Lake
from madang.lake.verify import verify


def two_versions(lake: Lake) -> Dataset:
    dataset = lake.dataset("d")
    first = commit(dataset, {"person": persons(1, 2)}, {"fates": persons(1)})
    commit(dataset, {"person": persons(3)}, {"fates": persons(3)}, parent=first)
    return dataset


def change(path: Path, how: Callable[[bytes], bytes]) -> None:
    os.chmod(path, 0o600)
    path.write_bytes(how(path.read_bytes()))


def data_file(dataset: Dataset) -> Path:
    return dataset.version(1).tables["person"].paths[0]


@given(st.integers(0, 5), st.integers(0, 10**6), st.integers(0, 7))
def test_one_changed_bit_anywhere_is_found(
    tmp_path_factory: pytest.TempPathFactory, file: int, place: int, bit: int
) -> None:
    """Anywhere but in the newest manifest: there only those can tell who know its hash."""
    dataset = two_versions(new_lake(tmp_path_factory.mktemp("damage")))
    versions = [dataset.version(1), dataset.version(2)]
    paths = [version.tables["person"].paths[-1] for version in versions]
    paths += [version.companion["fates"].paths[-1] for version in versions]
    paths += [dataset.manifest_path(1)]
    paths += [dataset.restricted_folder / "_versions" / f"{versions[1].manifest['restricted']}.json"]
    place %= paths[file].stat().st_size
    change(paths[file], lambda old: old[:place] + bytes([old[place] ^ (1 << bit)]) + old[place + 1 :])
    assert paths[file] in {finding.path for finding in verify(dataset)}


def test_what_is_missing_cut_or_grown_is_named(lake: Lake) -> None:
    dataset = two_versions(lake)
    path = data_file(dataset)
    change(path, lambda old: old[:-1])
    assert {(f.version, f.path, f.problem.split(" has")[0]) for f in verify(dataset)} == {
        (1, path, "the file"),
        (2, path, "the file"),
    }
    change(path, lambda old: old + b"xx")
    assert "instead of" in verify(dataset, 2)[0].problem
    path.unlink()
    assert verify(dataset)[0].problem == "the file is missing"
    dataset.manifest_path(1).unlink()
    assert verify(dataset)[0].problem == "the manifest is missing"


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document | {"number": 7},
        lambda document: document | {"dataset": "other"},
        lambda document: document | {"tables": {"../../x": document["tables"]["person"]}},
        lambda document: document | {"tables": {"person": document["tables"]["person"] | {"rows": 9}}},
        lambda document: document | {"tables": {"person": {}}},
        lambda document: document | {"tables": []},
        lambda document: document | {"format": 9},
        lambda document: document | {"parent": {"number": 2, "manifest": "0" * 64}},
        lambda document: document | {"restricted": "../../x"},
        lambda document: {key: value for key, value in document.items() if key != "info"},
        lambda document: {},
        lambda document: [],
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(lake: Lake, edit: Callable[[object], object]) -> None:
    dataset = two_versions(lake)
    change(dataset.manifest_path(2), lambda old: canonical_json(edit(json.loads(old))))
    with pytest.raises(MadangError) as refused:
        _ = lake.find("d@2").tables
    assert refused.value.code in ("lake.damaged", "lake.format")
    assert dataset.manifest_path(2) in {finding.path for finding in verify(dataset)}
    with pytest.raises(MadangError):
        lake.tidy()  # what is used cannot be known, so nothing is removed
    assert dataset.version(1).tables["person"].rows == 2


def test_names_of_files_cannot_lead_out_of_the_dataset(lake: Lake) -> None:
    dataset = two_versions(lake)
    name = dataset.version(2).tables["person"].files[0].name
    change(dataset.manifest_path(2), lambda old: old.replace(name.encode(), b"../../secret.parquet"))
    with pytest.raises(MadangError) as refused:
        _ = dataset.version(2).tables
    assert refused.value.code == "lake.damaged"


def test_rewriting_history_is_found_by_the_chain_of_hashes(lake: Lake) -> None:
    dataset = two_versions(lake)
    change(dataset.manifest_path(1), lambda old: old.replace(b'"label":"synthetic"', b'"label":"something"'))
    [finding] = verify(dataset)
    assert (finding.version, finding.path) == (1, dataset.manifest_path(1))
    assert "changed" in finding.problem


def test_a_changed_newest_manifest_has_another_hash(lake: Lake) -> None:
    dataset = two_versions(lake)
    known = dataset.version().digest
    change(dataset.manifest_path(2), lambda old: old.replace(b'"label":"synthetic"', b'"label":"something"'))
    assert verify(dataset) == []
    assert dataset.version().digest != known


def test_a_companion_that_was_changed_is_not_read(lake: Lake) -> None:
    dataset = two_versions(lake)
    companion = str(dataset.version(2).manifest["restricted"])
    path = dataset.restricted_folder / "_versions" / f"{companion}.json"
    change(path, lambda old: old.replace(b'"rows":2', b'"rows":3') + b" ")
    with pytest.raises(MadangError) as refused:
        _ = dataset.version(2).companion
    assert refused.value.code == "lake.damaged"
    assert 2 in {finding.version for finding in verify(dataset)}


def test_rows_that_do_not_have_the_content_that_was_written_down(lake: Lake) -> None:
    dataset = two_versions(lake)
    content = dataset.version(1).tables["person"].content
    change(dataset.manifest_path(1), lambda old: old.replace(content.encode(), b"0" * 32))
    problems = {finding.problem for finding in verify(dataset, 1, content=True)}
    assert "the rows have another content hash than the manifest says" in problems
