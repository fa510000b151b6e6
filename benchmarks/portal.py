"""How fast the portal answers: pages under 20 readers, search over many records, memory at rest.

    python benchmarks/portal.py [--records 10000] [--words 100000] [--seconds 10]
    python benchmarks/portal.py --search DIR [--words 100000] [--database URL]     searches alone

The records of the searches tell what is in their data: names of tables, columns and 40 concepts in two languages each.
With `--search` they stay in DIR (and in the PostgreSQL database of the URL, empty at first), made at the first run.

The portal runs as `madang serve` on SQLite, reads audited as always; readers are threads of this process, which shares
the cores. Each figure stands beside its goal. The floor is a page without any question to the database.
"""

import argparse
import http.client
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from urllib.parse import quote

import httpx
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from madang.lake.engine import Engine
from madang.node.database import now
from madang.node.home import Home
from madang.node.jobs.worker import run_next
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.catalog import contents, service, words
from madang.services.catalog.models import Record, RecordFile, RecordVersion

FILES, WIDE = 100_000, 10_000
NOUNS = "당뇨 고혈압 폐암 심장 신장 코호트 영상 검사 약물 진료 청구".split()
NOUNS += "diabetes cancer heart kidney cohort image drug claim".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--words", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--search", type=Path)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {'PostgreSQL' if given.database else 'SQLite'}")
    if given.search:
        if given.database:
            os.environ["MADANG_DATABASE_URL"] = given.database
        if not (given.search / "madang.toml").exists() and not (given.search / "filled").exists():
            fill(given.search, given.words, told=True)
            (given.search / "filled").touch()
        with_portal(given.search, lambda address, _pid: searches(address, given.words))
        return
    with tempfile.TemporaryDirectory(prefix="madang-portal-") as folder:
        fill(Path(folder) / "a", given.records)
        with_portal(Path(folder) / "a", lambda address, pid: pages(address, pid, given.seconds))
        fill(Path(folder) / "b", given.words, told=True)
        with_portal(Path(folder) / "b", lambda address, _pid: searches(address, given.words))
        fill_large(Path(folder) / "c")
        with_portal(Path(folder) / "c", lambda address, _pid: large(address))


def concepts() -> list[tuple[str, str]]:
    """3,000 made-up concepts, each with a name of three words in English and one in Korean."""
    chance = Random(11)
    parts = ["".join(chance.choices("bcdfghklmnprstv", k=1) + chance.choices("aeiou", k=1)) for _ in range(60)]
    latin = ["".join(chance.sample(parts, 3)) for _ in range(1_500)]
    hangul = [chr(0xAC00 + n) for n in chance.sample(range(11_172), 400)]
    return [(" ".join(chance.sample(latin, 3)), "".join(chance.sample(hangul, 5))) for _ in range(3_000)]


def within(chance: Random, names: list[tuple[str, str]]) -> list[str]:
    """What is told to be in the data of a record: tables and their columns, and concepts, some far oftener."""
    tables = chance.sample(list(contents.TABLE_WORDS), 8)
    found = [word for table in tables for word in (table, table.replace("_", " "), *contents.TABLE_WORDS[table])]
    found += [f"{table} {column}" for table in tables for column in ("concept id", "start date", "source value")]
    picked = (names[min(int(chance.paretovariate(0.6)) - 1, len(names) - 1)] for _ in range(40))
    return found + [name for both in dict.fromkeys(picked) for name in both]


def fill(home: Path, records: int, *, told: bool = False) -> None:
    """Published records with made-up titles; `told`: found by what is in their data too."""
    chance, node, at, names = Random(7), Node.open(Home(home)), now(), concepts()
    with node.write() as session:
        made = [
            {
                "id": n,
                "name": f"record-{n}",
                "dataset": f"record-{n}",
                "organization_id": 1,
                "state": "published",
                "title": " ".join(chance.sample(NOUNS, 4)) + f" {n}",
                "verdict": chance.choice(["good", "flawed"]),
                "published": at,
            }
            for n in range(1, records + 1)
        ]
        for start in range(0, records, 1_000):
            session.execute(insert(Record), made[start : start + 1_000])
        anew = _without_indexes(session)
    for start in range(0, records, 1_000):  # a transaction each, and the indexes of PostgreSQL at the end
        with node.write() as session:
            words.add(session, (_told(chance, names if told else [], row) for row in made[start : start + 1_000]))
    with node.write() as session:
        for statement in anew:
            session.execute(text(statement))
    if anew:
        with node.write() as session:
            session.execute(text("ANALYZE"))
    node.close()


def _told(
    chance: Random, names: list[tuple[str, str]], row: dict[str, object]
) -> tuple[int, str, list[str], list[int]]:
    body = [" ".join(chance.sample(NOUNS, 6)), *(within(chance, names) if names else ())]
    return row["id"], row["title"], body, [chance.randint(1990, 2026)]


def _without_indexes(session: Session) -> list[str]:
    """Take the indexes of words away on PostgreSQL, which fills them slowly row by row; what makes them anew."""
    if session.get_bind().dialect.name == "sqlite":
        return []
    found = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'index_records' AND indexdef LIKE '%gin%'"
    known = list(session.execute(text(found)))
    for name, _made in known:
        session.execute(text(f"DROP INDEX {name}"))
    return ["SET LOCAL maintenance_work_mem = '512MB'", *(str(made) for _name, made in known)]


