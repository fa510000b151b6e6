"""Deposits and forms: how fast records are written and validated by our rules, sheets checked, reads looked into.

    python benchmarks/deposits.py [NAME ...]            forms, sheet, small, reads, alignments, upload, register, oai

`--records 100000` of OAI-PMH; `--home DIR` keeps them (and `--database URL` those in an empty PostgreSQL database).

Seconds are those of the processor, but for the files that are put. Each figure stands beside a floor of the same run
where there is one: reading the same gzip file with nothing done, copying and syncing the same small files.
"""

import argparse
import gzip
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))


def seconds(done: Callable[[], object]) -> float:
    """How much processor time something takes, the median of three: other programs may run beside."""
    taken = []
    for _time in range(3):
        begin = time.process_time()
        done()
        taken.append(time.process_time() - begin)
    return sorted(taken)[1]


def putting() -> None:
    """1,000 small files into a deposit by the function of the command; beside only copying and syncing each."""
    import os

    from madang.node.home import Home
    from madang.node.node import Node
    from madang.node.people import Actor
    from madang.services.deposits import service
    from madang.services.deposits.putting import put_folder

    with tempfile.TemporaryDirectory() as place:
        given, copy = Path(place) / "given", Path(place) / "copy"
        given.mkdir()
        copy.mkdir()
        for number in range(1_000):
            (given / f"{number}.txt").write_bytes(os.urandom(2_000))
        node = Node.open(Home(Path(place) / "home"))
        service.begin(node, Actor.owner(), "small", "table", "house")
        begin = time.perf_counter()
        put_folder(node, Actor.owner(), "small", given)
        taken = time.perf_counter() - begin
        begin = time.perf_counter()
        for path in given.iterdir():
            with (copy / path.name).open("wb") as out:
                out.write(path.read_bytes())
                out.flush()
                os.fsync(out.fileno())
        floor = time.perf_counter() - begin
        print(f"small files put: {1_000 / taken:,.0f} a second; only copied and synced: {1_000 / floor:,.0f}")
        node.close()


