"""How the scripts here call a cluster: through boto3, each call on the next node.

The environment is that of scripts/up, with COFRE_JOURNAL, a file to which the id,
status and error of every answer are written.
"""

import itertools
import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

journal = open(os.environ["COFRE_JOURNAL"], "w")


def note(http_response, parsed, model, **_):
    meta = parsed["ResponseMetadata"]
    error = parsed.get("Error", {}).get("Code", "")
    entry = [meta.get("RequestId"), meta["HTTPStatusCode"], error, model.name]
    print(json.dumps(entry), file=journal, flush=True)


def client(endpoint, **credentials):
    config = Config(retries={"total_max_attempts": 1})
    made = boto3.client("kms", endpoint_url=endpoint, config=config, **credentials)
    made.meta.events.register("after-call.kms", note)
    return made


nodes = [client(endpoint) for endpoint in os.environ["COFRE_ENDPOINTS"].split(",")]
turn = itertools.cycle(nodes)


def call(operation, **parameters):
    return getattr(next(turn), operation)(**parameters)


def refused(code, operation, **parameters):
    try:
        call(operation, **parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"].get("Message", "")
    raise AssertionError(f"{operation} succeeded, want {code}")


def all_pages(operation, member, **parameters):
    found = []
    for page in next(turn).get_paginator(operation).paginate(
        PaginationConfig={"PageSize": 1}, **parameters
    ):
        found += page[member]
    return found
