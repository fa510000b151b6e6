"""Versioned tables: manifests over Parquet files with Delta logs for outside readers, and the engine (DuckDB).

Serves every storey above. docs/lake.md says what is promised and how the content hash is computed.
The names below are loaded at first use: who only needs `madang.lake.files` does not wait for an engine.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.lake.dataset import Dataset, Lake, Version
    from madang.lake.engine import Engine, quote_name, quote_text
    from madang.lake.manifest import DataFile, Table
    from madang.lake.write import Writer

__all__ = ["DataFile", "Dataset", "Engine", "Lake", "Table", "Version", "Writer", "quote_name", "quote_text"]

_PLACES = {
    "DataFile": "manifest",
    "Dataset": "dataset",
    "Engine": "engine",
    "Lake": "dataset",
    "Table": "manifest",
    "Version": "dataset",
    "Writer": "write",
    "quote_name": "engine",
    "quote_text": "engine",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"madang.lake.{_PLACES[name]}"), name)
