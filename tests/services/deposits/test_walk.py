"""A new user's first sequencing project in a browser: 24 samples with a vendor's list of hashes, two pairs swapped and
one person among them, from the front page to published records, citations, valid forms and the national package."""

import csv
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from portal_house import PASSWORD, House, work_off
from services.deposits.test_deposits import boxes
from support import needs
from web.served import Served

SWAPPED, PERSON = ("s03", "s07"), "s11"
FIELDS = ("sample_alias", "taxon_id", "collection date", "geographic location (country and/or sea)")


def _records(path: Path) -> list[list[str]]:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    return [lines[at : at + 4] for at in range(0, len(lines), 4)]


def _made(mate: int, count: int = 24 * 40) -> list[list[str]]:
    """Reads of nothing, all different."""
    bases = [hashlib.sha256(f"{number}/{mate}".encode()).digest() for number in range(count)]
    return [
        [f"@made:{number}", "".join("ACGT"[byte % 4] for byte in each), "+", "I" * 32]
        for number, each in enumerate(bases)
    ]


def vendor(folder: Path) -> list[Path]:
    """What a sequencing center sends: 48 files of reads and md5sum.txt; of two samples the mates came swapped.

    The reads of the folder of real data where it is there, else made ones.
    """
    there = Path(os.environ.get("MADANG_SHARED_DATA", "/nothing")) / "genomics"
    real = [there / f"set1_R{mate}.fq.gz" for mate in (1, 2)]
    both = [_records(path) for path in real] if all(path.exists() for path in real) else [_made(1), _made(2)]
    size = len(both[0]) // 24
    folder.mkdir()
    lines = []
    for number in range(24):
        alias = f"s{number + 1:02}"
        for mate in (1, 2):
            held = 3 - mate if alias in SWAPPED else mate
            rows = both[held - 1][number * size : (number + 1) * size]
            text = "".join(
                "\n".join([row[0].split()[0].removesuffix("/1").removesuffix("/2") + f"/{held}", *row[1:]]) + "\n"
                for row in rows
            )
            path = folder / f"{alias}_R{mate}.fastq.gz"
            path.write_bytes(gzip.compress(text.encode(), 6, mtime=0))
            lines.append(f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.name}\n")
    (folder / "md5sum.txt").write_text("".join(lines))
    return sorted(folder.iterdir())


def filled(folder: Path, header: list[str], *, right: bool) -> Path:
    """The sheet that was downloaded, filled in as a spreadsheet: two taxa and a date are wrong at first."""
    import xlsxwriter

    path = folder / ("right.xlsx" if right else "wrong.xlsx")
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for place, name in enumerate(header):
            sheet.write(0, place, name)
        for number in range(1, 25):
            alias = f"s{number:02}"
            taxon = "9606" if alias == PERSON else "phage" if number in (5, 9) and not right else "10710"
            day = "31.01.2026" if number == 2 and not right else "2026-01-31"
            for name, value in zip(FIELDS, (alias, taxon, day, "South Korea"), strict=True):
                sheet.write(number, header.index(name), value)
    return path


