"""Building a name index: in pieces of 256 thousand terms, so that memory stays bounded for any vocabulary."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake.files import locked, make_folder, sentences
from madang.science.standardize.mapping.features import LETTER_BITS, Alphabet, normalize, trigrams
from madang.science.standardize.mapping.index import FORMAT, LONGEST_NAME, NameIndex, weights
from madang.science.standardize.mapping.terms import Terms

_PIECE_BITS = 18
_PIECE = 1 << _PIECE_BITS  # a trigram (42 bits) and a row of the piece (18) fit one integer, which sorts fast
_PATIENCE = 600.0  # seconds
assert 3 * LETTER_BITS + _PIECE_BITS <= 64


def build_index(terms: Terms, folder: Path, progress: Progress | None = None) -> NameIndex:
    """Write the index of `terms` to `folder` and open it.

    The folder appears complete or not at all: it is written beside and renamed. An index that is already there is kept
    as it is, so of two who build at once both get the first one.
    """
    progress = progress or Silent()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        _write(terms, draft, progress)
        try:
            draft.rename(folder)
        except OSError:
            if not (folder / "meta.json").exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return NameIndex(folder)


def open_index(root: Path, key: str, terms: Callable[[], Terms], progress: Progress | None = None) -> NameIndex:
    """The index called `key` in the folder `root`; made of `terms()` if it is not there, by one process for all.

    Raises `mapping.busy` if another process has been building it for ten minutes.
    """
    folder = root / key
    if not (folder / "meta.json").exists():
        busy = MadangError("mapping.busy", "The name index is being built by somebody else.", "Try again later.")
        with sentences(f"build the name index in {root}"):
            make_folder(root, 0o755)
            with locked(root / f"{key}.lock", exclusive=True, patience=_PATIENCE, busy=busy):
                if not (folder / "meta.json").exists():
                    build_index(terms(), folder, progress)
    return NameIndex(folder)


def _write(terms: Terms, folder: Path, progress: Progress) -> None:
    def save(name: str, array: np.ndarray) -> None:
        np.save(folder / f"{name}.npy", array)

    concepts = terms.concepts.sort_by("concept_id")
    ids = concepts["concept_id"].to_numpy().astype(np.int64)
    save("concept_ids", ids)
    meta: dict[str, object] = {"format": FORMAT, "release": terms.release}
    for column, name, plural in (
        ("domain_id", "domain", "domains"),
        ("vocabulary_id", "vocabulary", "vocabularies"),
        ("concept_class_id", "class", "classes"),
    ):
        encoded = pc.fill_null(concepts[column], "").combine_chunks().dictionary_encode()
        meta[plural] = encoded.dictionary.to_pylist()
        save(name, encoded.indices.to_numpy().astype(np.uint16))

    # 1: valid; 3: valid and standard.
    valid = pc.equal(pc.fill_null(concepts["invalid_reason"], ""), "").to_numpy().astype(np.uint8)
    standard = pc.equal(pc.fill_null(concepts["standard_concept"], ""), "S").to_numpy().astype(np.uint8)
    state = valid | ((valid & standard) << 1)
    save("state", state)

    maps_from, maps_to = _rows(ids, terms.maps["concept_id_1"]), _rows(ids, terms.maps["concept_id_2"])
    known = (maps_from >= 0) & (maps_to >= 0)
    known &= state[np.maximum(maps_to, 0)] == 3 if len(state) else known
    maps_from, maps_to = maps_from[known], maps_to[known]
    order = np.lexsort((maps_to, maps_from))
    save("maps_from", maps_from[order].astype(np.uint32))
    save("maps_to", maps_to[order].astype(np.uint32))

    synonym_rows = _rows(ids, terms.synonyms["concept_id"])
    synonyms = terms.synonyms["concept_synonym_name"].combine_chunks().filter(pa.array(synonym_rows >= 0))
    synonym_rows = synonym_rows[synonym_rows >= 0]
    save("synonym_concepts", synonym_rows.astype(np.uint32))
    names = pa.concat_arrays([_large(concepts["concept_name"]), synonyms.cast(pa.large_string())])
    _save_strings(folder, "name", names)

    codes = _large(concepts["concept_code"])
    _save_strings(folder, "code", codes)
    bare = pc.replace_substring_regex(pc.utf8_upper(codes), r"[^\p{L}\p{N}]+", "")
    by_code = pc.sort_indices(bare)
    _save_strings(folder, "bare_code", bare.take(by_code))
    save("bare_code_concepts", by_code.to_numpy().astype(np.uint32))

    # Found are the names of targets, and of what is mapped to a target.
    findable = state == 3
    findable[maps_from] = True
    findable = np.concatenate([findable, findable[synonym_rows]])
    meta["indexed"], meta["letters"] = _write_postings(names, findable, folder, progress)
    (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), "utf-8")


def _write_postings(names: pa.Array, findable: np.ndarray, folder: Path, progress: Progress) -> tuple[int, str]:
    """Trigrams, posting lists and lengths of all findable names; returns how many names, and the letters."""
    alphabet, indexed = Alphabet(), 0
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    with progress.step("index names", total=len(names), unit="names"):
        for start in range(0, len(names), _PIECE):
            piece = pc.utf8_slice_codeunits(names.slice(start, _PIECE), 0, LONGEST_NAME)
            piece = pc.if_else(pa.array(findable[start : start + _PIECE]), piece, "")
            rows, found = trigrams(normalize(piece), alphabet)
            packed = (found << _PIECE_BITS) | rows.astype(np.uint64)
            packed.sort()
            packed = packed[np.concatenate([[True], packed[1:] != packed[:-1]])] if len(packed) else packed
            rows = (packed & (_PIECE - 1)).astype(np.uint32)
            np.save(folder / f"piece{start}.npy", rows)
            indexed += len(np.unique(rows))
            pieces.append(np.unique(packed >> _PIECE_BITS, return_counts=True))
            progress.advance(len(piece))

    every = np.unique(np.concatenate([codes for codes, __ in pieces])) if pieces else np.empty(0, np.uint64)
    places = [np.searchsorted(every, codes) for codes, __ in pieces]
    counts = np.zeros(len(every), dtype=np.int64)
    for place, (__, count) in zip(places, pieces, strict=True):
        counts[place] += count
    starts = np.concatenate([[0], np.cumsum(counts)])
    weight = weights(counts, indexed)
    postings = np.lib.format.open_memmap(
        folder / "postings.npy", mode="w+", dtype=np.uint32, shape=(max(int(starts[-1]), 1),)
    )
    lengths, filled = np.zeros(len(names), dtype=np.int64), starts[:-1].copy()
    with progress.step("write postings", total=len(pieces)):
        for number, (place, (__, count)) in enumerate(zip(places, pieces, strict=True)):
            start, path = number * _PIECE, folder / f"piece{number * _PIECE}.npy"
            rows = np.load(path)
            first = np.concatenate([[0], np.cumsum(count)[:-1]]) if len(count) else count
            # The list of each trigram goes on where the piece before left it; rows are in order within it.
            target = np.arange(len(rows)) + np.repeat(filled[place] - first, count)
            postings[target] = rows + np.uint32(start)
            size = min(_PIECE, len(names) - start)
            lengths[start : start + size] = np.bincount(rows, np.repeat(weight[place], count), minlength=size)
            filled[place] += count
            path.unlink()
            progress.advance()
    postings.flush()
    np.save(folder / "trigrams.npy", every)
    np.save(folder / "starts.npy", starts)
    np.save(folder / "lengths.npy", lengths)
    return indexed, alphabet.letters


def _rows(ids: np.ndarray, wanted: pa.ChunkedArray) -> np.ndarray:
    """Where each wanted identifier stands in sorted `ids`; -1 where it does not."""
    sought = wanted.to_numpy().astype(np.int64)
    if not len(ids):
        return np.full(len(sought), -1)
    at = np.minimum(np.searchsorted(ids, sought), len(ids) - 1)
    return np.where(ids[at] == sought, at, -1)


def _large(column: pa.ChunkedArray) -> pa.Array:
    return pc.fill_null(column.cast(pa.large_string()), "").combine_chunks()


def _save_strings(folder: Path, name: str, texts: pa.Array) -> None:
    texts = pa.concat_arrays([texts.cast(pa.large_string())])  # offsets that start at 0
    __, starts, text = texts.buffers()
    offsets = np.frombuffer(starts, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(text or b"", dtype=np.uint8)
    np.save(folder / f"{name}_starts.npy", offsets - offsets[0])
    np.save(folder / f"{name}_text.npy", data[offsets[0] : offsets[-1]])
