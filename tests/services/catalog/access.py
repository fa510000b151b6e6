"""Who gets what at the doors of the room catalog; see services/access_tables.py."""

from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/": ("/", (YES,) * 5),
    "/records": ("/records?q=record", (YES,) * 5),
    "/records/{name}": ("/records/draft", (NONE, NONE, YES, YES, NONE)),
    "/records/{name}/tables/{table}": ("/records/closed/tables/person", (YES,) * 5),
    "/records/{name}/quality": ("/records/closed/quality", (IN, NO, YES, NO, NO)),
    "/records/{name}/checks": ("/records/closed/checks", (IN, NO, YES, NO, NO)),
    "/records/{name}/profile": ("/records/closed/profile", (YES,) * 5),
    "/records/{name}/download/{table}.parquet": ("/records/closed/download/person.parquet", (IN, NO, YES, NO, NO)),
    "/records/{name}/download/{table}.csv": ("/records/closed/download/person.csv", (IN, NO, YES, NO, NO)),
    "/records/{name}/download.zip": ("/records/closed/download.zip", (IN, NO, YES, NO, NO)),
    "/records/{name}/ask": ("/records/closed/ask", (IN, NO, YES, NO, NO)),
    "/records/{name}/forms": ("/records/draft/forms", (NONE, NONE, YES, YES, NONE)),
    "/records/{name}/as/{form}": ("/records/draft/as/dcat-ap", (NONE, NONE, YES, YES, NONE)),
    "/records/{name}/linkset.json": ("/records/draft/linkset.json", (NONE, NONE, YES, YES, NONE)),
    "/oai": ("/oai?verb=ListRecords&metadataPrefix=oai_dc", (YES,) * 5),
    "/dcat": ("/dcat", (YES,) * 5),
    "/sitemap.xml": ("/sitemap.xml", (YES,) * 5),
    "/robots.txt": ("/robots.txt", (YES,) * 5),
    "/records/{name}/answer.csv": ("/records/closed/answer.csv?sql=SELEC", (IN, NO, BAD, NO, NO)),
    "/records/{name}/versions/{number}": ("/records/draft/versions/1", (NONE, NONE, NONE, NO, NONE)),
    "/wanted": ("/wanted", (IN, NO, YES, NO, NO)),
    "/steward": ("/steward", (IN, NO, YES, NO, NO)),
    "/steward/{name}": ("/steward/closed", (IN, NO, YES, NO, NO)),
}
ACTS: Acts = {
    "/oai": ("/oai", {"verb": "none"}, (YES,) * 5),
    "/records/{name}/ask": ("/records/closed/ask", {"sql": "SELEC"}, (IN, NO, BAD, NO, NO)),
    "/wanted": ("/wanted", {"words": "genomes"}, (IN, YES, YES, YES, YES)),
    "/steward": ("/steward", {"dataset": "closed", "organization": "hospital"}, (IN, NO, 409, NO, NO)),
    "/organizations/{organization}/minimum": ("/organizations/house/minimum", {"minimum": 5}, (IN, NO, NO, NO, NO)),
    "/steward/{name}": ("/steward/closed", {"edition": 0, "title": "t", "tier": "open"}, (IN, NO, 409, NO, NO)),
    "/steward/{name}/versions": ("/steward/closed/versions", {}, (IN, NO, NONE, NO, NO)),
    "/steward/{name}/publish": ("/steward/closed/publish", {"version": 9}, (IN, NO, 409, NO, NO)),
    "/steward/{name}/doi": ("/steward/draft/doi", {}, (NONE, NONE, BAD, NO, NONE)),
    "/steward/{name}/withdraw": ("/steward/draft/withdraw", {"reason": "r"}, (NONE, NONE, 409, NO, NONE)),
}
