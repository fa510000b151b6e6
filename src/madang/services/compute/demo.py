"""This room's part of the demo: a task, a reference and a run on reads; all made up here from a seed."""

import random
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node import closed
from madang.node.node import Node
from madang.node.people import Actor, Project
from madang.services.compute.models import Task

PROJECT, REFERENCE = "demo-kidney", "synthetic"
_BASES = 12_000


def make(node: Node, progress: Progress) -> None:
    """Ask for them in the demo's project, if it is there and they are not; the runner works on them afterwards."""
    with node.read() as session:
        project = session.scalar(select(Project.id).where(Project.name == PROJECT))
        there = session.scalar(select(Task.id).where(Task.project_id == project)) if project else None
    if project is None or there is not None or not closed.is_available():
        return
    from madang.services.compute import service

    owner = Actor.owner()
    script = "fold -w1 < /inputs/dna | sort | uniq -c > counts.txt; cat counts.txt"
    count = {
        "name": "GC content (synthetic) / GC 함량 (합성)",
        "executors": [
            {
                "image": "madang",
                "command": ["sh", "-c", script],
                "workdir": "/task",
            }
        ],
        "inputs": [{"path": "/inputs/dna", "content": _genome(random.Random(1))[:2_000]}],
        "outputs": [{"path": "/task", "url": "madang://", "type": "DIRECTORY"}],
        "resources": {"cpu_cores": 1, "ram_gb": 0.5},
    }
    service.submit(node, owner, count, project=PROJECT)
    progress.check()
    from madang.science.sequencing.tools import NEEDED

    if all(shutil.which(name) for name in NEEDED):
        _germline(node, owner)


def _genome(draw: random.Random) -> str:
    return "".join(draw.choice("ACGT") for _base in range(_BASES))


def _germline(node: Node, owner: Actor) -> None:
    from madang.services.compute import sequencing, staging

    draw = random.Random(22)
    genome = _genome(draw)
    changed = list(genome)
    for place in range(600, _BASES - 600, 450):
        changed[place] = draw.choice([base for base in "ACGT" if base != genome[place]])
    with tempfile.TemporaryDirectory(prefix="madang-demo-") as folder:
        path = Path(folder) / "synthetic.fa"
        path.write_text(f">synthetic\n{genome}\n")
        genes = Path(folder) / "genes.bed"
        genes.write_text("".join(f"synthetic\t{n * 3_000 + 200}\t{n * 3_000 + 2_400}\tgene{n + 1}\n" for n in range(4)))
        told = {"title": "Synthetic", "source": "made by Madang", "license": "CC0-1.0", "ploidy": 1}
        sequencing.add_reference(node, owner, REFERENCE, path, told, genes)
    reads = _reads(draw, "".join(changed))
    files = [
        staging.bring(node, owner, f"synthetic_R{n}.fastq", text.encode(), PROJECT) for n, text in enumerate(reads, 1)
    ]
    wanted = sequencing.Wanted(
        tuple(f"madang://file/{each.id}" for each in files), f"madang://reference/{REFERENCE}", "synthetic"
    )
    sequencing.ask_germline(node, owner, wanted, PROJECT)


def _reads(draw: random.Random, text: str, pairs: int = 2_400) -> tuple[str, str]:
    """Pairs of reads of 100 bases, of which the ends are worse."""
    swap = str.maketrans("ACGT", "TGCA")
    quality = "".join(chr(33 + max(12, 38 - place // 5)) for place in range(100))
    first, second = [], []
    for number in range(pairs):
        begin = draw.randrange(0, _BASES - 340)
        part = text[begin : begin + 240 + draw.randrange(100)]
        first.append(f"@synthetic{number}\n{part[:100]}\n+\n{quality}\n")
        second.append(f"@synthetic{number}\n{part[-100:].translate(swap)[::-1]}\n+\n{quality}\n")
    return "".join(first), "".join(second)