def upload() -> None:
    """600 MB on loopback by the protocol, in pieces of 8 MB; beside a plain server that hashes and writes them."""
    import http.client
    import os
    import subprocess

    size, piece = 600_000_000, os.urandom(8 << 20)
    with tempfile.TemporaryDirectory() as folder:
        from madang.node.home import Home
        from madang.node.node import Node
        from madang.node.people import Actor, accounts
        from madang.node.people.models import Person
        from madang.node.people.sessions import begin_session
        from madang.services.deposits import service

        node = Node.open(Home(Path(folder) / "home"))
        owner = Actor.owner()
        person = accounts.create_person(node, owner, "depositor", "Depositor", password="a long password it is")
        with node.read() as session:
            actor = Actor.person(session, person)
        with node.write() as session:
            cookie = begin_session(session, node, session.get_one(Person, person))
        service.begin(node, actor, "big", "table", "house")
        for port, command in (
            (8601, [sys.executable, "-m", "uvicorn", "--port", "8601", "--log-level", "error", "plain_upload:app"]),
            (8602, [str(Path(sys.executable).with_name("madang")), "serve", "--port", "8602"]),
        ):
            environment = os.environ | {"MADANG_HOME": str(node.home.path), "PLAIN": f"{folder}/plain"}
            environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            try:
                _wait(port)
                for turn in range(4):  # the first is to warm up
                    client = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
                    begin = time.perf_counter()
                    if port == 8601:
                        place, headers = "/upload", {}
                    else:
                        import base64

                        name = base64.b64encode(f"{turn}.bin".encode()).decode()
                        headers = {"Cookie": f"madang={cookie}", "Sec-Fetch-Site": "same-origin"}
                        told = {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
                        client.request("POST", "/api/v1/deposits/big/uploads", headers=headers | told)
                        answer = client.getresponse()
                        answer.read()
                        assert answer.status == 201, answer.status
                        place = "/api/v1" + answer.headers["Location"].partition(f":{port}")[2]
                        headers["Content-Type"] = "application/offset+octet-stream"
                    at = 0
                    while at < size:
                        body = piece[: size - at]
                        client.request("PATCH", place, body, headers | {"Upload-Offset": str(at)})
                        answer = client.getresponse()
                        answer.read()
                        assert answer.status == 204, answer.status
                        at += len(body)
                    taken = time.perf_counter() - begin
                    what = "plain server that hashes and writes" if port == 8601 else "deposit by tus"
                    if turn:
                        print(f"{what}: {size / taken / 1e6:,.0f} MB/s")
            finally:
                process.terminate()
                process.wait()
        node.close()


def _wait(port: int) -> None:
    import socket

    for _time in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def register() -> None:
    """A sparse file registered in place: what is needed beyond hashing it; and how fast it is hashed."""
    from madang.node.home import Home
    from madang.node.node import Node
    from madang.node.people import Actor
    from madang.services.deposits import registering, service, store

    hashed = 0.0
    digests = store.digests

    def timed(path: Path, progress: Any = None) -> tuple[str, str]:
        nonlocal hashed
        begin = time.perf_counter()
        found = digests(path, progress) if SIZE < 5e9 else ("0" * 64, "0" * 32)
        hashed += time.perf_counter() - begin
        return found

    with tempfile.TemporaryDirectory() as place:
        node = Node.open(Home(Path(place) / "home"))
        given = Path(place) / "given"
        given.mkdir()
        for size, what in ((200_000_000_000, "200 GB, its hashing left out"), (2_000_000_000, "2 GB with its hashing")):
            SIZE = size
            name = f"s{size}"
            with (given / f"{name}.bin").open("wb") as file:
                file.truncate(size)
            service.begin(node, Actor.owner(), name, "table", "house")
            store.digests, hashed = timed, 0.0
            begin = time.perf_counter()
            registering.register(node, Actor.owner(), name, given / f"{name}.bin")
            taken = time.perf_counter() - begin
            store.digests = digests
            print(f"registered in place, {what}: {taken - hashed:.2f} s beyond hashing", end="")
            print(f", {size / hashed / 1e6:,.0f} MB/s hashed" if size < 5e9 else "")
        node.close()


def alignments() -> None:
    """BAM looked into; beside htslib's own count of the same file, and unpacking alone."""
    import os

    import pysam

    from madang.science.formats import look

    with tempfile.TemporaryDirectory() as folder:
        path, chance = Path(folder) / "a.bam", random.Random(1)
        sequence = "".join(chance.choices("ACGT", k=100_000))
        header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "1", "LN": 100_000}]}
        with pysam.AlignmentFile(str(path), "wb", header=header) as out:
            for number in range(400_000):
                read = pysam.AlignedSegment(out.header)
                at = chance.randrange(99_000)
                read.query_name, read.flag, read.reference_id, read.reference_start = f"r{number}", 0, 0, at
                read.query_sequence, read.cigarstring = sequence[at : at + 150], "150M"
                read.query_qualities = bytearray(os.urandom(150)).translate(bytes(n % 40 for n in range(256)))
                out.write(read)
        size = path.stat().st_size / 1e6
        floor = seconds(lambda: pysam.view("-c", str(path)))
        taken = seconds(lambda: look(path))
        print(f"BAM of {size:.0f} MB: {size / taken:.0f} MB/s; htslib's own count: {size / floor:.0f} MB/s")