class Walker:
    """Somebody who reads, clicks and types: steps are counted, every page is drawn wide and narrow, and axe looks."""

    def __init__(self, browser: Browser, site: Served, pictures: Path, language: str) -> None:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=site.address)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(120_000)
        self.pictures, self.language = pictures, language
        self.steps = 0
        self.page.goto(f"/?lang={language}")

    def _then(self, do: Callable[[], object]) -> None:
        self.steps += 1
        with self.page.expect_navigation():
            do()
        self.page.wait_for_load_state()

    def click(self, selector: str) -> None:
        """Follow a link or send a form: one step."""
        self._then(self.page.locator(selector).first.click)

    def menu(self, address: str) -> None:
        """Go by the menu."""
        if not self.page.locator(f"nav.inside a[href='{address}']").count():
            self.click("nav.places a")  # data is the first place
        self.click(f"nav.inside a[href='{address}']")

    def fill(self, **given: str) -> None:
        for name, value in given.items():
            field = self.page.locator(f"main [name={name}]:visible").first
            if field.evaluate("each => each.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)

    def sign_in(self, login: str) -> None:
        self.click("header a[href*='/sign-in']")
        self.fill(login=login, password=PASSWORD)
        self.click("main form button")

    def download(self, selector: str) -> bytes:
        self.steps += 1
        with self.page.expect_download() as coming:
            self.page.locator(selector).first.click()
        return Path(coming.value.path()).read_bytes()

    def look(self, name: str) -> None:
        """What is on the page: a picture of each width, and what axe says."""
        from axe_playwright_python.sync_playwright import Axe

        for width in (1280, 390):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.screenshot(path=str(self.pictures / f"{self.language}-{width}-{name}.png"), full_page=True)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        found = Axe().run(self.page)
        assert found.violations_count == 0, name + found.generate_report()
        self.page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("MADANG_TEST_PICTURES", tmp_path / "pictures"))
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.big
@pytest.mark.parametrize("language", ["en", "ko"])
def test_24_samples_from_nothing_to_published_records(
    house: House, site: Served, pictures: Path, tmp_path: Path, language: str
) -> None:
    if not house.node.database.is_sqlite:
        pytest.skip("pages look the same on both databases")
    boxes()
    files = vendor(tmp_path / "vendor")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        mine = Walker(browser, site, pictures, language)
        mine.sign_in("member")
        mine.menu("/deposits")
        mine.look("01-no-deposit-yet")
        mine.fill(name="phage-reads", title="파지 리드 24개 시료", model="k-bds", organization="hospital")
        mine.click("main form:has(input[name=name]) button")
        mine.look("02-begun")

        mine.page.set_input_files("#f-file", [str(path) for path in files])
        mine.click("form[data-upload] button")  # the page loads again once all are there
        assert mine.page.locator("th a[href*='/files/']").count() == 49
        mine.look("03-sent")

        template = mine.download("a[href$='/sheet.xlsx']")
        from python_calamine import CalamineWorkbook

        first = CalamineWorkbook.from_filelike(io.BytesIO(template)).get_sheet_by_index(0).to_python()[0]
        header = [str(cell).rstrip("*") for cell in first]  # what is needed has a star
        sheet = "form[action$='/samples']:not(:has(input[value=runs]))"
        mine.page.set_input_files(f"{sheet} input[type=file]", str(filled(tmp_path, header, right=False)))
        mine.click(f"{sheet} button")
        mine.look("04-wrong-cells")
        assert mine.page.locator("section:has(h2) tbody tr:has-text('phage')").count() == 2
        mine.page.set_input_files(f"{sheet} input[type=file]", str(filled(tmp_path, header, right=True)))
        mine.click(f"{sheet} button")
        mine.look("05-samples")

        described = "form[action='/deposits/phage-reads']"
        mine.fill(description="람다 파지의 리드를 24개 시료로 나눈 합성 기탁입니다.", license="CC0-1.0")
        mine.fill(title_en="Phage reads in 24 samples", creators="최기탁, 이분석")
        mine.click(f"{described} button:not([name])")
        mine.click("form[action$='/check'] button")
        mine.look("06-findings")
        for alias in SWAPPED:
            mine.click(f"li:has-text('{alias}_R') form[action$='/swap'] button")
        mine.fill(consent="GRU, IRB", ethics="IRB-2026-1", deidentified="합성 자료이며 직접 식별자가 없습니다.")
        mine.click(f"{described} button:not([name])")
        mine.click("form[action$='/check'] button")
        mine.look("07-checked")
        mine.click("form[action$='/submit'] button")
        mine.look("08-submitted")
        package = mine.download("a[href$='/package.zip']")
        assert_package(package)

        curator = Walker(browser, site, pictures, language)
        curator.sign_in("steward")
        curator.click("a[href='/start']")
        curator.look("09-what-waits")
        curator.click("main a[href='/deposits/phage-reads']")
        curator.look("10-review")
        curator.click("form[action$='/approve'] button")
        work_off(house.node)
        curator.menu("/steward")
        curator.look("11-desk")
        curator.click("main a[href='/steward/deposit-phage-reads']")
        curator.look("12-to-publish")
        curator.click("form[action*='publish'] button")
        curator.menu("/steward")
        curator.click("main a[href='/steward/deposit-phage-reads-people']")
        curator.fill(contact="help@example.org")
        curator.click("form:has(input[name=contact]) button:not([name])")
        work_off(house.node)
        curator.page.reload()
        curator.click("form[action*='publish'] button")
        curator.look("13-published")

        stranger = Walker(browser, site, pictures, language)
        stranger.page.goto("/records/deposit-phage-reads")
        stranger.look("14-landing")
        assert "최기탁, 이분석" in stranger.page.inner_text("#citation")
        told = stranger.page.text_content("main") or ""
        assert PERSON not in told and "md5sum" not in told and "s01_R1" in told
        stranger.page.locator("details:has(a[href^='/deposited/']) summary").click()
        content = stranger.download("th a[href^='/deposited/']")
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() in (tmp_path / "vendor/md5sum.txt").read_text()
        stranger.click("a[href='/records/deposit-phage-reads/forms']")
        stranger.look("15-forms")
        stranger.page.goto("/records/deposit-phage-reads-people")
        stranger.look("16-landing-people")
        assert not stranger.page.locator("a[href^='/deposited/']").count()
        for name in ("deposit-phage-reads", "deposit-phage-reads-people"):
            forms = json.loads(stranger.page.request.get(f"/api/v1/records/{name}/forms").text())["forms"]
            assert len(forms) == 6 and all(each["valid"] for each in forms), forms
        print(f"{language}: {mine.steps} steps of the depositor, {curator.steps} of the curator")
        browser.close()


