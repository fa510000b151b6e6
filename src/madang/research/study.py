"""A study of one extract: questions, and their results with the query that they declare."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from madang.science.privacy.outputs.charting import figure, needed_figure
from madang.science.privacy.outputs.compute import Answer, Row, compute
from madang.science.privacy.outputs.judge import Finding, Status, judge, overall
from madang.science.privacy.outputs.queries import Query, query_of
from madang.science.privacy.outputs.recompute import Extract, protected_rows
from madang.science.privacy.outputs.rules import Rules, read_rules

Where = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Output:
    """A result: `rows` as they may leave (numbers that fail a rule are None), the query behind it, and the hints."""

    query: Query
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    hints: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Whether no rule stands against it; what was released before is only known at the release desk."""
        return overall(self.hints) is Status.PASS

    def csv(self) -> str:
        """The rows as CSV; a number that is left out is an empty cell."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([["" if row.get(name) is None else row[name] for name in self.columns] for row in self.rows])
        return out.getvalue()

    def save(self, path: str | Path) -> list[Path]:
        """Write `path`.csv, `path`.query.json, and `path`.vl.json where the result can be drawn; returns the files."""
        base = Path(path)
        base.parent.mkdir(parents=True, exist_ok=True)
        files = {
            f"{base.name}.csv": self.csv(),
            f"{base.name}.query.json": json.dumps(self.query.document(), ensure_ascii=False, indent=1) + "\n",
        }
        drawn = self.figure()
        if drawn is not None:
            files[f"{base.name}.vl.json"] = json.dumps(drawn, ensure_ascii=False) + "\n"
        for name, text in files.items():
            (base.parent / name).write_text(text, encoding="utf-8")
        return [base.parent / name for name in files]

    def figure(self) -> dict[str, Any] | None:
        """The specification of a figure of the rows (Vega-Lite), None for a model."""
        return figure(self.query, self.columns, self.rows)

    def plot(self) -> str:
        """The figure as SVG."""
        from madang.science import charts

        return charts.svg(needed_figure(self.query, self.columns, self.rows), self.query.kind.value)

    def __repr__(self) -> str:
        lines = [self.csv().rstrip("\n")]
        lines += [f"! {hint.sentence}" for hint in self.hints if hint.status is not Status.PASS]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_shown(row.get(name)))}</td>" for name in self.columns) + "</tr>"
            for row in self.rows
        )
        hints = "".join(f"<p>{escape(hint.sentence)}</p>" for hint in self.hints if hint.status is not Status.PASS)
        return f"<table><tr>{head}</tr>{body}</table>{hints}"


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class Study:
    """Questions to one extract. `person` is the column by which people are counted, where a table has it."""

    def __init__(self, extract: Extract, person: str = "", rules: Rules | None = None) -> None:
        self.extract = extract
        self.person = person
        self.rules = rules or Rules()

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the extract."""
        return self.extract.tables

    def table(self, source: str, by: Sequence[str], where: Where | None = None, rounding: int = 0) -> Output:
        """How many people there are in each group, as the nearest multiple of `rounding` where it is given."""
        return self._ask("count", source, where, by=list(by), rounding=rounding)

    def mean(self, source: str, variable: str, by: Sequence[str] = (), where: Where | None = None) -> Output:
        """The mean of a variable in each group."""
        return self._ask("mean", source, where, by=list(by), variable=variable)

    def total(self, source: str, variable: str, by: Sequence[str] = (), where: Where | None = None) -> Output:
        """The sum of a variable in each group."""
        return self._ask("sum", source, where, by=list(by), variable=variable)

    def deviation(self, source: str, variable: str, by: Sequence[str] = (), where: Where | None = None) -> Output:
        """The standard deviation of a variable in each group."""
        return self._ask("standard deviation", source, where, by=list(by), variable=variable)

    def quantiles(
        self,
        source: str,
        variable: str,
        levels: Sequence[float] = (0.25, 0.5, 0.75),
        by: Sequence[str] = (),
        where: Where | None = None,
    ) -> Output:
        """Quantiles of a variable in each group."""
        return self._ask("quantiles", source, where, by=list(by), variable=variable, quantiles=list(levels))

    def regression(
        self, source: str, outcome: str, terms: Sequence[str], logistic: bool = False, where: Where | None = None
    ) -> Output:
        """A linear or logistic model; texts become indicators against their first value."""
        kind = "logistic regression" if logistic else "linear regression"
        return self._ask(kind, source, where, outcome=outcome, terms=list(terms))

    def survival(
        self, source: str, time: str, event: str, by: Sequence[str] = (), where: Where | None = None
    ) -> Output:
        """Kaplan-Meier curves, with steps only where enough people went."""
        return self._ask("survival", source, where, by=list(by), time=time, event=event)

    def _ask(self, kind: str, source: str, where: Where | None, **more: Any) -> Output:
        conditions = {
            name: [values] if isinstance(values, str) else list(values) for name, values in (where or {}).items()
        }
        columns = self.extract.columns(source)
        person = self.person if self.person in columns else ""
        query = query_of({"kind": kind, "source": source, "where": conditions, "person": person, **more})
        answer = compute(self.extract.engine, query, self.rules)
        return output_of(answer, self.rules)


def output_of(answer: Answer, rules: Rules) -> Output:
    """An answer as a result: what fails a rule is left out of its rows."""
    hints = tuple(judge(answer, rules))
    return Output(answer.query, answer.columns, protected_rows(answer, hints, rules), hints)


def open_study(
    data: str | Path | Mapping[str, Any], person: str = "person_id", rules: str | Path | None = None
) -> Study:
    """A study of an extract: a folder of Parquet files, or tables (Arrow or pandas) by their names."""
    limits = read_rules(rules)
    return Study(Extract.of(data), person, limits)
