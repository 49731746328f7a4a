"""Calls every operation of Cofre through boto3, each on the next node."""

import json
import os
import secrets
from datetime import datetime, timezone

from botocore.exceptions import ClientError
from cluster import all_pages, call, client, nodes, refused


def keys():
    first = call("create_key", Description="boto3", Tags=[{"TagKey": "a", "TagValue": "b"}])
    first = first["KeyMetadata"]
    assert first["KeyState"] == "Enabled" and first["KeySpec"] == "SYMMETRIC_DEFAULT", first
    assert first["Arn"].endswith(":key/" + first["KeyId"]), first
    second = call("create_key")["KeyMetadata"]
    for node in nodes:
        listed = {key["KeyId"] for key in all_pages("list_keys", "Keys")}
        assert {first["KeyId"], second["KeyId"]} <= listed, listed
        described = node.describe_key(KeyId=first["Arn"])["KeyMetadata"]
        assert described == first, (described, first)
    return first["KeyId"], second["KeyId"]


def aliases(first, second):
    call("create_alias", AliasName="alias/boto3", TargetKeyId=first)
    refused("AlreadyExistsException", "create_alias", AliasName="alias/boto3", TargetKeyId=second)
    assert call("describe_key", KeyId="alias/boto3")["KeyMetadata"]["KeyId"] == first
    call("update_alias", AliasName="alias/boto3", TargetKeyId=second)
    assert call("describe_key", KeyId="alias/boto3")["KeyMetadata"]["KeyId"] == second
    names = [alias["AliasName"] for alias in all_pages("list_aliases", "Aliases", KeyId=second)]
    assert names == ["alias/boto3"], names
    call("delete_alias", AliasName="alias/boto3")
    refused("NotFoundException", "describe_key", KeyId="alias/boto3")


def cryptography(first, second):
    plaintext, context = secrets.token_bytes(4096), {"a": "b", "é": "ü"}
    sealed = call("encrypt", KeyId=first, Plaintext=plaintext, EncryptionContext=context)
    assert sealed["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT", sealed
    blob = sealed["CiphertextBlob"]
    for node in nodes:
        opened = node.decrypt(CiphertextBlob=blob, EncryptionContext=context)
        assert opened["Plaintext"] == plaintext and opened["KeyId"].endswith(first)
    refused("InvalidCiphertextException", "decrypt", CiphertextBlob=blob, EncryptionContext={"a": "c"})
    moved = call(
        "re_encrypt", CiphertextBlob=blob, SourceEncryptionContext=context,
        DestinationKeyId=second, DestinationEncryptionContext={"c": "d"},
    )
    opened = call("decrypt", CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"c": "d"})
    assert opened["Plaintext"] == plaintext and opened["KeyId"].endswith(second)


def words(first, second):
    """What AWS's clients show of refusals, word for word."""
    arn = call("describe_key", KeyId=first)["KeyMetadata"]["Arn"]
    blob = call("encrypt", KeyId=first, Plaintext=b"x")["CiphertextBlob"]
    absent = "00000000-0000-4000-8000-000000000000"
    elsewhere = ":".join(["arn:aws:kms:xx-east-9"] + arn.split(":")[4:])
    stranger = ":".join(arn.split(":")[:4] + ["111122223333", "key/" + absent])
    for code, message, operation, parameters in [
        ("NotFoundException", f"Key '{arn.replace(first, absent)}' does not exist", "describe_key", dict(KeyId=absent)),
        ("NotFoundException", "Invalid keyId 'fake-key-id'", "describe_key", dict(KeyId="fake-key-id")),
        ("NotFoundException", "Invalid keyId 'alias/none'", "enable_key", dict(KeyId="alias/none")),
        ("NotFoundException", "Invalid arn xx-east-9", "describe_key", dict(KeyId=elsewhere)),
        ("NotFoundException", f"Alias {arn.split('key/')[0]}alias/none is not found.", "describe_key", dict(KeyId="alias/none")),
        ("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.",
         "decrypt", dict(CiphertextBlob=blob, KeyId=second)),
        ("InvalidCiphertextException", "", "decrypt", dict(CiphertextBlob=blob[:-1])),
        ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.",
         "generate_data_key", dict(KeyId=first, KeySpec="AES_128", DryRun=True)),
        ("ValidationException", "Please specify either number of bytes or key spec.", "generate_data_key", dict(KeyId=first)),
        ("ValidationException", "NumberOfBytes is required.", "generate_random", {}),
        ("ValidationException", "PendingWindowInDays must be between 7 and 30",
         "schedule_key_deletion", dict(KeyId=first, PendingWindowInDays=6)),
        ("NotAuthorizedException", "", "create_alias", dict(AliasName="alias/aws/x", TargetKeyId=first)),
        ("TagException", "Tags beginning with aws: are reserved",
         "create_key", dict(Tags=[{"TagKey": "AWS:x", "TagValue": ""}])),
        ("TagException", "Too many tags",
         "create_key", dict(Tags=[{"TagKey": str(n), "TagValue": ""} for n in range(51)])),
    ]:
        found = refused(code, operation, **parameters)
        assert found == message, (operation, found, message)
    denied = refused("AccessDeniedException", "re_encrypt", CiphertextBlob=blob, DestinationKeyId=stranger)
    assert "is not authorized to perform: kms:ReEncryptTo on this resource because" in denied, denied