@pytest.mark.big
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_table_in_three_steps(house: House, site: Served, pictures: Path, tmp_path: Path, language: str) -> None:
    if not house.node.database.is_sqlite:
        pytest.skip("pages look the same on both databases")
    boxes()
    (tmp_path / "rivers.csv").write_text("river,day,temperature\n한강,2026-01-31,4.5\n낙동강,2026-01-31,6.0\n")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        mine = Walker(browser, site, pictures, language)
        mine.sign_in("member")
        mine.menu("/deposits")
        mine.steps = 0
        mine.fill(name="rivers", title="강물 온도", model="table", organization="hospital")
        mine.click("main form:has(input[name=name]) button")
        mine.page.set_input_files("#f-file", str(tmp_path / "rivers.csv"))
        mine.click("form[data-upload] button")
        mine.look("20-table")
        mine.fill(description="두 강의 온도입니다.", license="CC-BY-4.0", creators="최기탁")
        mine.click("form[action='/deposits/rivers'] button[name=then]")
        assert mine.steps == 3
        mine.look("21-table-submitted")
        curator = Walker(browser, site, pictures, language)
        curator.sign_in("steward")
        curator.click("a[href='/start']")
        curator.click("main a[href='/deposits/rivers']")
        curator.click("form[action$='/approve'] button")
        work_off(house.node)
        curator.page.reload()
        curator.click("form[action*='publish'] button")
        stranger = Walker(browser, site, pictures, language)
        stranger.page.goto("/records/deposit-rivers")
        stranger.look("22-table-landing")
        assert "낙동강" in stranger.page.inner_text("main")  # of the first rows
        crate = stranger.download("a[href*='download.zip']")
        with zipfile.ZipFile(io.BytesIO(crate)) as archive:
            assert archive.read("files/rivers.csv") == (tmp_path / "rivers.csv").read_bytes()
            graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
            parts = [each["@id"] for each in next(each for each in graph if each["@id"] == "./")["hasPart"]]
            assert "files/rivers.csv" in parts and set(parts) <= set(archive.namelist())
        browser.close()


