"""Downloads have their length and can be taken up where they broke off; a zip says what is in it and how to cite it."""

import io
import zipfile
from pathlib import Path

import pytest

from madang.services.catalog import handout
from portal_house import House
from web.served import Served


@pytest.mark.parametrize("limit", [zipfile.ZIP64_LIMIT, 100, 3])
def test_the_length_of_a_zip_is_known_before_it_is_made(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", limit)  # as if files were larger than they are
    entries: list[handout.Entry] = [("README.txt", b"hello"), ("이름.txt", b"")]
    for number in range(5):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(bytes(number * 40))
        entries.append((f"person/{path.name}", path))
    made = b"".join(handout._zip(entries))
    assert handout.zip_length(entries) == len(made)
    monkeypatch.undo()
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 7


def test_a_download_is_taken_up_where_it_broke_off(house: House, site: Served) -> None:
    house.published("clinic", tier="open")
    with site.browser() as browser:
        for form in ("download.zip", "download/person.csv", "download/person.parquet"):
            address = f"/records/clinic/{form}"
            whole = browser.get(address)
            etag = whole.headers["etag"]
            assert form.endswith("csv") or int(whole.headers["content-length"]) == len(whole.content)
            if form.endswith("csv"):
                assert "content-length" not in whole.headers, "nobody knew it before it was made"
            assert int(browser.head(address).headers["content-length"]) == len(whole.content), "known from then on"
            at = len(whole.content) // 3
            rest = browser.get(address, headers={"Range": f"bytes={at}-", "If-Range": etag})
            assert (rest.status_code, rest.content) == (206, whole.content[at:])
            total = len(whole.content)
            assert rest.headers["content-range"] == f"bytes {at}-{total - 1}/{total}"
            piece = browser.get(address, headers={"Range": f"bytes={at}-{at + 9}"})
            assert piece.content == whole.content[at : at + 10]
            assert browser.get(address, headers={"Range": f"bytes={total}-"}).status_code == 416
            other = browser.get(address, headers={"Range": f"bytes={at}-", "If-Range": '"another"'})
            assert (other.status_code, other.content) == (200, whole.content)
            assert browser.get(address, headers={"Range": "bytes=x"}).status_code in (200, 400, 416)
        etag = browser.get("/records/clinic/download.zip").headers["etag"]
        known = browser.get("/records/clinic/download.zip", headers={"If-None-Match": etag})
        assert (known.status_code, known.content) == (304, b"")


def test_a_zip_says_what_it_is_and_how_to_cite_it(house: House, site: Served) -> None:
    house.published("clinic", tier="open", title="서울 기록")
    with site.browser() as browser:
        content = browser.get("/records/clinic/download.zip").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        told = archive.read("README.txt").decode()
    assert (
        "서울 기록" in told and "Cite as:" in told and "SHA-256 of the manifest" in told and "/records/clinic" in told
    )
