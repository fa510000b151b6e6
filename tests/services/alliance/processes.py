"""A coordinator and sites as processes of their own, over real TLS on loopback, for tests and the benchmark."""

import contextlib
import datetime
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from madang.node.home import Home
from madang.node.node import Node
from madang.services.alliance import partners, shares
from portal_house import OWNER

START = "from madang.app.cli import main; main()"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return paths


@dataclass
class Processes:
    """Who runs, by name; `begin` starts one again."""

    folder: Path
    port: int
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        cert, key = self.folder / "cert.pem", self.folder / "key.pem"
        serve = ["serve", "--port", str(self.port), "--certificate", str(cert), "--key", str(key)]
        command = serve if name == "center" else ["wait", "--seconds", "300"]
        self.running[name] = self.spawn(name, command)

    def spawn(self, name: str, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "MADANG_HOME": str(self.folder / name), "MADANG_OUTGOING_HOSTS": "127.0.0.1"}
        log = (self.folder / f"{name}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-c", START, "alliance", *command], env=environment, stdout=log, stderr=log
        )

    def kill(self, name: str) -> None:
        """As a power cut does; its child ends by itself."""
        self.running[name].send_signal(signal.SIGKILL)
        self.running[name].wait(10)

    def until_open(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "center.log").read_text())


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def processes(folder: Path, tables: Sequence[pa.Table], kinds: Sequence[str], agreement: object) -> Iterator[Processes]:
    """An alliance whose sites approve these kinds by rule, all of it running."""
    cert, _key = certificate(folder)
    made = Processes(folder, free_port())
    port = made.port
    nodes = {name: Node.open(Home(folder / name)) for name in ["center", *(f"site{k}" for k in range(len(tables)))]}
    try:
        made.begin("center")
        made.until_open()
        for place, table in enumerate(tables):
            name = f"site{place}"
            _partner, code = partners.invite(nodes["center"], OWNER, name, agreement, f"https://127.0.0.1:{port}")
            partners.join(nodes[name], OWNER, code, "center", cert.read_text())
            partners.confirm(nodes["center"], OWNER, name)
            partners.stand(nodes[name], OWNER, "center", kinds)
            file = folder / f"{name}.parquet"
            pq.write_table(table, file)
            shares.share(nodes[name], OWNER, "d", file=file)
        for node in nodes.values():
            node.close()
        for place in range(len(tables)):
            made.begin(f"site{place}")
        yield made
    finally:
        for process in made.running.values():
            process.kill()
            process.wait(10)
