"""`madang mappings review`: one code after the other in the terminal, decided by short answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from madang.app.commands.mappings_desk import By, Desk, Name, VocabularyOption, open_desk
from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.standardize.mapping import Concept, Equivalence, Mapping, ReviewItem, Suggester, Suggestion


def review(
    name: Name,
    by: By,
    vocabulary: VocabularyOption = None,
    source_vocabulary: Annotated[str, typer.Option(help="Only codes of this vocabulary.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Also codes that are decided or mapped already.")] = False,
) -> None:
    """Go through codes, most records first: approve, reject or skip with one key and Enter."""
    from madang.base.console import console
    from madang.science.standardize.mapping import Suggester

    desk = open_desk(name)
    items = [item for item in desk.items() if source_vocabulary in ("", item.code.vocabulary_id)]
    items = [item for item in items if again or (not item.mapped and item.status in ("unreviewed", "candidate"))]
    index = desk.index(vocabulary)
    console().print(_help(), markup=False)
    decided = 0
    for number, item in enumerate(items, start=1):
        session = _Session(desk, by, item, Suggester(index, desk.book.mappings()))
        more, changed = session.run(f"[{number:,}/{len(items):,}]")
        decided += changed
        if not more:
            break
    console().print(_("{n} decisions written to {path}.").format(n=decided, path=desk.book.path), markup=False)


def _help() -> str:
    return _(
        "2 approve the second suggestion; 2 WIDER with that equivalence (=, w, n, i for short); r 2 reject it; "
        "c 2 keep as candidate;\n#ID use this concept instead, as in #201826 or r #201826; /words search; "
        "u there is no target; Enter next; q stop; ? this help"
    )


@dataclass
class _Session:
    """The dialog about one code."""

    desk: Desk
    by: str
    item: "ReviewItem"
    suggester: "Suggester"

    def run(self, place: str) -> tuple[bool, int]:
        """Ask until the person goes on; returns whether to go on to the next code, and how many decisions were made."""
        from madang.base.console import console

        out, code = console(), self.item.code
        out.print(f"\n{place} {code.vocabulary_id} {code.code}  {' / '.join(code.names)}", style="bold", markup=False)
        out.print(f"{code.domain} {code.records:,} {_('records')}, {code.level}".strip(), markup=False)
        for mapping in self.item.mappings:
            text = f"  {mapping.status} {mapping.equivalence} {mapping.target_concept_id} {mapping.target_name}"
            out.print(f"{text} ({mapping.reviewer})", markup=False)
        suggestions, decided = self.show(self.suggester.suggest(code, 9)), 0
        while True:
            answer = _ask()
            if answer is None or answer.lower() == "q":
                return False, decided
            try:
                if answer in ("", "s"):
                    return True, decided
                if answer == "?":
                    out.print(_help(), markup=False)
                elif answer.startswith("/"):
                    suggestions = self.show(self.search(answer[1:].strip()))
                else:
                    final = self.decide(answer, suggestions)
                    decided += 1
                    if final:
                        return True, decided
            except MadangError as error:
                out.print(str(error), markup=False)
                if error.code == "mapping.conflict":
                    return True, decided

    def show(self, suggestions: "list[Suggestion]") -> "list[Suggestion]":
        """Print suggestions under numbers, and give them back."""
        from madang.base.console import console

        out = console()
        for number, suggestion in enumerate(suggestions, start=1):
            concept = suggestion.concept
            what = f"{concept.domain_id}, {concept.vocabulary_id} {concept.concept_code}, {concept.concept_id}"
            out.print(f"  {number}  {suggestion.score:.2f}  {concept.name}  [{what}]", markup=False)
            why = "; ".join(reason.text for reason in suggestion.reasons[:3])
            out.print(f"           {why}", style="dim", markup=False)
        if not suggestions:
            out.print(_("  No suggestion."), markup=False)
        return suggestions

    def search(self, words: str) -> "list[Suggestion]":
        """Suggestions for other words than the code's own name."""
        from madang.science.standardize.mapping import SourceCode

        code = self.item.code
        return self.suggester.suggest(SourceCode(code.vocabulary_id, "?", (words,), code.domain), 9)

    def decide(self, answer: str, suggestions: "list[Suggestion]") -> bool:
        """Write the decision that an answer means; whether the code is done with."""
        from madang.science.standardize.mapping import Change, Equivalence, Status, decide

        words = answer.split()
        status = {"r": Status.REJECTED, "c": Status.CANDIDATE}.get(words[0].lower(), Status.APPROVED)
        if words[0].lower() in ("r", "c", "a"):
            words = words[1:]
        if words and words[0].lower() == "u":
            concept, equivalence = None, Equivalence.UNMATCHED
        else:
            concept, equivalence = self.target(words[0] if words else "1", suggestions)
            if len(words) > 1:
                equivalence = _equivalence(words[1])
        if status is not Status.APPROVED and len(words) < 2:
            equivalence = Equivalence.UNREVIEWED
        mapping = decide(self.item.code, concept, status, equivalence, self.by)
        before = next((known for known in self.item.mappings if known.key == mapping.key), None)
        self.desk.write([Change(before, mapping)], self.by)
        self.remember(mapping)
        return status is Status.APPROVED

    def target(self, word: str, suggestions: "list[Suggestion]") -> "tuple[Concept, Equivalence]":
        """The concept that a number of the list or `#ID` means, and the equivalence to assume."""
        from madang.science.standardize.mapping import Equivalence

        if word.startswith("#") and word[1:].isdecimal():
            concept = self.suggester.index.concept(int(word[1:]))
            if concept is None:
                raise MadangError("mapping.no_concept", _("Concept {id} is not in the vocabulary.").format(id=word[1:]))
            return concept, Equivalence.EQUIVALENT
        if word.isdecimal() and 0 < int(word) <= len(suggestions):
            suggestion = suggestions[int(word) - 1]
            return suggestion.concept, suggestion.equivalence
        raise MadangError("mapping.answer", _("'{word}' is no answer.").format(word=word), _("? shows the answers."))

    def remember(self, mapping: "Mapping") -> None:
        """Take a decision into what this session has seen of the code."""
        from madang.science.standardize.mapping import ReviewItem

        others = [known for known in self.item.mappings if known.key != mapping.key]
        self.item = ReviewItem(self.item.code, (*others, mapping))


def _equivalence(word: str) -> "Equivalence":
    from madang.science.standardize.mapping import Equivalence

    short = {"=": "EQUAL", "e": "EQUIVALENT", "w": "WIDER", "n": "NARROWER", "i": "INEXACT"}
    try:
        return Equivalence(short.get(word.lower(), word.upper()))
    except ValueError:
        words = ", ".join(member.value for member in Equivalence)
        raise MadangError("mapping.value", _("There is no '{text}'.").format(text=word), words) from None


def _ask() -> str | None:
    """One line of the person; None at the end of the input."""
    try:
        return input("> ").strip()
    except EOFError:
        return None
