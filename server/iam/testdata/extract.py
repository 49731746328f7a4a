"""Extracts the requests of the given operations from botocore's model of IAM.

    python3 extract.py CreateUser GetUser ... > model.json

The names of the operations are the arguments.
"""
import gzip
import json
import os
import sys

import botocore

folder = os.path.join(os.path.dirname(botocore.__file__), "data/iam/2010-05-08")
path = os.path.join(folder, "service-2.json.gz")
model = json.load(gzip.open(path))


def describe(name):
    shape = model["shapes"][name]
    out = {key: shape[key] for key in ("type", "min", "max", "pattern", "enum") if shape.get(key)}
    if shape.get("required"):
        out["required"] = sorted(shape["required"])
    if "members" in shape:
        out["members"] = {key: describe(member["shape"]) for key, member in sorted(shape["members"].items())}
    for part in ("member", "key", "value"):
        if part in shape:
            out[part] = describe(shape[part]["shape"])
    return out


operations = model["operations"]
print(json.dumps({op: describe(operations[op]["input"]["shape"]) if "input" in operations[op] else {"type": "structure"}
                  for op in sorted(sys.argv[1:])}, indent=1))
