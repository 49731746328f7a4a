"""Extracts the constraints of requests from botocore's model of AWS KMS.

    python3 extract.py > model.json

Enumerations are left out: the test takes them from the Go SDK, which is newer. Operations that the SDK has and botocore
has not yet are put together of shapes that botocore does have, as the SDK's package schemas composes them.
"""
import gzip
import json
import os

import botocore

path = os.path.join(os.path.dirname(botocore.__file__), "data/kms/2014-11-01/service-2.json.gz")
model = json.load(gzip.open(path))


def compose(required, members):
    return {"type": "structure", "required": required,
            "members": {name: {"shape": shape} for name, shape in members.items()}}


encapsulation = {"KeyId": "KeyIdType", "EncapsulationAlgorithm": "KeyAgreementAlgorithmSpec", "GrantTokens": "GrantTokenList",
                 "DryRun": "NullableBooleanType"}
NEWER = {
    "Encapsulate": compose(["KeyId", "EncapsulationAlgorithm"], encapsulation),
    "Decapsulate": compose(["KeyId", "EncapsulationAlgorithm", "SharedSecretCiphertextBlob"],
                           encapsulation | {"SharedSecretCiphertextBlob": "CiphertextType"}),
}

# Grants to service principals: the bounds of the two new shapes are not in the SDK; ours are those of the like.
model["shapes"].setdefault("ServicePrincipalType", {"type": "string", "min": 1, "max": 256})
model["shapes"].setdefault("GrantConstraintSourceArnType", {"type": "string", "min": 1, "max": 2048})
NEWER_MEMBERS = {
    "CreateGrantRequest": {"GranteeServicePrincipal": "ServicePrincipalType", "RetiringServicePrincipal": "ServicePrincipalType"},
    "ListGrantsRequest": {"GranteeServicePrincipal": "ServicePrincipalType"},
    "ListRetirableGrantsRequest": {"RetiringServicePrincipal": "ServicePrincipalType"},
    "GrantConstraints": {"SourceArn": "GrantConstraintSourceArnType"},
}
NO_LONGER_REQUIRED = {"CreateGrantRequest": "GranteePrincipal", "ListRetirableGrantsRequest": "RetiringPrincipal"}
for name, members in NEWER_MEMBERS.items():
    for member, shape in members.items():
        model["shapes"][name]["members"].setdefault(member, {"shape": shape})
for name, member in NO_LONGER_REQUIRED.items():
    required = model["shapes"][name]["required"]
    if member in required:
        required.remove(member)


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


inputs = {name: operation["input"]["shape"] for name, operation in model["operations"].items()}
for name, shape in NEWER.items():
    if name not in inputs:
        inputs[name] = name + "Request"
        model["shapes"][name + "Request"] = shape
print(json.dumps({name: describe(inputs[name]) for name in sorted(inputs)}, indent=1))
