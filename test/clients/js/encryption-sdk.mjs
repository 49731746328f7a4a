// Uses the AWS Encryption SDK for JavaScript as its users do:
//
//   encrypt FILE KEY-ARN...         writes an encrypted message
//   decrypt FILE KEY-ARN...         reads it with these keys
//   decrypt-replica FILE KEY-ARN    reads it with a related multi-Region key
//   refused FILE KEY-ARN            cannot read it with this key
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import {
  AwsKmsMrkAwareSymmetricKeyringNode, CommitmentPolicy, KmsKeyringNode, buildClient,
} from "@aws-crypto/client-node";
import { KMS } from "@aws-sdk/client-kms";

const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const [action, file, ...keys] = process.argv.slice(2);
const secret = "attack at dawn ".repeat(1000);
const encryptionContext = { stage: "test", origin: "é 😀" };

async function opens(keyring) {
  const { plaintext, messageHeader } = await decrypt(keyring, readFileSync(file));
  assert.equal(plaintext.toString(), secret);
  for (const [name, value] of Object.entries(encryptionContext)) {
    assert.equal(messageHeader.encryptionContext[name], value);
  }
}

switch (action) {
  case "encrypt": {
    const [generatorKeyId, ...keyIds] = keys;
    const keyring = new KmsKeyringNode({ generatorKeyId, keyIds });
    const { result } = await encrypt(keyring, secret, { encryptionContext });
    assert(!result.includes("attack"));
    writeFileSync(file, result);
    break;
  }
  case "decrypt":
    await opens(new KmsKeyringNode({ keyIds: keys }));
    break;
  case "decrypt-replica": {
    const region = keys[0].split(":")[3];
    await opens(new AwsKmsMrkAwareSymmetricKeyringNode({ client: new KMS({ region }), keyId: keys[0] }));
    break;
  }
  case "refused":
    await assert.rejects(opens(new KmsKeyringNode({ keyIds: keys })), /is disabled|DisabledException/);
    break;
  default:
    throw new Error(`there is no action ${action}`);
}
