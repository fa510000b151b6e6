"""Deposits and forms: how fast records are written and validated by our rules, sheets checked, reads looked into.

    python benchmarks/deposits.py

Seconds are those of the processor, but for the files that are put. Each figure stands beside a floor of the same run
where there is one: reading the same gzip file with nothing done, copying and syncing the same small files.
"""

import gzip
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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


def main() -> None:
    """Print the figures."""
    from madang.science.formats import Checklist, check_sheet, look
    from madang.services.catalog.forms import FORMS, validate
    from services.catalog.hostile_records import entries

    records = list(entries(1_000))

    def forms() -> None:
        for entry in records:
            validate(entry)
            for form in FORMS.values():
                form.write(entry)

    print(f"1,000 records in 6 forms, written and validated by our rules: {seconds(forms):.2f} s")
    columns = tuple(f"field {number}" for number in range(58))
    list_ = Checklist("wide", "Wide", ("taxon_id", *columns[:20]), columns[20:])
    head = ["sample_alias", "taxon_id", *columns]
    rows = [[f"s{number}", "9606" if number % 10 else "human", *["value"] * 58] for number in range(10_000)]
    own = [[f"s{number}", "9606", *(f"{number} {place}" for place in range(58))] for number in range(10_000)]
    print(f"the same with every value another one: {seconds(lambda: check_sheet(list_, [head, *own])):.2f} s")
    taken = seconds(lambda: check_sheet(list_, [head, *rows]))
    print(f"a sheet of 10,000 x 60, {len(check_sheet(list_, [head, *rows])[1]):,} wrong cells: {taken:.2f} s")
    putting()
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


if __name__ == "__main__":
    main()
