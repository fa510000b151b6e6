"""Mapping review: which codes of a dataset are mapped to standard concepts, what else they could be mapped to, and who
decided. Decisions are kept as a text file with a history; approved ones take effect as SOURCE_TO_CONCEPT_MAP of a pack.
Usagi's CSV (OHDSI) is the exchange format.
"""

from madang.science.standardize.mapping.book import Change, MappingBook, set_mapping
from madang.science.standardize.mapping.build import build_index, open_index
from madang.science.standardize.mapping.changes import TargetChange, changed_targets
from madang.science.standardize.mapping.codes import (
    ReviewItem,
    codes_of_file,
    codes_of_version,
    merge_codes,
    review_items,
    write_codes,
)
from madang.science.standardize.mapping.index import Filter, Hit, NameIndex
from madang.science.standardize.mapping.model import (
    Concept,
    Equivalence,
    Mapping,
    MappingType,
    SourceCode,
    Status,
    decide,
)
from madang.science.standardize.mapping.report import review_page, write_report
from madang.science.standardize.mapping.source_to_concept_map import write_source_to_concept_map
from madang.science.standardize.mapping.suggest import Reason, Suggester, Suggestion
from madang.science.standardize.mapping.summary import Count, count_by_level, count_by_status, total
from madang.science.standardize.mapping.terms import Terms, folder_key, read_terms
from madang.science.standardize.mapping.usagi import read_usagi, take_over, write_usagi

__all__ = [
    "Change",
    "Concept",
    "Count",
    "Equivalence",
    "Filter",
    "Hit",
    "Mapping",
    "MappingBook",
    "MappingType",
    "NameIndex",
    "Reason",
    "ReviewItem",
    "SourceCode",
    "Status",
    "Suggester",
    "Suggestion",
    "TargetChange",
    "Terms",
    "build_index",
    "changed_targets",
    "codes_of_file",
    "codes_of_version",
    "count_by_level",
    "count_by_status",
    "decide",
    "folder_key",
    "merge_codes",
    "open_index",
    "read_terms",
    "read_usagi",
    "review_items",
    "review_page",
    "set_mapping",
    "take_over",
    "total",
    "write_codes",
    "write_report",
    "write_source_to_concept_map",
    "write_usagi",
]
