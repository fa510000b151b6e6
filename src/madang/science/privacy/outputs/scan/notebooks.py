"""Notebooks: the text of the cells may leave, what was computed may not; a stripped notebook is written anew."""

import json
from typing import Any

from madang.base.translate import later
from madang.science.privacy.outputs.judge import Finding, Status
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import Scan, refused
from madang.science.privacy.outputs.scan.programs import program_findings

CELLS = ("code", "markdown", "raw")


def scan_notebook(content: bytes) -> Scan:
    """A Jupyter notebook of format 4: outputs, attachments and stored widgets are refused, the text is scanned."""
    try:
        book = json.loads(content.decode("utf-8"))
        cells = book["cells"]
        texts = [_text(cell) for cell in cells]
        good = book.get("nbformat") == 4 and all(cell.get("cell_type") in CELLS for cell in cells)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return refused("notebook", "content", said(later("This is no notebook that can be read.")))
    if not good:
        return refused("notebook", "content", said(later("This is no notebook that can be read.")))
    outputs = any(cell.get("outputs") for cell in cells)
    attached = any(cell.get("attachments") for cell in cells) or "widgets" in (book.get("metadata") or {})
    findings = [
        _is("outputs", not outputs, said(later("No cell keeps its output."))),
        _is("attachments", not attached, said(later("No cell has attachments."))),
        *program_findings("\n".join(texts)),
    ]
    return Scan("notebook", tuple(findings), clean=stripped(book, texts))


def _is(criterion: str, good: bool, sentence: str) -> Finding:
    return Finding(criterion, Status.PASS if good else Status.FAIL, sentence)


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def stripped(book: dict[str, Any], texts: list[str]) -> bytes:
    """The notebook with the text of its cells and nothing else."""
    cells: list[dict[str, Any]] = []
    for cell, text in zip(book["cells"], texts, strict=True):
        new: dict[str, Any] = {"cell_type": cell["cell_type"], "metadata": {}, "source": text}
        if cell["cell_type"] == "code":
            new |= {"outputs": [], "execution_count": None}
        cells.append(new)
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}, ensure_ascii=False).encode()
