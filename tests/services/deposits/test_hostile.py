"""Uploads that stop at any byte or come from two sides, and workbooks as people and programs make them."""

import hashlib
import os
from datetime import datetime
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.services.deposits import lists, putting, reading, service, store
from portal_house import OWNER, House
from services.deposits.test_deposits import boxes

HEAD = ["sample_alias", "taxon_id", "collection date", "geographic location (country and/or sea)"]


@pytest.mark.parametrize("forgets", [False, True], ids=["one process", "another process each time"])
def test_an_upload_that_stops_at_every_byte_is_whole_in_the_end(house: House, forgets: bool) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    content = os.urandom(60)
    for stop in range(len(content) + 1):
        file = service.reserve(house.node, OWNER, "mine", f"f{stop}.bin", len(content))
        for end in (stop, len(content)):
            at = store.offset(house.node.home, file.id)
            with store.appending(house.node.home, file.id, at, len(content)) as part:
                part.write(content[at:end])
            if forgets:
                store._hashing.clear()
        done = service.finish(house.node, OWNER, "mine", file.id)
        assert done.sha256 == hashlib.sha256(content).hexdigest()
        assert done.md5 == hashlib.md5(content).hexdigest()
        service.remove(house.node, OWNER, "mine", f"f{stop}.bin")


def test_a_part_that_somebody_else_wrote_in_between_is_read_again(house: House) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    file = service.reserve(house.node, OWNER, "mine", "a.bin", 20)
    with store.appending(house.node.home, file.id, 0, 20) as part:
        part.write(b"x" * 10)
    path = store.part(house.node.home, file.id)
    path.write_bytes(b"y" * 10)  # another process, which began anew
    os.utime(path, ns=(1, 1))
    with store.appending(house.node.home, file.id, 10, 20) as part:
        part.write(b"z" * 10)
    content = b"y" * 10 + b"z" * 10
    assert service.finish(house.node, OWNER, "mine", file.id).sha256 == hashlib.sha256(content).hexdigest()


def test_a_piece_that_is_taken_back_leaves_no_trace_in_the_hash(house: House) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    file = service.reserve(house.node, OWNER, "mine", "a.bin", 600_000)
    first, second = os.urandom(300_000), os.urandom(300_000)
    with store.appending(house.node.home, file.id, 0, 600_000) as part:
        part.write(first)
    with store.appending(house.node.home, file.id, 300_000, 600_000) as part:
        part.write(b"\x00" * 300_000)
        part.back_to(300_000)
    with store.appending(house.node.home, file.id, 300_000, 600_000) as part:
        part.write(second)
    wanted = hashlib.sha256(first + second).hexdigest()
    assert service.finish(house.node, OWNER, "mine", file.id).sha256 == wanted


def test_two_senders_at_once(house: House) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    file = service.reserve(house.node, OWNER, "mine", "a.bin", 10)
    with store.appending(house.node.home, file.id, 0, 10) as part:
        with pytest.raises(MadangError, match="Somebody else"), store.appending(house.node.home, file.id, 0, 10):
            pass
        part.write(b"0123456789")
    assert service.finish(house.node, OWNER, "mine", file.id).sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert service.finish(house.node, OWNER, "mine", file.id).bytes == 10  # asked for twice, done once


def test_names_with_control_characters_dots_and_thousands_of_letters_do_not_come_by_folder_either(
    house: House, tmp_path: Path
) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    given = tmp_path / "given"
    given.mkdir()
    (given / "a\nb.csv").write_text("x\n1\n")
    with pytest.raises(MadangError, match="cannot name a file"):
        putting.put_folder(house.node, OWNER, "mine", given)
    with pytest.raises(MadangError, match="cannot name a file"):
        service.reserve(house.node, OWNER, "mine", "x" * 4_000, 3)
    assert service.see(house.node, OWNER, "mine").files == []


def book(path: Path, *, hidden_first: bool = False) -> None:
    """A workbook with all that people do: merged cells, a formula, dates as dates and as numbers, macros."""
    import zipfile

    import xlsxwriter

    with xlsxwriter.Workbook(path) as made:
        if hidden_first:
            secret = made.add_worksheet("notes")
            secret.write_row(0, 0, ["not", "this"])
        page = made.add_worksheet("samples")
        page.activate()
        if hidden_first:
            page.set_first_sheet()
            secret.hide()
        page.write_row(0, 0, HEAD)
        day = made.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(1, 0, ["a", 562])
        page.write_datetime(1, 2, datetime(2026, 1, 31), day)
        page.write(1, 3, "South Korea")
        page.write_row(2, 0, ["b", 562, 46053, "South Korea"])  # a date as a bare number
        page.merge_range(3, 0, 4, 0, "c")  # the row below has no name
        page.write_row(3, 1, [562, "2026-02-01", "South Korea"])
        page.write_row(4, 1, [562, "2026-02-01", "South Korea"])
        page.write_row(5, 0, ["d", 562, "2026-02-01"])
        page.write_formula(5, 3, "=VLOOKUP(1,2,3)", value="#N/A")
        page.set_row(900_000, 20)  # a row that is formatted, and empty
    with zipfile.ZipFile(path, "a") as parts:
        parts.writestr("xl/vbaProject.bin", b"never run")


