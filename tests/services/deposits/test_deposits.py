"""A deposit from nothing to a published record; uploads that stop anywhere; what strangers cannot do."""

import base64
import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node import closed
from madang.services.catalog import exporting
from madang.services.catalog import service as catalog
from madang.services.deposits import checking, checks, publishing, putting, reading, runs, service, store
from madang.services.deposits.checklists import checklists, sheet
from madang.services.deposits.models import Deposit, DepositFile, Sheets
from portal_house import OURS, OWNER, House, describe, work_off
from support import children, needs, shared_data
from web.served import Served

SHEET = "sample_alias,taxon_id,collection date,geographic location (country and/or sea)\n"


def reads(mate: int, count: int = 20, name: str = "r") -> str:
    return "".join(f"@{name}{number}/{mate}\nACGT\n+\nIIII\n" for number in range(count))


def boxes() -> None:
    needs("bwrap")
    if not closed.is_available():
        pytest.skip(f"missing: closed programs ({closed.why_not()})")


def begun(house: House, folder: Path, taxon: int = 562) -> Path:
    """A deposit with a pair of reads and one sample."""
    service.begin(house.node, OWNER, "mine", "insdc", "hospital", "리드")
    service.describe(house.node, OWNER, "mine", description="합성 리드", license="CC0-1.0")
    given = folder / "given"
    given.mkdir()
    for mate in (1, 2):
        (given / f"a_R{mate}.fastq").write_text(reads(mate))
    putting.put_folder(house.node, OWNER, "mine", given)
    (folder / "sheet.csv").write_text(f"{SHEET}a,{taxon},2026-01-31,South Korea\n")
    assert service.put_sheet(house.node, OWNER, "mine", folder / "sheet.csv") == []
    return given


def test_from_nothing_to_a_published_record(house: House, site: Served, tmp_path: Path) -> None:
    boxes()
    begun(house, tmp_path)
    assert [each for each in checks.check(house.node, OWNER, "mine") if each["severity"] == "wrong"] == []
    service.submit(house.node, OWNER, "mine")
    with pytest.raises(MadangError, match="cannot be done now"):
        service.describe(house.node, OWNER, "mine", title="other")
    service.give_back(house.node, OWNER, "mine", "Which strain?")
    service.submit(house.node, OWNER, "mine")
    record = service.approve(house.node, OWNER, "mine")
    work_off(house.node)
    assert catalog.see(house.node, OWNER, record).tier == "open"
    catalog.publish(house.node, OWNER, record, 1)
    assert service.see(house.node, OWNER, "mine").state == "published"
    assert site.get(f"/records/{record}").status_code == site.get(f"/records/{record}/forms").status_code == 200
    assert all(each.valid for each in exporting.reports(house.node, OWNER, record)[1])


def test_data_of_people_need_consent_and_go_to_the_controlled_tier(house: House, tmp_path: Path) -> None:
    boxes()
    begun(house, tmp_path, taxon=9606)
    with pytest.raises(MadangError, match="things are wrong"):
        service.submit(house.node, OWNER, "mine")
    codes = [each["code"] for each in checking.findings(service.see(house.node, OWNER, "mine"))]
    assert codes.count("deposit.people") == 3
    service.describe(house.node, OWNER, "mine", consent="GRU", ethics="IRB-1", deidentified="k-anonymous")
    service.submit(house.node, OWNER, "mine")
    record = service.approve(house.node, OWNER, "mine")
    assert catalog.see(house.node, OWNER, record).tier == "controlled"
    out = tmp_path / "package"
    publishing.package(house.node, service.see(house.node, OWNER, "mine"), "k-bds", out)
    assert "human biodata" in (out / "project.tsv").read_text()
    for line in (out / "md5sum.txt").read_text().splitlines():
        md5, name = line.split("  ")
        assert hashlib.md5((out / "files" / name).read_bytes()).hexdigest() == md5


