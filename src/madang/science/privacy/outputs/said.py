"""Sentences that are kept and read later, by somebody else, in another language."""

from collections.abc import Mapping
from typing import Any

from madang.base.translate import _


class Said(str):
    """A sentence in the language of who caused it, that remembers what it was made of."""

    template: str
    values: Mapping[str, Any]


def said(template: str, **values: Any) -> Said:
    """A sentence of a template (marked by `later`) and what is filled in."""
    text = _(template)
    sentence = Said(text.format(**values) if values else text)
    sentence.template, sentence.values = template, values
    return sentence


def as_document(sentence: str) -> dict[str, Any]:
    """A sentence as JSON: `message`, and its `template` and `values` where it has them."""
    if isinstance(sentence, Said):
        return {"message": str(sentence), "template": sentence.template, "values": dict(sentence.values)}
    return {"message": sentence}


def from_document(document: Mapping[str, Any]) -> str:
    """A sentence of `as_document`, in the reader's language."""
    if document.get("template"):
        return said(document["template"], **document.get("values", {}))
    return str(document["message"])
