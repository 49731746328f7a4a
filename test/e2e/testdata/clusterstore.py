"""Uses a custom key store in an HSM cluster through boto3, each call on the next node.

The cluster is cluster-234abcdefgh; COFRE_CLUSTER_PASSWORD is its password, and
COFRE_CLUSTER_ANCHOR the file with its trust anchor.
"""

import os

from cluster import call, refused

CLUSTER = {
    "CustomKeyStoreName": "cluster",
    "CloudHsmClusterId": "cluster-234abcdefgh",
    "KeyStorePassword": os.environ["COFRE_CLUSTER_PASSWORD"],
    "TrustAnchorCertificate": open(os.environ["COFRE_CLUSTER_ANCHOR"]).read(),
}

wrong = CLUSTER | {"CloudHsmClusterId": "cluster-aaaaaaaaaaa"}
refused("CloudHsmClusterNotFoundException", "create_custom_key_store", **wrong)
store = call("create_custom_key_store", **CLUSTER)["CustomKeyStoreId"]
call("connect_custom_key_store", CustomKeyStoreId=store)
(found,) = call("describe_custom_key_stores", CustomKeyStoreName="cluster")["CustomKeyStores"]
assert found["ConnectionState"] == "CONNECTED", found
assert found["CloudHsmClusterId"] == CLUSTER["CloudHsmClusterId"], found

key = call("create_key", Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)["KeyMetadata"]
assert key["CloudHsmClusterId"] == CLUSTER["CloudHsmClusterId"], key
blobs = [call("encrypt", KeyId=key["KeyId"], Plaintext=b"on every node")["CiphertextBlob"] for _ in range(3)]
for blob in blobs:
    for _ in range(2):  # three nodes, so each blob is opened by two others
        assert call("decrypt", CiphertextBlob=blob)["Plaintext"] == b"on every node"
data = call("generate_data_key", KeyId=key["KeyId"], KeySpec="AES_256")
assert call("decrypt", CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]
assert len(call("generate_random", NumberOfBytes=32, CustomKeyStoreId=store)["Plaintext"]) == 32

call("disconnect_custom_key_store", CustomKeyStoreId=store)
for _ in range(3):
    refused("KMSInvalidStateException", "decrypt", CiphertextBlob=blobs[0])
call("update_custom_key_store", CustomKeyStoreId=store, KeyStorePassword="another-password")
call("connect_custom_key_store", CustomKeyStoreId=store)
(found,) = call("describe_custom_key_stores", CustomKeyStoreId=store)["CustomKeyStores"]
assert found["ConnectionErrorCode"] == "INVALID_CREDENTIALS", found
call("disconnect_custom_key_store", CustomKeyStoreId=store)
call("update_custom_key_store", CustomKeyStoreId=store, KeyStorePassword=CLUSTER["KeyStorePassword"])
call("connect_custom_key_store", CustomKeyStoreId=store)
assert call("decrypt", CiphertextBlob=blobs[0])["Plaintext"] == b"on every node"
