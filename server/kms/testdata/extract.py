"""Extracts the constraints of requests from botocore's model of AWS KMS.

    python3 extract.py > model.json

Enumerations are left out: the test takes them from the Go SDK, which is newer.
"""
import gzip
import json
import os

import botocore

OPERATIONS = """
CancelKeyDeletion CreateAlias CreateKey Decrypt DeleteAlias DescribeKey DisableKey DisableKeyRotation EnableKey
EnableKeyRotation Encrypt GenerateDataKey
GenerateDataKeyWithoutPlaintext GenerateRandom GetKeyPolicy GetKeyRotationStatus ListAliases
ListKeyPolicies ListKeyRotations ListKeys ListResourceTags
PutKeyPolicy ReEncrypt RotateKeyOnDemand ScheduleKeyDeletion TagResource UntagResource UpdateAlias UpdateKeyDescription
""".split()

path = os.path.join(os.path.dirname(botocore.__file__), "data/kms/2014-11-01/service-2.json.gz")
model = json.load(gzip.open(path))


def describe(name):
    shape = model["shapes"][name]
    out = {key: shape[key] for key in ("type", "min", "max", "pattern") if shape.get(key)}
    if shape.get("required"):
        out["required"] = sorted(shape["required"])
    if "members" in shape:
        out["members"] = {key: describe(member["shape"]) for key, member in sorted(shape["members"].items())}
    for part in ("member", "key", "value"):
        if part in shape:
            out[part] = describe(shape[part]["shape"])
    return out


print(json.dumps({op: describe(model["operations"][op]["input"]["shape"]) for op in OPERATIONS}, indent=1))
