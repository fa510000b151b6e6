"""Run by the environment judges-metadata: answers of OAI-PMH against the schemas, and a harvest by sickle; JSON out."""

import json
import sys
from pathlib import Path

from lxml import etree
from sickle import Sickle

folder, standards, address = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


class Near(etree.Resolver):
    """The schema of xml:lang lies beside DataCite's."""

    def resolve(self, url: str, _public: str, context: object) -> object:
        """Where it is, if that is asked for."""
        return self.resolve_filename(str(near), context) if url.endswith("xml.xsd") else None


near = standards / "datacite-4.6" / "include" / "xml.xsd"
parser = etree.XMLParser()
parser.resolvers.add(Near())
places = {
    "http://www.openarchives.org/OAI/2.0/": standards / "oai-pmh-2.0" / "OAI-PMH.xsd",
    "http://www.openarchives.org/OAI/2.0/oai_dc/": standards / "oai-pmh-2.0" / "oai_dc.xsd",
    "http://datacite.org/schema/kernel-4": standards / "datacite-4.6" / "metadata.xsd",
}
imports = "".join(f'<xs:import namespace="{space}" schemaLocation="{path}"/>' for space, path in places.items())
whole = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
protocol = etree.XMLSchema(etree.fromstring(whole, parser))
errors: dict[str, list[str]] = {}
for path in sorted(folder.glob("*.xml")):
    tree = etree.parse(path)
    if not protocol.validate(tree):
        errors.setdefault(path.name, []).extend(str(error) for error in protocol.error_log)
client = Sickle(address)
records = list(client.ListRecords(metadataPrefix="oai_dc", ignore_deleted=False))
headers = list(client.ListIdentifiers(metadataPrefix="oai_dc", ignore_deleted=False))
print(
    json.dumps(
        {
            "errors": errors,
            "records": len(records),
            "different": len({record.header.identifier for record in records} & {h.identifier for h in headers}),
            "deleted": sum(record.deleted for record in records),
        }
    )
)