def characters():
    text = "\u00e9 \U0001f600 \u2028 <&> \" \\ \t"
    key = call("create_key", Description=text, Tags=[{"TagKey": text, "TagValue": text}])["KeyMetadata"]["KeyId"]
    assert call("describe_key", KeyId=key)["KeyMetadata"]["Description"] == text
    assert call("list_resource_tags", KeyId=key)["Tags"] == [{"TagKey": text, "TagValue": text}]
    for context in [{}, {"": ""}, {text: text}]:
        blob = call("encrypt", KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        assert call("decrypt", CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"


def data_keys(first):
    whole = call("generate_data_key", KeyId=first, KeySpec="AES_256")
    assert call("decrypt", CiphertextBlob=whole["CiphertextBlob"])["Plaintext"] == whole["Plaintext"]
    bare = call("generate_data_key_without_plaintext", KeyId=first, NumberOfBytes=24)
    assert "Plaintext" not in bare
    assert len(call("decrypt", CiphertextBlob=bare["CiphertextBlob"])["Plaintext"]) == 24
    assert len(call("generate_random", NumberOfBytes=48)["Plaintext"]) == 48


def states(key):
    call("disable_key", KeyId=key)
    message = refused("DisabledException", "encrypt", KeyId=key, Plaintext=b"x")
    assert key in message and message.endswith("is disabled."), message
    call("enable_key", KeyId=key)
    refused("ValidationException", "schedule_key_deletion", KeyId=key, PendingWindowInDays=31)
    scheduled = call("schedule_key_deletion", KeyId=key, PendingWindowInDays=7)
    assert scheduled["KeyState"] == "PendingDeletion", scheduled
    message = refused("KMSInvalidStateException", "encrypt", KeyId=key, Plaintext=b"x")
    assert message.endswith("is pending deletion."), message
    call("cancel_key_deletion", KeyId=key)
    assert call("describe_key", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    call("enable_key", KeyId=key)


def attributes(key):
    call("update_key_description", KeyId=key, Description="changed")
    assert call("describe_key", KeyId=key)["KeyMetadata"]["Description"] == "changed"
    call("tag_resource", KeyId=key, Tags=[{"TagKey": "c", "TagValue": "d"}])
    call("untag_resource", KeyId=key, TagKeys=["a"])
    assert call("list_resource_tags", KeyId=key)["Tags"] == [{"TagKey": "c", "TagValue": "d"}]
    assert call("list_key_policies", KeyId=key)["PolicyNames"] == ["default"]
    policy = json.loads(call("get_key_policy", KeyId=key, PolicyName="default")["Policy"])
    policy["Id"] = "changed"
    call("put_key_policy", KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert json.loads(call("get_key_policy", KeyId=key, PolicyName="default")["Policy"]) == policy


def rotation(key):
    before = call("describe_key", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    sealed = call("encrypt", KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    call("enable_key_rotation", KeyId=key, RotationPeriodInDays=90)
    status = call("get_key_rotation_status", KeyId=key)
    assert status["KeyRotationEnabled"] and status["RotationPeriodInDays"] == 90, status
    assert (status["NextRotationDate"] - datetime.now(timezone.utc)).days in (89, 90), status
    for _ in range(2):
        assert call("rotate_key_on_demand", KeyId=key)["KeyId"] == key
    materials = all_pages("list_key_rotations", "Rotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    assert [m["KeyMaterialState"] for m in materials] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"], materials
    assert [m.get("RotationType") for m in materials] == [None, "ON_DEMAND", "ON_DEMAND"], materials
    assert materials[0]["KeyMaterialId"] == before, materials
    for node in nodes:
        opened = node.decrypt(CiphertextBlob=sealed)
        assert opened["Plaintext"] == b"old" and opened["KeyMaterialId"] == before, opened
    call("disable_key_rotation", KeyId=key)
    assert not call("get_key_rotation_status", KeyId=key)["KeyRotationEnabled"]


def regions():
    endpoint = os.environ["COFRE_ENDPOINTS"].split(",")[1]
    west = client(endpoint, region_name="us-west-2")
    key = call("create_key", MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert key.startswith("mrk-"), key
    sealed = call("encrypt", KeyId=key, Plaintext=b"east")["CiphertextBlob"]
    replica = call("replicate_key", KeyId=key, ReplicaRegion="us-west-2")["ReplicaKeyMetadata"]
    assert replica["KeyState"] == "Enabled", replica
    assert west.decrypt(CiphertextBlob=sealed)["KeyId"] == replica["Arn"]
    refused("AlreadyExistsException", "replicate_key", KeyId=key, ReplicaRegion="us-west-2")
    call("update_primary_region", KeyId=key, PrimaryRegion="us-west-2")
    described = west.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert described["MultiRegionKeyType"] == "PRIMARY", described
    scheduled = west.schedule_key_deletion(KeyId=key)
    assert scheduled["KeyState"] == "PendingReplicaDeletion" and "DeletionDate" not in scheduled, scheduled


def second_account():
    return client(
        os.environ["AWS_ENDPOINT_URL"],
        aws_access_key_id=os.environ["COFRE_SECOND_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["COFRE_SECOND_SECRET_ACCESS_KEY"],
    )


def grants(key):
    arn = call("describe_key", KeyId=key)["KeyMetadata"]["Arn"]
    account = second_account().create_key()["KeyMetadata"]["AWSAccountId"]
    made = [
        call("create_grant", KeyId=arn, GranteePrincipal=account, Operations=["Encrypt", "GenerateDataKey"],
             Constraints={"EncryptionContextEquals": {"n": str(n)}})
        for n in range(3)
    ]
    second_account().encrypt(KeyId=arn, Plaintext=b"x", EncryptionContext={"n": "1"})
    listed = all_pages("list_grants", "Grants", KeyId=key)
    assert {grant["GrantId"] for grant in listed} == {grant["GrantId"] for grant in made}, listed
    assert listed[0]["GranteePrincipal"] == f"arn:aws:iam::{account}:root", listed
    assert listed[0]["Operations"] == ["Encrypt", "GenerateDataKey"], listed
    message = refused("ValidationException", "create_grant", KeyId=arn, GranteePrincipal=account, Operations=["CreateGrant"])
    assert message == "Grants must not contain only the CreateGrant operation.", message
    message = refused("InvalidArnException", "create_grant", KeyId=arn, GranteePrincipal="none", Operations=["Decrypt"])
    assert message == "ARN does not refer to a valid principal: none", message
    for grant in made:
        call("revoke_grant", KeyId=key, GrantId=grant["GrantId"])
    assert call("list_grants", KeyId=key)["Grants"] == []


def strangers(key):
    stranger = second_account()
    assert key not in [k["KeyId"] for k in stranger.list_keys()["Keys"]]
    arn = call("describe_key", KeyId=key)["KeyMetadata"]["Arn"]
    try:
        stranger.encrypt(KeyId=arn, Plaintext=b"x")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException", error
    else:
        raise AssertionError("another account's key can be used")


first, second = keys()
aliases(first, second)
cryptography(first, second)
words(first, second)
characters()
data_keys(first)
states(first)
attributes(first)
grants(first)
rotation(second)
regions()
strangers(first)