def test_swapped_and_mixed_pairs_and_doubles_are_found(house: House, tmp_path: Path) -> None:
    boxes()
    given = begun(house, tmp_path)
    (given / "b_R1.fastq").write_text(reads(2, name="b"))
    (given / "b_R2.fastq").write_text(reads(1, name="b"))
    (given / "c_R1.fastq").write_text(reads(1, name="c"))
    (given / "c_R2.fastq").write_text(reads(2, name="d"))
    (given / "e_R1.fastq").write_text(reads(1, name="e")[:-3])
    (given / "f.fastq").write_text(reads(1))
    putting.put_folder(house.node, OWNER, "mine", given)
    found = {(each["file"], each["code"]) for each in checks.check(house.node, OWNER, "mine")}
    wanted = {
        ("b_R1.fastq", "pair.swapped"),
        ("c_R1.fastq", "pair"),
        ("e_R1.fastq", "file.cut"),
        ("f.fastq", "file.twice"),
    }
    assert wanted <= found
    assert ("a_R1.fastq", "pair") not in found
    for name in ("b_R1.fastq", "b_R2.fastq", "c_R1.fastq", "c_R2.fastq", "e_R1.fastq", "f.fastq"):
        service.remove(house.node, OWNER, "mine", name)
    assert [each for each in checks.check(house.node, OWNER, "mine") if each["severity"] == "wrong"] == []


def test_md5_lists_are_compared_and_put_goes_on(house: House, tmp_path: Path) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    (tmp_path / "given").mkdir()
    given = tmp_path / "given"
    (given / "a.txt").write_text("one")
    (given / "b.txt").write_text("two")
    (given / "link.txt").symlink_to("/etc/passwd")
    (given / "md5.txt").write_text(f"{hashlib.md5(b'one').hexdigest()}  a.txt\n{'0' * 32}  b.txt\n")
    with pytest.raises(MadangError, match=r"b\.txt is another one"):
        putting.put_folder(house.node, OWNER, "mine", given)
    (given / "md5.txt").unlink()
    assert putting.put_folder(house.node, OWNER, "mine", given) == putting.Put(1, 1)
    assert [file.name for file in service.see(house.node, OWNER, "mine").files] == ["a.txt", "b.txt"]


@pytest.mark.parametrize("name", ["../x", "a/../b", "/x", "", "a\x00b", "a\nb", "x" * 401, "a//b", "a\\b", "."])
def test_names_of_files_that_are_refused(name: str) -> None:
    with pytest.raises(MadangError, match="cannot name a file"):
        service.file_name(name)


def test_a_case_twin_is_refused(house: House) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    service.reserve(house.node, OWNER, "mine", "a.csv", 3)
    with pytest.raises(MadangError, match="already"):
        service.reserve(house.node, OWNER, "mine", "A.csv", 3)


