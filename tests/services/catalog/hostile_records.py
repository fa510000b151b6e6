"""Records for tests of forms: seeded, with texts that break careless writers; and records broken in one way each."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from madang.services.catalog.description import Description
from madang.services.catalog.forms import Entry, EntryFile, EntryTable

TEXTS = (
    '<script>alert("x")</script> & <b>bold</b>',
    "합성 병원 기록, 신장 질환 코호트",
    "قاعدة بيانات المرضى",
    "🧬🫀 emoji 👩🔬 sequence",
    "quotes \" and \\ backslash and ' and `",
    "]]> CDATA end <!-- comment --> <?pi ?>",
    "line one\n\nline two\ttab",
    "{{ template }} ${x} %s {0}",
    "a\u0301 combining, ﬁ ligature, \u00a0 spaces",
    "@prefix : <x> . ^^ @en ;",
)
LICENSES = ("CC-BY-4.0", "CC0-1.0", "https://creativecommons.org/licenses/by/4.0/", "", "our own terms, ask us")
CONTACTS = ("data@hospital.example.kr", "https://hospital.example.kr/문의?x=1&y=2", "")
MADE = datetime(2026, 1, 5, 3, 4, 5, tzinfo=UTC)


def entries(count: int, seed: int = 7, tier: str = "") -> Iterator[Entry]:
    """That many valid records, the same ones for the same seed."""
    chance = random.Random(seed)

    def text(most: int = 3) -> str:
        return " ".join(chance.choice(TEXTS) for _ in range(chance.randint(1, most)))

    def line() -> str:
        return " ".join(text(1).split())

    for number in range(count):
        access = tier or chance.choice(("open", "registered", "controlled", "embargoed"))
        address = f"https://madang.example.kr/records/record-{number}"
        start = date(2000, 1, 1) + timedelta(days=chance.randint(0, 5000))
        told = Description(
            description=text(5),
            description_en=chance.choice(("", text(5))),
            keyword=tuple(line() for _ in range(chance.randint(1, 4))),
            keyword_en=chance.choice(((), ("kidney", line()))),
            creator=chance.choice(((), ("서울 연구소",), (TEXTS[0], TEXTS[1], TEXTS[2]))),
            publisher=chance.choice(("", line())),
            contact=chance.choice(CONTACTS),
            license=chance.choice(LICENSES),
            access_rights=chance.choice(("", text())),
            legal_basis=chance.choice(("", line())),
            purpose=chance.choice(("", text())),
            population=chance.choice(("", text())),
            health_category=chance.choice((("Omics",), (TEXTS[4], "유전체"), ("https://example.org/cat/1",))),
            coding_system=chance.choice(((), ("OMOP", TEXTS[0]))),
            spatial=chance.choice(("", "대한민국", TEXTS[2])),
            start=chance.choice((None, start)),
            end=chance.choice((None, start + timedelta(days=chance.randint(0, 900)))),
            language=chance.choice(("ko", "en", "")),
            provenance=text(),
            funding=chance.choice(("", "과학기술정보통신부 & 보건복지부")),
            related=chance.choice(((), ("10.1234/abc.<d>", "https://doi.org/10.1/x"), (TEXTS[4],))),
            synthetic=chance.choice((True, False)),
        )
        files = tuple(
            EntryFile(
                chance.choice((f"part-{place}.parquet", f"{TEXTS[4]}-{place}", f"{TEXTS[3]} {place}")),
                f"{address}/download/table{place}.parquet?version=1&file={place}",
                "application/vnd.apache.parquet",
                chance.randint(0, 10**13),
                f"{chance.getrandbits(256):064x}",
                f"table{place}",
            )
            for place in range(chance.randint(0, 3))
        )
        tables = tuple(
            EntryTable(file.table, (("person_id", "BIGINT"), (TEXTS[4], "VARCHAR"), ("날짜", "DATE"), ("x", "DOUBLE")))
            for file in files
        )
        yield Entry(
            name=f"record-{number}",
            address=address,
            identifier=chance.choice((address, f"10.{chance.randint(1000, 9999)}/madang.{number}")),
            title=f"{line()} {line()}",
            title_en=chance.choice(("", line())),
            description=told,
            holder=chance.choice(("시범 병원", TEXTS[0])),
            tier=access,
            created=MADE,
            changed=MADE + timedelta(days=9, microseconds=5),
            published=MADE + timedelta(days=3),
            embargo_end=MADE + timedelta(days=900) if access == "embargoed" else None,
            embargo_reason="An article is under review." if access == "embargoed" else "",
            kind=chance.choice(("cdm", "sequencing", "table")),
            rows=chance.choice((None, 0, 12_345_678_901)),
            bytes=chance.choice((None, 0, 10**14)),
            download=f"{address}/download.zip?version=1",
            files=files,
            tables=tables,
            portal="마당",
            origin="https://madang.example.kr",
        )


def whole() -> Entry:
    """A record with everything."""
    found = next(each for each in entries(50, seed=3, tier="controlled") if len(each.files) == 3)
    told = dict(
        keyword=("신장",),
        keyword_en=(),
        creator=("연구소",),
        contact="a@b.kr",
        license="CC-BY-4.0",
        access_rights="Ask.",
        related=(),
        start=date(2001, 1, 1),
        end=date(2002, 1, 1),
    )
    return replace(found, kind="sequencing", description=found.description.model_copy(update=told))


def broken() -> dict[str, tuple[Entry, str]]:
    """Records broken in one way each, and a part of the sentence that says so."""
    base = whole()
    told = base.description

    def of(**changed: Any) -> Entry:
        return replace(base, description=told.model_copy(update=changed))

    def file(**changed: Any) -> Entry:
        return replace(base, files=(base.files[0], replace(base.files[1], **changed), base.files[2]))

    def table(columns: tuple[tuple[str, str], ...], name: str = "table1") -> Entry:
        return replace(base, tables=(base.tables[0], EntryTable(name, columns), base.tables[2]))

    later = MADE + timedelta(days=400)
    embargoed = replace(base, tier="embargoed", embargo_end=later, embargo_reason="Why.")
    id_ = "holds spaces, quotes or brackets"
    return {
        "no title": (replace(base, title="", title_en=""), "has no title"),
        "blank title": (replace(base, title="  ", title_en="\t"), "has no title"),
        "title of controls": (replace(base, title="\x01\x02", title_en=""), "has no title"),
        "control in title": (replace(base, title="a\x0bb"), "title holds control characters"),
        "control in English title": (replace(base, title_en="a\x00b"), "title_en holds control characters"),
        "control in holder": (replace(base, holder="a\x1bb"), "holder holds control characters"),
        "no description": (of(description="", description_en=""), "has no description"),
        "blank description": (of(description=" \n ", description_en=""), "has no description"),
        "control in description": (of(description="a\x08b"), "description holds control characters"),
        "surrogate in description": (of(description_en="a\ud800b"), "description_en holds control characters"),
        "noncharacter in keyword": (of(keyword=("a\uffffb",)), "keyword holds control characters"),
        "control in population": (of(population="a\x07"), "population holds control characters"),
        "control in provenance": (of(provenance="x\x7f\x01"), "provenance holds control characters"),
        "control in funding": (of(funding="x\x02"), "funding holds control characters"),
        "no keyword": (of(keyword=(), keyword_en=()), "has no keyword"),
        "blank keywords": (of(keyword=(" ",), keyword_en=("",)), "has no keyword"),
        "unknown language": (of(language="xx klingon"), "is not known"),
        "no holder": (replace(base, holder=""), "has no holder"),
        "no publisher": (replace(of(publisher=""), holder=" "), "has no publisher"),
        "blank creator": (of(creator=("A", " ")), "A creator has no name"),
        "creator twice": (of(creator=("A", "A")), "named twice"),
        "contact in words": (of(contact="call the office"), "neither an e-mail address nor a page"),
        "contact with two ats": (of(contact="a@b@c.kr"), "neither an e-mail address nor a page"),
        "contact of script": (of(contact="javascript:alert(1)"), "neither an e-mail address nor a page"),
        "contact with spaces": (of(contact="https://a b.kr/"), "characters that no address may have"),
        "contact with quotes": (of(contact='https://a.kr/"x"'), "characters that no address may have"),
        "license of script": (of(license="javascript:alert(1)"), "is no address of the web"),
        "license with spaces": (of(license="https://a.kr/our license"), "is no address of the web"),
        "unknown tier": (replace(base, tier="secret"), "The access 'secret' is not known"),
        "embargo without end": (replace(embargoed, embargo_end=None), "embargo has no end"),
        "embargo without reason": (replace(embargoed, embargo_reason=" "), "embargo has no reason"),
        "withdrawn": (replace(base, state="withdrawn"), "was withdrawn"),
        "published on no day": (replace(base, published=None), "the day is missing"),
        "ends before it begins": (of(start=date(2003, 1, 1)), "end before they begin"),
        "changed before made": (replace(base, changed=MADE - timedelta(days=1)), "changed before it was made"),
        "published before made": (replace(base, published=MADE - timedelta(1)), "published before it was made"),
        "year of three digits": (replace(base, published=MADE.replace(year=999)), "has to have four digits"),
        "identifier with space": (replace(base, identifier="10.1234/a b"), id_),
        "identifier with quote": (replace(base, identifier='abc"d'), id_),
        "identifier with apostrophe": (replace(base, identifier="abc'd"), id_),
        "identifier with bracket": (replace(base, identifier="<abc>"), id_),
        "identifier with blank end": (replace(base, identifier="abc "), id_),
        "DOI without suffix": (replace(base, identifier="10.1234/"), "is not a DOI"),
        "DOI with short prefix": (replace(base, identifier="10.1/abc"), "is not a DOI"),
        "address with spaces": (replace(base, address="https://a.kr/a b"), "is no address of the web"),
        "address of a file": (replace(base, address="file:///etc/passwd"), "is no address of the web"),
        "no kind": (replace(base, kind=""), "The kind of the dataset is not said"),
        "version nought": (replace(base, version=0), "The version has to be 1 or more"),
        "negative rows": (replace(base, rows=-1), "number of rows is negative"),
        "negative size": (replace(base, bytes=-5), "The size is negative"),
        "no health category": (of(health_category=()), "category of health data is not said"),
        "blank health category": (of(health_category=("Omics", " ")), "has no name"),
        "blank coding system": (of(coding_system=("",)), "has no name"),
        "no provenance": (replace(of(provenance=""), made_by=""), "Where the data come from is not said"),
        "file without name": (file(name=" "), "A file has no name"),
        "short hash": (file(sha256="abc"), "not 64 lower-case hexadecimal digits"),
        "no hash": (file(sha256=""), "not 64 lower-case hexadecimal digits"),
        "upper-case hash": (file(sha256="A" * 64), "not 64 lower-case hexadecimal digits"),
        "negative file": (file(bytes=-1), "size of file"),
        "media type in words": (file(media="a parquet file"), "media type"),
        "file without address": (file(address=""), "has no address"),
        "file twice": (file(address=base.files[0].address), "Two files have the same address"),
        "table without columns": (table(()), "has no columns"),
        "column twice": (table((("a", "BIGINT"), ("a", "DATE"))), "have the same name"),
        "column without name": (table(((" ", "BIGINT"),)), "has no name"),
        "table without name": (table((("a", "BIGINT"),), name=""), "A table has no name"),
        "table twice": (table((("a", "BIGINT"),), name="table0"), "Two tables have the same name"),
    }
