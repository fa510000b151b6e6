"""Approved mappings as SOURCE_TO_CONCEPT_MAP, the form in which a pack's maps/ takes effect in standardize."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from madang.lake.files import make_folder, put_instead, sentences
from madang.science.standardize.mapping.model import Mapping, MappingType, Status

COLUMNS = (
    *("source_code", "source_concept_id", "source_vocabulary_id", "source_code_description", "target_concept_id"),
    *("target_vocabulary_id", "valid_start_date", "valid_end_date", "invalid_reason"),
)


def in_effect(mappings: Iterable[Mapping]) -> list[Mapping]:
    """The approved mappings that the table can say: those of type MAPS_TO. It has no column for values or units."""
    return [m for m in mappings if m.status is Status.APPROVED and m.mapping_type is MappingType.MAPS_TO]


def write_source_to_concept_map(path: Path, mappings: Iterable[Mapping]) -> int:
    """Write what is in effect, replacing the file at once; returns the number of rows.

    A code approved as UNMATCHED is there with target 0 and target vocabulary `None`.
    """
    rows = in_effect(mappings)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for mapping in rows:
        target = mapping.target_vocabulary_id if mapping.target_concept_id else "None"
        source = [mapping.source_code, 0, mapping.source_vocabulary_id, mapping.source_name]
        writer.writerow(
            [*source, mapping.target_concept_id, target, mapping.valid_start_date, mapping.valid_end_date, ""]
        )
    with sentences(f"write {path.name}"):
        make_folder(path.absolute().parent, 0o755)
        put_instead(path, out.getvalue().encode(), 0o644)
    return len(rows)
