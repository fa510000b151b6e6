"""Run by the environment judges-metadata: documents of a folder against official shapes and schemas; JSON to stdout."""

import json
import logging
import sys
from pathlib import Path

import datacite
import mlcroissant
import pyshacl
import rdflib
from jsonschema import Draft7Validator
from lxml import etree

logging.disable(logging.CRITICAL)
SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")


def shapes(*paths: Path) -> list[rdflib.Graph]:
    """Each file of shapes as a graph of its own."""
    return [rdflib.Graph().parse(path, format="turtle") for path in paths]


def main(folder: Path, standards: Path) -> None:
    """Judge every document."""
    dcat = shapes(*(standards / "dcat-ap-3.0.1" / name for name in ("shapes.ttl", "range.ttl")))
    health = shapes(standards / "healthdcat-ap-r6" / "non-public-shapes.ttl")
    schema = etree.XMLSchema(etree.parse(standards / "datacite-4.6" / "metadata.xsd"))
    rules = json.loads((Path(datacite.__file__).parent / "schemas" / "datacite-v4.5.json").read_text())
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        said: list[str] = []
        _name, _, kind = path.name.partition(".")
        try:
            if "dcat-ap" in kind:
                syntax = "json-ld" if kind.endswith("json-ld") else "turtle"
                graph = rdflib.Graph().parse(path, format=syntax)
                is_open = "/PUBLIC" in path.read_text()
                for shape in dcat + (health if kind.startswith("health") and not is_open else []):
                    _ok, report, _text = pyshacl.validate(graph, shacl_graph=shape, do_owl_imports=False)
                    for result in report.subjects(SH.resultSeverity, SH.Violation):
                        path_, message = report.value(result, SH.resultPath), report.value(result, SH.resultMessage)
                        said.append(f"{path_} {message} {report.value(result, SH.value)}")
            elif kind == "datacite.xml":
                schema.validate(etree.parse(path))
                said = [str(error) for error in schema.error_log]
            elif kind == "datacite.json":
                said = [
                    str(error.message) for error in Draft7Validator(rules).iter_errors(json.loads(path.read_text()))
                ]
            elif kind.startswith("croissant"):
                mlcroissant.Dataset(jsonld=json.loads(path.read_text()))
            else:
                json.loads(path.read_text())
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}"[:2000])
        found[path.name] = said
    print(json.dumps(found))


main(Path(sys.argv[1]), Path(sys.argv[2]))
