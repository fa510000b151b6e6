"""A deposit for the demo: synthetic reads in a pair, two samples, ready to be submitted."""

import tempfile
from pathlib import Path

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor
from madang.services.deposits import checks, putting, service
from madang.services.deposits.models import Deposit

NAME = "demo-reads"
SHEET = """sample_alias,taxon_id,collection date,geographic location (country and/or sea)
demo-1,562,2026-01-31,South Korea
demo-2,562,2026-02-01,South Korea
"""


def make(node: Node, progress: Progress) -> None:
    """Begin it, if it is not there."""
    owner = Actor.owner()
    with node.read() as session:
        if session.scalar(select(Deposit.id).where(Deposit.name == NAME)) is not None:
            return
    service.begin(node, owner, NAME, "insdc", "house", "합성 대장균 리드 (데모)")
    service.describe(
        node,
        owner,
        NAME,
        title_en="Synthetic reads of E. coli (demo)",
        description="합성으로 만든 염기서열 리드입니다. 실제 시료가 아닙니다.",
        license="CC0-1.0",
        creators="마당 데모, Madang demo",
    )
    with tempfile.TemporaryDirectory() as folder:
        for mate in ("1", "2"):
            rows = (f"@demo{number}/{mate}\n{'ACGT' * 25}\n+\n{'I' * 100}\n" for number in range(200))
            (Path(folder) / f"demo-1_R{mate}.fastq").write_text("".join(rows))
        putting.put_folder(node, owner, NAME, Path(folder))
        sheet = Path(folder) / "sheet.csv"
        sheet.write_text(SHEET)
        service.put_sheet(node, owner, NAME, sheet)
    checks.check(node, owner, NAME)