def test_tus_stops_goes_on_and_refuses(house: House, site: Served) -> None:
    with site.browser({"madang": house.cookies["steward"]}) as browser:
        made = {"name": "mine", "model": "table", "organization": "hospital"}
        assert browser.post("/api/v1/deposits", json=made, headers=OURS).status_code == 200
        content = os.urandom(3_000_000)
        name = "filename " + base64.b64encode(b"a b.bin").decode()
        size = {"Upload-Length": str(len(content)), "Upload-Metadata": name, "Tus-Resumable": "1.0.0"}
        place = browser.post("/deposits/mine/uploads", headers=OURS | size)
        assert place.status_code == 201
        path = "/deposits" + place.headers["location"].partition("/deposits")[2]

        def send(at: int, piece: bytes, **more: str) -> int:
            head = OURS | {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
            return browser.patch(path, content=piece, headers=head | more).status_code

        assert send(0, content[:1_000_000]) == 204
        assert send(0, content[:10]) == 409
        assert send(2_000_000, content[2_000_000:]) == 409
        bad = {"Upload-Checksum": "sha256 " + base64.b64encode(b"x" * 32).decode()}
        assert send(1_000_000, content[1_000_000:2_000_000], **bad) == 460
        assert browser.head(path).headers["upload-offset"] == "1000000"
        good = "sha256 " + base64.b64encode(hashlib.sha256(content[1_000_000:2_000_000]).digest()).decode()
        assert send(1_000_000, content[1_000_000:2_000_000], **{"Upload-Checksum": good}) == 204
        assert send(2_000_000, content[2_000_000:] + b"more") == 422
        with site.browser({"madang": house.cookies["member"]}) as other:
            assert other.head(path).status_code == 404
        at = int(browser.head(path).headers["upload-offset"])
        assert send(at, content[at:]) == 204
        file = service.see(house.node, OWNER, "mine").files[0]
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert send(len(content), b"") == 409
        assert browser.get(f"/deposits/mine/files/{file.id}").content == content


def _append_and_die(home: str, number: int, at: int, piece: bytes) -> None:
    from madang.node.home import Home

    with store.appending(Home(Path(home)), number, at, 1 << 20) as part:
        part.write(piece)
        os.kill(os.getpid(), signal.SIGKILL)


def test_kill_9_within_an_upload_loses_nothing_and_doubles_nothing(house: House) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    content = os.urandom(50_000)
    file = service.reserve(house.node, OWNER, "mine", "a.bin", len(content))
    store.part(house.node.home, file.id)
    for _time in range(5):
        at = store.offset(house.node.home, file.id)
        given = (str(house.node.home.path), file.id, at, content[at : at + 7_000])
        child = children.Process(target=_append_and_die, args=given)
        child.start()
        child.join(300)
        assert child.exitcode == -signal.SIGKILL
    at = store.offset(house.node.home, file.id)
    assert at == 35_000
    assert store.part(house.node.home, file.id).read_bytes() == content[:at]
    with store.appending(house.node.home, file.id, at, len(content)) as part:
        part.write(content[at:])
    for _time in range(2):
        assert service.finish(house.node, OWNER, "mine", file.id).sha256 == hashlib.sha256(content).hexdigest()


def test_ena_checklists_are_read_and_their_mandatory_fields_act(house: House) -> None:
    told = shared_data("ena_checklists/fields.json")
    folder = house.node.home.path / "standards" / "ena_checklists"
    folder.mkdir(parents=True)
    (folder / "fields.json").write_bytes(told.read_bytes())
    known = checklists(house.node.home)
    assert len(known) == 48 + 3
    from madang.science.formats import check_sheet

    for name, each in json.loads(told.read_text())["checklists"].items():
        _samples, wrong = check_sheet(known[name], [list(known[name].columns), ["a"]])
        assert {one.column for one in wrong if "missing" in one.reason} == set()
        _samples, wrong = check_sheet(known[name], [["sample_alias"], ["a"]])
        assert {one.column for one in wrong if "missing" in one.reason} == set(each["mandatory"])
    assert sheet(known["ERC000033"])[:2] == b"PK"


def test_mixs_classes_are_read_and_what_they_require_acts(house: House) -> None:
    told = shared_data("mixs/required_fields.json")
    folder = house.node.home.path / "standards" / "mixs"
    folder.mkdir(parents=True)
    (folder / "required_fields.json").write_bytes(told.read_bytes())
    known = checklists(house.node.home)
    classes = json.loads(told.read_text())["classes"]
    assert len(known) == len(classes) + 3 == 281
    from madang.science.formats import check_sheet

    for name, each in classes.items():
        required = set(each["required"])
        full = ["sample_alias", "taxon_id", *sorted(required - {"taxon_id"}), "something_else"]
        row = ["a", "562", *("not collected" for _ in full[2:])]
        samples, wrong = check_sheet(known[name], [full, row])
        assert wrong == [] and samples[0]["something_else"] == "not collected", name  # a field that it does not require
        for gone in required:
            place = full.index(gone)
            left = check_sheet(known[name], [full[:place] + full[place + 1 :], row[:place] + row[place + 1 :]])[1]
            assert [(each.row, each.column) for each in left] == [(1, gone)], name
        wrong = check_sheet(known[name], [full, ["a", "562", *("" for _ in full[2:])]])[1]
        assert {each.column for each in wrong} == required - {"taxon_id"}, name
    (folder / "required_fields.json").write_text("{")
    with pytest.raises(MadangError, match="holds no checklists"):
        checklists(house.node.home)


def test_mandatory_one_of_and_optional_fields_of_our_checklists_act() -> None:
    from madang.science.formats import check_sheet
    from madang.services.deposits.checklists import OURS

    for list_ in OURS.values():
        needed = ["sample_alias", *list_.mandatory, *(group[-1] for group in list_.one_of)]
        plain = {"taxon_id": "562", "lat_lon": "37.5 N 127 E", "sex": "female"}
        row = ["a", *(plain.get(name, "not collected") for name in needed[1:])]
        assert check_sheet(list_, [needed, row])[1] == []  # what is optional may lack
        for name in list_.mandatory:
            emptied = ["" if each == name else value for each, value in zip(needed, row, strict=True)]
            assert [each.column for each in check_sheet(list_, [needed, emptied])[1]] == [name]
        for group in list_.one_of:
            for one in group:  # any one of them is enough, none is not
                head = [one if each == group[-1] else each for each in needed]
                assert check_sheet(list_, [head, row])[1] == []
            place = needed.index(group[-1])
            wrong = check_sheet(list_, [needed, [*row[:place], "", *row[place + 1 :]]])[1]
            assert [(each.column, "One of these" in each.reason) for each in wrong] == [(group[0], True)]


@pytest.mark.parametrize(
    ("field", "value", "human"),
    [
        ("taxon_id", "9606", True),
        ("samp_taxon_id", "Homo sapiens [NCBITaxon:9606]", True),
        ("host_taxid", "9606", True),
        ("host scientific name", "Homo sapiens", True),
        ("taxon_id", "96061", False),
        ("host scientific name", "Mus musculus", False),
    ],
)
def test_who_is_human(field: str, value: str, human: bool) -> None:
    deposit = Deposit(name="d", title="d", model="insdc", consent="", ethics="")
    deposit.sheets = Sheets([{"sample_alias": "a", "taxon_id": "408170", field: value}])
    assert (runs.human_samples(deposit) == {"a"}) is human


def test_files_of_people_get_a_record_of_their_own_and_only_the_others_are_open(
    house: House, site: Served, tmp_path: Path
) -> None:
    boxes()
    node = house.node
    service.begin(node, OWNER, "mixed", "insdc", "hospital", "Mixed")
    told = {"consent": "GRU, NPU", "ethics": "IRB-1", "deidentified": "k-anonymous", "license": "CC0-1.0"}
    service.describe(node, OWNER, "mixed", description="Reads", title_en="Mixed reads", **told)
    given = tmp_path / "given"
    given.mkdir()
    for sample in ("a", "b", "p1"):
        for mate in (1, 2):
            (given / f"{sample}_R{mate}.fastq").write_text(reads(mate, name=sample))
    putting.put_folder(node, OWNER, "mixed", given)
    rows = "a,562,2026-01-31,South Korea\nb,562,2026-01-31,South Korea\np1,9606,2026-01-31,South Korea\n"
    (tmp_path / "sheet.csv").write_text(SHEET + rows)
    assert service.put_sheet(node, OWNER, "mixed", tmp_path / "sheet.csv") == []
    service.submit(node, OWNER, "mixed")
    deposit = service.see(node, OWNER, "mixed")
    assert checking.tier(deposit) == "both"
    assert [(run.alias, run.sample) for run in runs.runs_of(deposit)] == [("a", "a"), ("b", "b"), ("p1", "p1")]
    assert service.approve(node, OWNER, "mixed") == "deposit-mixed"
    work_off(node)
    for name in ("deposit-mixed", "deposit-mixed-people"):
        assert service.see(node, OWNER, "mixed").state == "approved"
        describe(node, name)
        catalog.publish(node, OWNER, name, 1)
    assert service.see(node, OWNER, "mixed").state == "published"
    people = catalog.see(node, OWNER, "deposit-mixed-people")
    assert people.tier == "controlled" and people.told.data_use == ("DUO:0000005", "DUO:0000018")
    entry = exporting.entry_of(node, OWNER, catalog.see(node, OWNER, "deposit-mixed"), "http://x")
    shown = [file.name for file in entry.files if file.address.startswith("http://x/deposited/")]
    assert shown == ["a_R1.fastq", "a_R2.fastq", "b_R1.fastq", "b_R2.fastq"]
    of = {file.name: file for file in deposit.files}
    open_one, closed_one = of["a_R1.fastq"], of["p1_R1.fastq"]
    assert site.get(f"/deposited/deposit-mixed/{open_one.id}").content == (given / "a_R1.fastq").read_bytes()
    assert site.get(f"/deposited/deposit-mixed/{closed_one.id}").status_code == 404, "not of this record"
    stranger = {"madang": house.cookies["member"]}
    closed_answer = site.get(f"/deposited/deposit-mixed-people/{closed_one.id}", cookies=stranger)
    assert closed_answer.status_code == 403
    assert "p1_R1" not in site.get("/records/deposit-mixed").text
    page = site.get("/records/deposit-mixed").text
    assert "a_R1.fastq" in page and "ATLAS" not in page and "OMOP" not in page
    out = tmp_path / "package"
    publishing.package(node, service.see(node, OWNER, "mixed"), "k-bds", out)
    assert "p1_R1" in (out / "human" / "files.tsv").read_text()
    assert "p1" not in "".join(path.read_text() for path in (out / "bioproject").glob("*.*"))


def test_a_file_that_is_of_no_sample_goes_with_people() -> None:
    names = ("a_R1.fastq", "x_R1.fastq", "p_R1.fastq")
    files = [DepositFile(id=n, name=name, bytes=1, format="FASTQ") for n, name in enumerate(names)]
    found = Deposit(name="d", model="insdc", consent="", ethics="", files=files)
    parent = {"sample_alias": "c", "taxon_id": "562", "derived_from": "p"}
    samples = [{"sample_alias": "a", "taxon_id": "562"}, {"sample_alias": "p", "taxon_id": "9606"}, parent]
    found.sheets = Sheets(samples=samples)
    people, others = runs.people_files(found)
    assert [file.name for file in others] == ["a_R1.fastq"] and len(people) == 2
    assert runs.human_samples(found) == {"p", "c"}, "what stems from a person is of people"


def test_a_sheet_of_runs_is_filled_in_and_taken_back_and_its_wrong_cells_stand_in_place(
    house: House, site: Served, tmp_path: Path
) -> None:
    boxes()
    begun(house, tmp_path)
    checks.check(house.node, OWNER, "mine")
    filled = tmp_path / "runs.xlsx"
    filled.write_bytes(runs.run_sheet(service.see(house.node, OWNER, "mine")))
    wrong = service.put_sheet(house.node, OWNER, "mine", filled, "runs")
    assert {each["column"] for each in wrong} == {
        *("library_strategy", "library_source", "library_selection", "instrument_model")
    }
    steward = {"madang": house.cookies["steward"]}
    assert len(site.get("/api/v1/deposits/mine", cookies=steward).json()["wrong"]) == 4
    head = "run_alias,sample_alias,library_strategy,library_source,library_selection,library_layout,instrument_model,"
    row = "r1,a,WGS,GENOMIC,RANDOM,PAIRED,Illumina NovaSeq 6000,a_R1.fastq,a_R2.fastq\n"
    (tmp_path / "runs.csv").write_text(head + "file_1,file_2\n" + row)
    assert service.put_sheet(house.node, OWNER, "mine", tmp_path / "runs.csv", "runs") == []
    told = site.get("/api/v1/deposits/mine", cookies=steward).json()
    assert told["wrong"] == [] and told["runs"][0]["files"] == ["a_R1.fastq", "a_R2.fastq"]
    assert not [each for each in checks.check(house.node, OWNER, "mine") if each["severity"] == "wrong"]
    (tmp_path / "runs.csv").write_text(head + "file_1,file_2\n" + row.replace("r1,a,", "r1,z,").replace("a_R2", "c"))
    service.put_sheet(house.node, OWNER, "mine", tmp_path / "runs.csv", "runs")
    codes = {each["code"] for each in checks.check(house.node, OWNER, "mine")}
    assert {"run.sample", "run.file"} <= codes


def test_an_umbrella_holds_projects_and_no_files(house: House, tmp_path: Path) -> None:
    node = house.node
    service.begin(node, OWNER, "roof", "umbrella", "hospital", "Roof")
    service.begin(node, OWNER, "one", "insdc", "hospital", "One")
    service.describe(node, OWNER, "one", umbrella="roof")
    assert service.names_within(node, service.see(node, OWNER, "roof")) == ["one"]
    with pytest.raises(MadangError, match="no umbrella project"):
        service.describe(node, OWNER, "roof", umbrella="one")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "a.csv").write_text("a\n1\n")
    with pytest.raises(MadangError, match="holds projects"):
        putting.put_folder(node, OWNER, "roof", tmp_path / "given")
    service.begin(node, OWNER, "bds", "k-bds", "hospital", "BDS")
    service.note(node, OWNER, "bds", "KAP1")
    with pytest.raises(MadangError, match="frozen"):
        service.describe(node, OWNER, "bds", description="More")