def command(home: Path, *words: str, code: int = 0) -> str:
    """What a command of the installation says, in a process of its own."""
    environment = {**os.environ, "MADANG_HOME": str(home), "MADANG_LANG": "en", "COLUMNS": "200"}
    start = [sys.executable, "-c", "from madang.app.cli import main; main()"]
    done = subprocess.run([*start, *words], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.mark.big
def test_the_same_by_command_alone(tmp_path: Path) -> None:
    boxes()
    home, given = tmp_path / "home", tmp_path / "vendor"
    vendor(given)

    def deposit(*words: str, code: int = 0) -> str:
        return command(home, "deposit", *words, code=code)

    told = ("--title", "파지 리드", "--title-en", "Phage reads", "--description", "합성", "--license", "CC0-1.0")
    deposit("new", "phage-reads", "--model", "k-bds", *told)
    assert "48 files put into phage-reads" in deposit("put", str(given))
    deposit("sheet", str(tmp_path / "empty.xlsx"))
    from python_calamine import CalamineWorkbook

    first = CalamineWorkbook.from_path(tmp_path / "empty.xlsx").get_sheet_by_index(0).to_python()[0]
    header = [str(cell).rstrip("*") for cell in first]
    assert "taxon_id" in deposit("samples", str(filled(tmp_path, header, right=False)), code=1)
    deposit("samples", str(filled(tmp_path, header, right=True)))
    said = deposit("check", code=1)
    assert said.count("swapped") == 2 and "consent" in said
    for alias in SWAPPED:
        deposit("swap", f"{alias}_R2.fastq.gz")
    deposit("describe", "consent=GRU, IRB", "ethics=IRB-2026-1", "deidentified=합성", "creators=최기탁")
    assert json.loads(deposit("check", "--json"))["wrong"] == 0
    assert "0 files put into phage-reads, 48 were there already" in deposit("put", str(given))
    deposit("submit")
    assert "deposit-phage-reads" in deposit("approve", "phage-reads")
    command(home, "record", "publish", "deposit-phage-reads")
    command(home, "record", "describe", "deposit-phage-reads-people", "contact=help@example.org")
    command(home, "record", "publish", "deposit-phage-reads-people")
    for name in ("deposit-phage-reads", "deposit-phage-reads-people"):
        assert json.loads(command(home, "record", "validate", name, "--json"))["valid"]
    assert "최기탁" in command(home, "record", "export", "deposit-phage-reads", "--as", "datacite")
    deposit("package", str(tmp_path / "package"), "--for", "k-bds", "--to", "phage-reads")
    written = {
        kind: (tmp_path / "package" / kind / "md5sum.txt").read_text().splitlines() for kind in ("human", "bioproject")
    }
    assert (len(written["human"]), len(written["bioproject"])) == (2, 46)
    hashes = {line.split()[0] for lines in written.values() for line in lines}
    assert hashes == {line.split()[0] for line in (given / "md5sum.txt").read_text().splitlines()}
    for line in written["human"]:
        digest, name = line.split()
        content = (tmp_path / "package" / "human" / "files" / name).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == digest and name.startswith(PERSON)

    (tmp_path / "rivers.csv").write_text("river,temperature\n한강,4.5\n")  # a table in three commands
    deposit("new", "rivers", "--model", "table", "--description", "온도", "--license", "CC0-1.0")
    deposit("put", str(tmp_path / "rivers.csv"))
    deposit("submit")
    deposit("approve", "rivers")
    command(home, "record", "publish", "deposit-rivers")
    assert json.loads(command(home, "record", "validate", "deposit-rivers", "--json"))["valid"]


def assert_package(content: bytes) -> None:
    """A folder for each database; the person's files in theirs alone; the vendor's own hashes of every file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        text = {name: archive.read(name).decode() for name in archive.namelist()}
    rows = {
        kind: list(csv.DictReader(io.StringIO(text[f"{kind}/files.tsv"]), delimiter="\t"))
        for kind in ("bioproject", "human")
    }
    assert [row["name"] for row in rows["human"]] == [f"{PERSON}_R1.fastq.gz", f"{PERSON}_R2.fastq.gz"]
    assert len(rows["bioproject"]) == 46
    assert PERSON not in "".join(each for name, each in text.items() if name.startswith("bioproject/"))
