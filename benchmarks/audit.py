"""Events of the audit: writing them one by one, reads by many threads, and verifying 100,000 of them.

    python benchmarks/audit.py --events 100000 --repeat 5

Makes an installation in a folder of its own (SQLite, or the database that MADANG_DATABASE_URL names), writes events as
acts and reads do, and checks the whole chain. The floor of verifying is the same hashes over the same texts in memory.
"""

import argparse
import hashlib
import hmac
import os
import platform
import statistics
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy import insert

from madang.node.audit.chain import link, mac
from madang.node.audit.head import Head
from madang.node.audit.models import audit_events
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor

GOAL = 1.0  # seconds for 100,000 events
READERS = 20


def fill(node: Node, count: int) -> list[str]:
    """Write many events at once, as the audit would one by one."""
    key, digest, texts, rows = node.home.key("audit"), node.audit.verify().digest, [], []
    for number in range(1, count + 1):
        text = (
            f'{{"act":"record.see","actor":"person:{number % 50}","address":"192.0.2.{number % 250}","at":'
            f'"2026-11-27T01:02:03.{number % 1000000:06}Z","details":{{"version":{number % 7},"format":"html"}},'
            f'"name":"김 연구","number":{number},"thing":"record:{number % 1000}","via":"session"}}'
        )
        digest = link(digest, text)
        texts.append(text)
        rows.append({"text": text, "digest": digest, "mac": mac(key, digest)})
    with node.write() as session:
        for start in range(0, count, 10_000):
            session.execute(insert(audit_events), rows[start : start + 10_000])
    node.audit.head.advance(Head(count, digest))
    return texts


def floor(texts: list[str], key: bytes) -> float:
    """Only the hashes."""
    start, digest = time.perf_counter(), "0" * 64
    for text in texts:
        digest = hashlib.sha256(f"{digest}{text}".encode()).hexdigest()
        hmac.digest(key, digest.encode(), "sha256").hex()
    return time.perf_counter() - start


def acts(node: Node, count: int) -> float:
    """Events per second of one writer."""
    start = time.perf_counter()
    for number in range(count):
        with node.write() as session:
            node.audit.record(session, Actor.owner(), "record.edit", f"record:{number}")
    return count / (time.perf_counter() - start)


def reads(node: Node, count: int) -> tuple[float, float]:
    """Reads per second of many threads, and the 95th percentile of one read in milliseconds."""
    took: list[float] = []

    def work() -> None:
        for number in range(count // READERS):
            start = time.perf_counter()
            node.audit.read(Actor.owner(), "record.see", f"record:{number}")
            took.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _reader in range(READERS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(took) / (time.perf_counter() - start), 1000 * statistics.quantiles(took, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node = Node.open(Home(Path(folder)))
        texts = fill(node, options.events)
        checked, hashed = [], []
        for _turn in range(options.repeat):
            start = time.perf_counter()
            report = node.audit.verify()
            checked.append(time.perf_counter() - start)
            assert report.length == options.events and not report.findings
            hashed.append(floor(texts, node.home.key("audit")))
        single = acts(node, 500)
        many, slow = reads(node, 2_000)
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        goal = GOAL * options.events / 100_000
        beside = f"goal {goal:.2f} s, hashes alone {statistics.median(hashed):.2f} s"
        print(f"{machine}, {node.database.engine.name}")
        print(f"verify {options.events:,} events  {statistics.median(checked):.2f} s  ({beside})")
        print(f"acts by one writer  {single:.0f} a second")
        print(f"reads by {READERS} threads  {many:.0f} a second, 95% within {slow:.0f} ms")
        node.close()


if __name__ == "__main__":
    main()
