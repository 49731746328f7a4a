"""How wycheproof.py and nist.py write a file: the same bytes each time."""

import gzip
import io
import json
import pathlib


def write(name, document):
    text = json.dumps(document, separators=(",", ":")).encode()
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as f:
        f.write(text)
    (pathlib.Path(__file__).parent / f"{name}.json.gz").write_bytes(out.getvalue())
