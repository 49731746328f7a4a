"""Uses an external key store through boto3, each call on the next node.

The proxy of the test is https://xks.example.com; it has the external keys one and two.
"""

from cluster import call, refused

PROXY = {
    "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
    "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    "XksProxyUriEndpoint": "https://xks.example.com",
    "XksProxyUriPath": "/tests/one/kms/xks/v1",
    "XksProxyAuthenticationCredential": {
        "AccessKeyId": "ABCDEFGHIJKLMNOPQRST2345",
        "RawSecretAccessKey": "planted+proxy+secret/0123456789abcdefghijklmnop",
    },
}


def state(store):
    (found,) = call("describe_custom_key_stores", CustomKeyStoreId=store)["CustomKeyStores"]
    return found["ConnectionState"], found.get("ConnectionErrorCode")


def stores():
    wrong = PROXY | {"XksProxyUriEndpoint": "https://other.example.com"}
    refused("XksProxyInvalidConfigurationException", "create_custom_key_store", CustomKeyStoreName="s", **wrong)
    wrong = PROXY | {"XksProxyUriPath": "/tests/two/kms/xks/v1"}
    refused("XksProxyInvalidConfigurationException", "create_custom_key_store", CustomKeyStoreName="s", **wrong)
    store = call("create_custom_key_store", CustomKeyStoreName="s", **PROXY)["CustomKeyStoreId"]
    refused("CustomKeyStoreNameInUseException", "create_custom_key_store", CustomKeyStoreName="s", **PROXY)
    assert state(store) == ("DISCONNECTED", None)
    call("connect_custom_key_store", CustomKeyStoreId=store)
    assert state(store) == ("CONNECTED", None)
    return store


def key(store, external):
    made = call("create_key", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId=external)["KeyMetadata"]
    found = call("describe_key", KeyId=made["KeyId"])["KeyMetadata"]
    assert found["XksKeyConfiguration"] == {"Id": external} and found["CustomKeyStoreId"] == store, found
    assert found["KeyState"] == "Enabled" and found["Origin"] == "EXTERNAL_KEY_STORE", found
    return made["KeyId"]


def use(store):
    first, second = key(store, "one"), key(store, "two")
    refused("XksKeyAlreadyInUseException", "create_key", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="one")
    refused("XksKeyNotFoundException", "create_key", Origin="EXTERNAL_KEY_STORE", CustomKeyStoreId=store, XksKeyId="none")
    context = {"department": "marketing"}
    data = call("generate_data_key", KeyId=first, KeySpec="AES_256", EncryptionContext=context)
    blob = data["CiphertextBlob"]
    assert call("decrypt", CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == data["Plaintext"]
    refused("KMSInvalidStateException", "decrypt", CiphertextBlob=blob)
    moved = call("re_encrypt", CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=second)["CiphertextBlob"]
    assert call("decrypt", CiphertextBlob=moved)["Plaintext"] == data["Plaintext"]

    call("disconnect_custom_key_store", CustomKeyStoreId=store)
    for _ in range(3):  # on every node, at once
        message = refused("KMSInvalidStateException", "decrypt", CiphertextBlob=moved)
        assert "not connected to its external key store proxy" in message, message
    assert call("describe_key", KeyId=first)["KeyMetadata"]["KeyState"] == "Unavailable"
    call("update_custom_key_store", CustomKeyStoreId=store, NewCustomKeyStoreName="renamed")
    call("connect_custom_key_store", CustomKeyStoreId=store)
    for _ in range(3):
        assert call("decrypt", CiphertextBlob=moved)["Plaintext"] == data["Plaintext"]
    for name in first, second:
        call("schedule_key_deletion", KeyId=name, PendingWindowInDays=7)
    call("disconnect_custom_key_store", CustomKeyStoreId=store)
    refused("CustomKeyStoreHasCMKsException", "delete_custom_key_store", CustomKeyStoreId=store)


use(stores())
