"""Lists what a package holds as an SPDX 2.3 document: sbom.py VERSION ROOT PACKAGE.RESOLVED

Files are packages of purpose FILE, as `arca tcb --spdx` has them: SPDX's own file entries demand SHA-1.
The document's time is SOURCE_DATE_EPOCH, so that equal packages have equal documents.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import sys


def entry(identifier, name, version="NOASSERTION", location="NOASSERTION", **more):
    identifier = re.sub("[^A-Za-z0-9.-]", "-", identifier)
    return {"SPDXID": f"SPDXRef-{identifier}", "name": name, "versionInfo": version,
            "downloadLocation": location, "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", **more}


def sha256(digest):
    return [{"algorithm": "SHA256", "checksumValue": digest}]


def files(root):
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and not name.startswith("DEBIAN/"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield entry(f"File-{name}", f"/{name}", checksums=sha256(digest),
                        primaryPackagePurpose="FILE")


def guest(release):
    for kind in ("kernelPackages", "sourcePackages"):
        for each in release[kind]:
            yield entry(f"Debian-{each['name']}", each["name"], each["version"],
                        checksums=sha256(each["sha256"]), supplier="Organization: Debian")


def swift(resolved):
    for pin in sorted(resolved["pins"], key=lambda pin: pin["identity"]):
        yield entry(f"Swift-{pin['identity']}", pin["identity"], pin["state"].get("version", "none"),
                    f"git+{pin['location']}@{pin['state']['revision']}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    version, root, resolved = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    release = json.loads((root / "usr/lib/arca/guest/release.json").read_text())
    arca = entry("Package-arca", "arca", version, licenseDeclared="Apache-2.0")
    contained, used = list(files(root)), [*guest(release), *swift(json.loads(resolved.read_text()))]
    content = hashlib.sha256(json.dumps(contained + used).encode()).hexdigest()
    created = datetime.datetime.fromtimestamp(
        int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", arca)]
    relations += [(arca["SPDXID"], "CONTAINS", each) for each in contained]
    relations += [(arca["SPDXID"], "GENERATED_FROM", each) for each in used]
    print(json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"arca-{version}", "documentNamespace": f"urn:sha256:{content}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: deploy/sbom.py"]},
        "packages": [arca, *contained, *used],
        "relationships": [{"spdxElementId": source, "relationshipType": kind,
                           "relatedSpdxElement": target["SPDXID"]}
                          for source, kind, target in relations],
    }, indent=1))


if __name__ == "__main__":
    main()