def oai(records: int, home: Path | None, database: str) -> None:
    """Every page of a harvest of all records, with whole records in both formats and headers alone."""
    import os
    import statistics
    from datetime import timedelta
    from xml.etree import ElementTree as Tree

    from sqlalchemy import insert

    from madang.node.database import now
    from madang.node.home import Home
    from madang.node.node import Node
    from madang.node.people import Actor
    from madang.services.catalog import oai as protocol
    from madang.services.catalog.models import Record
    from services.catalog.hostile_records import entries

    if database:
        os.environ["MADANG_DATABASE_URL"] = database
    with tempfile.TemporaryDirectory() as place:
        folder = home or Path(place)
        node, at = Node.open(Home(folder / "home")), now()
        if not (folder / "filled").exists():
            told = [entry.description.model_dump_json() for entry in entries(200)]
            with node.write() as session:
                for start in range(0, records, 5_000):
                    rows = [
                        {
                            "name": f"r{n}",
                            "dataset": f"r{n}",
                            "organization_id": 1,
                            "state": "withdrawn" if n % 50 == 0 else "published",
                            "title": f"신장 전사체 {n}",
                            "description": told[n % 200],
                            "tier": "open",
                            "published": at,
                            "changed": at + timedelta(seconds=n // 700),  # many of one moment
                        }
                        for n in range(start, start + 5_000)
                    ]
                    session.execute(insert(Record), rows)
            (folder / "filled").touch()
        space = "{http://www.openarchives.org/OAI/2.0/}"
        for verb, prefix in (("ListRecords", "oai_dc"), ("ListRecords", "datacite"), ("ListIdentifiers", "oai_dc")):
            asked, taken, cost, count = {"verb": verb, "metadataPrefix": prefix}, [], [], 0
            while asked:
                begin, busy = time.perf_counter(), time.process_time()
                answer = protocol.answer(node, Actor.stranger(), list(asked.items()), "https://madang.example.kr")
                taken.append((time.perf_counter() - begin) * 1e3)
                cost.append((time.process_time() - busy) * 1e3)
                root = Tree.fromstring(answer)
                count += len(root.findall(f".//{space}header"))
                token = root.find(f".//{space}resumptionToken")
                more = token is not None and token.text
                asked = {"verb": verb, "resumptionToken": str(more)} if more else {}
            assert count == records, count
            first, last = statistics.median(cost[:20]), statistics.median(cost[-20:])
            most = sorted(taken)[int(len(taken) * 0.95)]
            print(
                f"{verb} {prefix}: {len(taken)} pages: median {statistics.median(taken):.0f} ms, 95% under {most:.0f}, "
                f"longest {max(taken):.0f} ms; of the processor {first:.0f} ms (first 20) and {last:.0f} ms (last 20), "
                f"longest {max(cost):.0f} ms"
            )
        node.close()


def forms() -> None:
    """1,000 records in all forms."""
    from madang.services.catalog.forms import FORMS, validate
    from services.catalog.hostile_records import entries

    records = list(entries(1_000))

    def written() -> None:
        for entry in records:
            validate(entry)
            for form in FORMS.values():
                form.write(entry)

    print(f"1,000 records in 6 forms, written and validated by our rules: {seconds(written):.2f} s")


def sheet() -> None:
    """A large sample sheet."""
    from madang.science.formats import Checklist, check_sheet

    columns = tuple(f"field {number}" for number in range(58))
    list_ = Checklist("wide", "Wide", ("taxon_id", *columns[:20]), columns[20:])
    head = ["sample_alias", "taxon_id", *columns]
    rows = [[f"s{number}", "9606" if number % 10 else "human", *["value"] * 58] for number in range(10_000)]
    own = [[f"s{number}", "9606", *(f"{number} {place}" for place in range(58))] for number in range(10_000)]
    print(f"the same with every value another one: {seconds(lambda: check_sheet(list_, [head, *own])):.2f} s")
    taken = seconds(lambda: check_sheet(list_, [head, *rows]))
    print(f"a sheet of 10,000 x 60, {len(check_sheet(list_, [head, *rows])[1]):,} wrong cells: {taken:.2f} s")


def reads() -> None:
    """FASTQ, packed and plain."""
    from madang.science.formats import look

    with tempfile.TemporaryDirectory() as folder:
        chance, path = random.Random(1), Path(folder) / "reads.fastq.gz"
        row = "".join(chance.choices("ACGT", k=150))
        text = "".join(f"@read{n}/1\n{row[n % 50 :]}{row[: n % 50]}\n+\n{'F' * 150}\n" for n in range(200_000)).encode()
        path.write_bytes(gzip.compress(text, 1))
        plain = Path(folder) / "reads.fastq"
        plain.write_bytes(text)
        size = len(text) / 1e6
        floor = seconds(lambda: gzip.decompress(path.read_bytes()))
        packed, unpacked = seconds(lambda: look(path)), seconds(lambda: look(plain))
        print(f"FASTQ, gzip: {size / packed:.0f} MB/s of text; only unpacked: {size / floor:.0f} MB/s")
        print(f"FASTQ, plain: {size / unpacked:.0f} MB/s")


def main() -> None:
    """Print the figures that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--database", default="")
    given = parser.parse_args()
    known: dict[str, Callable[[], None]] = {
        "forms": forms,
        "sheet": sheet,
        "small": putting,
        "reads": reads,
        "alignments": alignments,
        "upload": upload,
        "register": register,
        "oai": lambda: oai(given.records, given.home, given.database),
    }
    for name in given.names or known:
        known[name]()


if __name__ == "__main__":
    main()
