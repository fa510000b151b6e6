"""A real Slurm on this machine: munge, slurmctld and slurmd with a configuration of their own.

The daemons run as who runs the tests; jobs as an ordinary user. Where that is root, slurmd lives in a mount namespace
in which the home of the installation does not exist.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from portal_house import House
from support import needs

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "setpriv")
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
CONFIGURATION = """
ClusterName=madang
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port2}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.sock
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
SlurmdTimeout=5
KillWait=2
MinJobAge=30
CompleteWait=0
SchedulerParameters=sched_min_interval=0,sched_interval=1,batch_sched_delay=0,bf_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=6000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass
class Cluster:
    """A Slurm that runs: its folder, and its daemons, which can be killed and started again."""

    folder: Path
    hidden: Path
    daemons: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Where the commands of Slurm find it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def start(self, name: str) -> None:
        """Start one of its daemons, in the foreground, as our child."""
        commands = {
            "munged": ["munged", "--foreground", "--force", "--num-threads=2"],
            "slurmctld": ["slurmctld", "-D"],
            "slurmd": ["slurmd", "-D", "-N", socket.gethostname().split(".")[0]],
        }
        command = commands[name]
        if name == "munged":
            for option, file in (
                ("key-file", "munge.key"),
                ("socket", "munge.sock"),
                ("pid-file", "munged.pid"),
                ("log-file", "munged.log"),
                ("seed-file", "munged.seed"),
            ):
                command.append(f"--{option}={self.folder / file}")
        if name == "slurmd" and os.geteuid() == 0:
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", self._elsewhere(), "d", *command]
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.environment, start_new_session=True
            )

    def _elsewhere(self) -> str:
        """Where a node is: the home is not there, and Python, where others cannot reach it, is."""
        told = f"mount -t tmpfs none '{self.hidden}' || exit 1\n"
        base = Path(sys.base_prefix)
        closed = next((each for each in reversed(base.parents) if not each.stat().st_mode & 0o001), None)
        if closed is not None:
            there = self.folder / "python"
            there.mkdir(exist_ok=True)
            told += f"mount --rbind '{base}' '{there}' && mount -t tmpfs -o mode=755 none '{closed}' || exit 1\n"
            told += f"mkdir -p '{base}' && mount --rbind '{there}' '{base}' || exit 1\n"
        return told + 'exec "$@"'

    def kill(self, name: str) -> None:
        """Kill a daemon without a warning; `node` is slurmd with all that it runs."""
        if name == "node":
            self.kill("slurmd")
            for pid in self._jobs():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return
        with contextlib.suppress(OSError):
            self.daemons[name].send_signal(signal.SIGKILL)
        self.daemons[name].wait()

    def _jobs(self) -> list[int]:
        """The step daemons of this cluster and what runs below them, the first of them first."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (path / "environ").read_bytes()
                words = (path / "cmdline").read_bytes()
                ours = f"SLURM_CONF={self.folder}".encode() in environment or str(self.folder).encode() in words
                if ours and (b"slurmstepd" in words or b"compute.pilot" in words or b"slurm_script" in words):
                    found.append(int(path.name))
        return sorted(found)

    def wait(self, wanted: str = "idle") -> None:
        """Until its node is ready."""
        end = time.monotonic() + 40
        while time.monotonic() < end:
            command = ["sinfo", "-h", "-o", "%T"]
            ran = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=20)
            if ran.stdout.strip() in (wanted, "mixed", "allocated"):
                return
            time.sleep(0.2)
        logs = "".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("*.log")))
        raise AssertionError(f"Slurm did not start: {logs}")


@contextlib.contextmanager
def slurm(house: House) -> Iterator[Cluster]:
    """A Slurm for the tasks of a house."""
    for tool in TOOLS:
        needs(tool)
    folder = Path(tempfile.mkdtemp(prefix="madang-slurm-"))
    folder.chmod(0o755)
    ports = []
    for _each in range(2):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
    host, user = socket.gethostname().split(".")[0], pwd.getpwuid(os.geteuid()).pw_name
    told = CONFIGURATION.format(
        host=host, port=ports[0], port2=ports[1], folder=folder, user=user, cores=os.cpu_count()
    )
    (folder / "slurm.conf").write_text(told)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    home = house.node.home.path
    settings = house.node.home.folder("compute") / "cluster.toml"
    (folder / "exchange").mkdir()
    settings.write_text(
        f'executor = "slurm"\nfolder = "{folder / "exchange"}"\nuser = "{USER}"\n'
        f'cores = {os.cpu_count()}\nmemory = "4G"\njobs = 2\n'
    )
    cluster = Cluster(folder, home)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    try:
        for name in ("munged", "slurmctld", "slurmd"):
            cluster.start(name)
            time.sleep(0.3)
        cluster.wait()
        yield cluster
    finally:
        os.environ.pop("SLURM_CONF", None)
        settings.unlink(missing_ok=True)
        subprocess.run(
            ["scancel", "--user", USER], env=cluster.environment, capture_output=True, check=False, timeout=20
        )
        cluster.kill("node")
        for name in ("slurmctld", "munged"):
            cluster.kill(name)
        shutil.rmtree(folder, ignore_errors=True)