@pytest.mark.parametrize("hidden_first", [False, True])
def test_a_workbook_as_people_make_them_is_told_cell_by_cell(house: House, tmp_path: Path, hidden_first: bool) -> None:
    boxes()
    book(tmp_path / "a.xlsx", hidden_first=hidden_first)
    service.begin(house.node, OWNER, "mine", "insdc", "hospital")
    wrong = service.put_sheet(house.node, OWNER, "mine", tmp_path / "a.xlsx")
    assert {(each["row"], each["column"]) for each in wrong} == {
        (3, "collection date"),
        (5, "sample_alias"),
        (6, "geographic location (country and/or sea)"),
    }
    assert service.see(house.node, OWNER, "mine").sheets.samples == []


def test_a_million_empty_rows_are_nothing_and_too_many_full_ones_are_said(house: House, tmp_path: Path) -> None:
    import xlsxwriter

    boxes()
    service.begin(house.node, OWNER, "mine", "insdc", "hospital")
    for rows, last in ((2, 1_000_000), (20_002, 0)):
        path = tmp_path / f"{rows}.xlsx"
        with xlsxwriter.Workbook(path, {"constant_memory": True}) as made:
            page = made.add_worksheet()
            page.write_row(0, 0, HEAD)
            for number in range(1, rows):
                page.write_row(number, 0, [f"s{number}", 562, "2026-01-31", "South Korea"])
            if last:
                page.write_blank(last, 0, None, made.add_format({"bold": True}))
        if last:
            assert service.put_sheet(house.node, OWNER, "mine", path) == []
            assert len(service.see(house.node, OWNER, "mine").sheets.samples) == 1
        else:
            with pytest.raises(MadangError, match="more than 20,000 rows"):
                service.put_sheet(house.node, OWNER, "mine", path)


def test_a_workbook_that_unpacks_to_gigabytes_ends_in_the_box(tmp_path: Path) -> None:
    import zipfile

    boxes()
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", "<Types/>")
        with parts.open("xl/workbook.xml", "w", force_zip64=True) as part:
            for _piece in range(300):
                part.write(b" " * (1 << 20))
    with pytest.raises(MadangError, match="cannot be read"):
        reading.cells_closed(path)


def test_lists_of_hashes_in_the_shapes_of_other_vendors(tmp_path: Path) -> None:
    md5, sha = "0123456789abcdef" * 2, "FEDCBA9876543210" * 4
    shapes = {
        "md5sum": f"{md5}  a b.fastq.gz\n",
        "binary mark, folders": f"{md5} *run1/lane 2/a b.fastq.gz\r\n",
        "BSD": f"MD5 (a b.fastq.gz) = {md5}\n",
        "openssl": f"MD5(run1/a b.fastq.gz)= {md5}\n",
        "table, name first": f'file,md5\n"a b.fastq.gz",{md5}\n',
        "table, hash first": f"md5;file\n{md5};a b.fastq.gz\n",
        "tabs, name first": f"a b.fastq.gz\t{md5}\n",
        "Windows": f"{md5}  C:\\data\\run 1\\a b.fastq.gz\r\n",
    }
    for shape, text in shapes.items():
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            path = tmp_path / "md5sum.txt"
            path.write_bytes(text.encode(encoding))
            assert lists.hashes_told([path]) == {"a b.fastq.gz": md5}, (shape, encoding)
    (tmp_path / "sums").write_text(f"SHA256 (x.bam) = {sha}\n")
    assert lists.hashes_told([tmp_path / "sums"]) == {"x.bam": sha.lower()}
    for name in (
        "md5sum.txt",
        "MD5.txt",
        "SHA256SUMS",
        "md5_checksums.csv",
        "checksums.md5",
        "a.fastq.gz.md5",
        "md5.tsv",
    ):
        assert lists.is_list(name), name
    for name in ("a.fastq.gz", "samples.csv", "checks.txt", "md5.fastq.gz", "readme.txt"):
        assert not lists.is_list(name), name