def test_many_small_files_are_one_act_and_a_wrong_hash_takes_none_in(house: House, tmp_path: Path) -> None:
    node = house.node
    service.begin(node, OWNER, "mine", "table", "hospital")
    given = tmp_path / "given"
    given.mkdir()
    for number in range(600):
        (given / f"{number}.txt").write_text(f"{number}\n")
    assert putting.put_folder(node, OWNER, "mine", given) == putting.Put(600, 0)
    assert putting.put_folder(node, OWNER, "mine", given) == putting.Put(0, 600)
    files = service.see(node, OWNER, "mine").files
    assert {each.sha256 for each in files} == {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in given.iterdir()
    }
    assert all(store.whole(node.home, each.sha256).stat().st_mode & 0o777 == 0o444 for each in files)
    (given / "new.txt").write_text("new")
    (given / "md5sum.txt").write_text(f"{'0' * 32}  new.txt\n")
    with pytest.raises(MadangError, match="another one than its hash"):
        putting.put_folder(node, OWNER, "mine", given)
    assert len(service.see(node, OWNER, "mine").files) == 600


def test_files_that_are_read_together_are_told_as_each_alone_and_one_that_kills_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes()
    contents = {"a.fastq": reads(1), "b.csv": "a,b\n1,2\n", "c.fastq": "@x\nAC\n", "d.json": "{", "empty.csv": ""}
    files = []
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        files.append((tmp_path / name, name))
    alone = [reading.look_closed(path, name) for path, name in files]
    assert reading.look_together(files) == alone
    monkeypatch.setattr(reading, "_ask_all", lambda group: [])  # as after a parser that ended by itself
    assert reading.look_together(files) == alone


def test_a_list_of_hashes_that_came_as_a_file_is_compared_at_the_check(house: House, tmp_path: Path) -> None:
    boxes()
    begun(house, tmp_path)
    good = hashlib.md5(reads(1).encode()).hexdigest()
    told = f"{good}  a_R1.fastq\n{'0' * 32}  a_R2.fastq\n".encode()
    service.put_bytes(house.node, OWNER, "mine", "md5sum.txt", told)
    found = checks.check(house.node, OWNER, "mine")
    assert [each["file"] for each in found if each["code"] == "file.hash"] == ["a_R2.fastq"]