def fill_large(home: Path) -> None:
    """A record of 100,000 files and a table of 10,000 columns, made as a steward does; few files are there."""
    node, owner = Node.open(Home(home)), Actor.owner()
    with Engine() as engine, node.home.lake().dataset("large").write() as writer:
        wide = "SELECT range AS person_id, " + ", ".join(f"{n} AS c{n}" for n in range(WIDE)) + " FROM range(20)"
        for table, sql in {"person": "SELECT range AS person_id FROM range(20)", "wide": wide}.items():
            path = writer.new_file(table)
            engine.copy_to_parquet(sql, path)
            writer.add(table, path)
        writer.commit("import", {})
    name = service.make(node, owner, "large", "house")
    while run_next(node, ("madang",)):
        pass
    record = service.see(node, owner, name)
    service.edit(node, owner, name, service.Edited(1, name, "", "open", "open", "", None, record.told, confirmed=True))
    service.publish(node, owner, name, 1)
    row = {"version_id": 1, "table": "wide", "rows": 1, "bytes": 1, "sha256": "0" * 64}
    with node.write() as session:
        session.execute(insert(RecordFile), [{**row, "place": n, "name": f"{n}"} for n in range(10, FILES)])
        session.execute(update(RecordVersion).values(files=FILES))
    node.close()


def large(address: str) -> None:
    with httpx.Client() as client:
        for what, path in {
            f"a record of {FILES:,} files": "/records/large",
            "  its last files": "/records/large?page=500",
            f"a table of {WIDE:,} columns": "/records/large/tables/wide?page=100",
        }.items():
            taken = [timed(client, address + path) for _ in range(50)]
            show(f"{what}: 95% under", quantile(taken), "ms", 200)


def with_portal(home: Path, work: object) -> None:
    command = [Path(sys.executable).with_name("madang"), "serve", "--port", "0"]
    environment = os.environ | {"MADANG_HOME": str(home), "MADANG_LANG": "en"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and callable(work)
    try:
        address = process.stdout.readline().split()[4]
        while True:
            try:
                httpx.get(f"{address}/issuer.jwk")
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        work(address, process.pid)
    finally:
        process.terminate()
        process.wait()


def pages(address: str, pid: int, seconds: float) -> None:
    time.sleep(5)  # until the second process is there
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    show(f"at rest, {1 + len(children)} processes", sum(map(resident, [pid, *children])), "MB", 300)
    kinds = ["/", "/records", "/records?q=heart", "/records/record-7"]
    first = [timed(httpx.Client(), address + path) for path in kinds]
    show("the first page of each kind after the start, at most", max(first), "ms", None)
    for path in kinds * 10:  # until every process has made one of each kind
        timed(httpx.Client(), address + path)
    floor = [timed(httpx.Client(), f"{address}/sign-in") for _ in range(50)]
    show("floor: a page that asks nothing, alone", statistics.median(floor), "ms", None)
    show("front page", len(httpx.get(address).content) / 1e3, "kB", 100)
    for pause, who in ((1.0, "who pause for a second before each page"), (0.0, "without a pause")):
        taken = readers(address, seconds, pause)
        show(f"20 readers {who}: 95% under", quantile(taken), "ms", 100)
        show("  pages a second", len(taken) / seconds, "", None)


def readers(address: str, seconds: float, pause: float) -> list[float]:
    """How long the pages of 20 readers took, in ms."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    def read(seed: int) -> None:
        chance = Random(seed)
        client = http.client.HTTPConnection(address.split("//")[1])  # which costs the shared cores less than httpx
        while time.monotonic() < end:
            time.sleep(pause * chance.uniform(0.5, 1.5))
            word = quote(chance.choice(NOUNS))
            path = chance.choice(["/", f"/records?q={word}", f"/records/record-{seed + 2}", "/records"])
            start = time.perf_counter()
            client.request("GET", path)
            answer = client.getresponse()
            assert answer.read() and answer.status == 200, path
            taken.append((time.perf_counter() - start) * 1e3)
        client.close()

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def resident(pid: int | str) -> float:
    """The memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if "VmRSS" in line).split()[1]) / 1e3


def searches(address: str, records: int) -> None:
    with httpx.Client() as client:
        taken = [timed(client, f"{address}/records?q={Random(n).choice(NOUNS)}+{n}") for n in range(100)]
        wide = [timed(client, f"{address}/records?q={noun}") for noun in NOUNS * 3]
        names, chance = concepts(), Random(5)
        asked = [" ".join(chance.choice(chance.choice(names)).split()[:2]) for _ in range(100)]
        within = [timed(client, f"{address}/records?q={quote(each)}") for each in asked]
        every = ["diagnoses", "진단", "measurement", "person 2019", "source value", "진료 검사 결과", "concept"]
        most = [timed(client, f"{address}/records?q={quote(each)}&page={n}") for each in every for n in range(1, 8)]
    show("search for a concept in the data: 95% under", quantile(within), "ms", 100)
    show("  for a table or column that most records have: 95% under", quantile(most), "ms", 100)
    show(f"search in {records:,} records, few hits: 95% under", quantile(taken), "ms", 100)
    show("  one word with a third of all as hits: 95% under", quantile(wide), "ms", 100)


def timed(client: httpx.Client, address: str) -> float:
    start = time.perf_counter()
    answer = client.get(address, timeout=60)
    assert answer.status_code == 200, (address, answer.status_code)
    return (time.perf_counter() - start) * 1e3


def quantile(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def show(what: str, value: float, unit: str, goal: float | None) -> None:
    beside = "" if goal is None else f"   goal {goal:g}"
    print(f"{what:55} {value:8.1f} {unit}{beside}")


if __name__ == "__main__":
    main()
