"""The words of a scan in the reader's language: what it says in data (JSON) is English, what a person reads is not."""

from madang.base.translate import _
from madang.science.standardize.scan.shapes import SOME_WITHOUT_A_DAY


def word(text: str) -> str:
    """A word or sentence of a scan's result, translated."""
    with_others = ", with other values"
    if text.endswith(with_others):
        return _("{shape}, with other values").format(shape=word(text.removesuffix(with_others)))
    if text.endswith(SOME_WITHOUT_A_DAY):
        return _("{shape}, some without a day").format(shape=text.removesuffix(SOME_WITHOUT_A_DAY))
    return _words().get(text) or _(text)  # what a file is instead of a table is marked in `kinds`


def shown_delimiter(delimiter: str) -> str:
    """A delimiter as it can be seen."""
    return "tab" if delimiter == "\t" else delimiter if delimiter.isprintable() else f"\\x{ord(delimiter):02x}"


def _words() -> dict[str, str]:
    return {
        # flags
        "name": _("name of a person"),
        "resident number": _("resident number"),
        "phone": _("phone"),
        "e-mail": _("e-mail"),
        "address": _("address"),
        "identity document": _("identity document"),
        "person identifier": _("person identifier"),
        # shapes
        "empty": _("empty"),
        "text": _("text"),
        "whole numbers": _("whole numbers"),
        "numbers": _("numbers"),
        "whole numbers with commas": _("whole numbers with commas"),
        "numbers with commas": _("numbers with commas"),
        "numbers, some as <0.5": _("numbers, some as <0.5"),
        "numbers and text mixed": _("numbers and text mixed"),
        "digits as codes": _("digits as codes"),
        # quotes and line ends
        "none": _("none"),
        "some fields": _("some fields"),
        "all fields": _("all fields"),
        "with line breaks": _("with line breaks"),
        "mixed": _("mixed"),
        # files that were not read
        "It is no text file.": _("It is no text file."),
        "It is empty (0 bytes).": _("It is empty (0 bytes)."),
        "It has no columns.": _("It has no columns."),
        # sources without a draft
        "no file was found of which one row is one person, by a patient number that hardly repeats": _(
            "no file was found of which one row is one person, by a patient number that hardly repeats"
        ),
        "no column leads to a person": _("no column leads to a person"),
        "no column is a date": _("no column is a date"),
        "no column looks like a code by its name": _("no column looks like a code by its name"),
    }
