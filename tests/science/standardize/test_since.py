"""A dataset that an earlier release made says which of its values could differ now, from its manifest alone."""

from madang.science.standardize.since import CANNOT_TELL, COULD, could_differ

INFO = {
    "pack": {"name": "my-hospital", "version": "1.0"},
    "layouts": {
        "dx": {"format": "csv", "shown": ["CODE", "AMT"]},
        "obs": {"format": "ndjson", "shown": ["subject.reference", "status"]},
        "none": {"format": "csv", "shown": ["X"]},
    },
    "files": [{"source": "dx"}, {"source": "dx"}, {"source": "obs"}],
}


def test_doubts_by_pack_source_and_column() -> None:
    doubts = {(d.source, d.column): d.answer for d in could_differ(INFO)}
    assert doubts["dx", "(key)"] == COULD
    assert doubts["dx", "AMT"] == CANNOT_TELL
    assert doubts["obs", "subject.reference"] == COULD
    assert ("obs", "(key)") not in doubts
    assert not [source for source, _ in doubts if source == "none"]
    assert {d.pack for d in could_differ(INFO)} == {"my-hospital 1.0"}


def test_a_dataset_of_this_release_has_no_doubts() -> None:
    assert could_differ({**INFO, "rules": 3}) == []


def test_one_of_the_release_before_has_those_of_what_it_did_otherwise() -> None:
    doubts = {(d.source, d.column): d.answer for d in could_differ({**INFO, "rules": 2})}
    assert doubts == {
        ("dx", "(key)"): CANNOT_TELL, ("obs", "(lines)"): COULD, ("obs", "(days)"): COULD,
        ("(all)", "observation_period_start_date"): COULD, ("(all)", "observation_period_end_date"): COULD,
    }  # fmt: skip
