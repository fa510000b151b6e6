"""Deposits and forms: how fast records are written and validated by our rules, sheets checked, reads looked into.

    python benchmarks/deposits.py

Each figure stands beside a floor of the same run where there is one: reading the same gzip file with nothing done.
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
    """How long something takes, the median of three."""
    taken = []
    for _time in range(3):
        begin = time.perf_counter()
        done()
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[1]


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
    taken = seconds(lambda: check_sheet(list_, [head, *rows]))
    print(f"a sheet of 10,000 x 60, {len(check_sheet(list_, [head, *rows])[1]):,} wrong cells: {taken:.2f} s")
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
