"""Makes calls with boto3.

Each line of the standard input is a call, each line of the standard output its
answer; see driver_test.go.
"""

import base64
import functools
import json
import sys
from datetime import datetime, timezone

import boto3
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError


@functools.cache
def client(endpoint, region, access_key_id, secret_access_key):
    return boto3.client(
        "kms", endpoint_url=endpoint, region_name=region,
        aws_access_key_id=access_key_id, aws_secret_access_key=secret_access_key,
    )


def typed(value):
    """Makes of JSON what boto3 takes."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$time" in value:
        return datetime.fromtimestamp(value["$time"], timezone.utc)
    return {name: typed(item) for name, item in value.items()}


def plain(value):
    """Makes JSON of what boto3 answers."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def members(shape, seen=()):
    """The names of all members in what a shape describes."""
    if shape is None or shape.name in seen:
        return set()
    seen += (shape.name,)
    if shape.type_name == "list":
        return members(shape.member, seen)
    if shape.type_name != "structure":
        return set()
    return set(shape.members).union(*(members(member, seen) for member in shape.members.values()))


def answer(call):
    to = client(call["endpoint"], call["region"], call["accessKeyId"], call["secretAccessKey"])
    if call["op"] not in to.meta.service_model.operation_names:
        return {"unknown": f"boto3 {boto3.__version__} has no {call['op']}"}
    if call.get("model"):
        return {"members": sorted(members(to.meta.service_model.operation_model(call["op"]).output_shape))}
    try:
        out = getattr(to, xform_name(call["op"]))(**typed(call["in"]))
    except ParamValidationError as error:
        if "Unknown parameter" in str(error):
            return {"unknown": str(error)}
        raise
    except ClientError as error:
        meta, problem = error.response["ResponseMetadata"], error.response["Error"]
        return {
            "requestId": meta["RequestId"], "status": meta["HTTPStatusCode"],
            "error": problem["Code"], "message": problem.get("Message", ""),
        }
    meta = out.pop("ResponseMetadata")
    return {"requestId": meta["RequestId"], "status": meta["HTTPStatusCode"], "out": plain(out)}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
