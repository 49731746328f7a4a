#!/usr/bin/env python3
"""Makes the wycheproof_*.json.gz files here of a checkout of github.com/C2SP/wycheproof.

usage: wycheproof.py FOLDER-OF-THE-CHECKOUT

A test keeps its number, comment, flags, result and values; a group what its
tests share. What is said twice (PEM, JWK, the parts of a key beside its DER) is
left out, so are the groups whose sizes and hashes Cofre has nothing for, and of
the large files all but the first tests of each kind (result and flags).
"""

import hashlib
import json
import pathlib
import sys

from write import write

GROUP = (
    "keySize tagSize sha mgfSha sLen publicKeyDer privateKeyPkcs8 privateSeed"
).split()
TEST = (
    "tcId comment flags result msg sig key tag ct label public private shared mu ctx seed ek c K"
).split()

# The most tests of one kind in a file; 0 is all.
FILES = {
    "aes_kwp": 0,
    "hmac_sha224": 0, "hmac_sha256": 0, "hmac_sha384": 0, "hmac_sha512": 0,
    "ecdsa_secp256r1_sha256": 0, "ecdsa_secp384r1_sha384": 0, "ecdsa_secp521r1_sha512": 0,
    "ecdsa_secp256k1_sha256": 0, "ed25519": 0,
    "ecdh_secp256r1": 40, "ecdh_secp384r1": 20, "ecdh_secp521r1": 20,
    "rsa_signature_2048_sha256": 0, "rsa_signature_2048_sha384": 0, "rsa_signature_2048_sha512": 0,
    "rsa_signature_3072_sha256": 20, "rsa_signature_3072_sha384": 20, "rsa_signature_3072_sha512": 20,
    "rsa_signature_4096_sha256": 20, "rsa_signature_4096_sha384": 20, "rsa_signature_4096_sha512": 20,
    "rsa_pss_2048_sha256_mgf1_32": 0, "rsa_pss_2048_sha256_mgf1_0": 10, "rsa_pss_2048_sha384_mgf1_48": 10,
    "rsa_pss_3072_sha256_mgf1_32": 10, "rsa_pss_4096_sha384_mgf1_48": 10, "rsa_pss_4096_sha512_mgf1_64": 10,
    "rsa_pss_misc": 0,
    "rsa_pkcs1_2048_sig_gen": 0, "rsa_pkcs1_3072_sig_gen": 6, "rsa_pkcs1_4096_sig_gen": 6,
    "rsa_oaep_2048_sha1_mgf1sha1": 0, "rsa_oaep_2048_sha256_mgf1sha256": 0,
    "rsa_oaep_3072_sha256_mgf1sha256": 0, "rsa_oaep_4096_sha256_mgf1sha256": 0, "rsa_oaep_misc": 0,
    "mldsa_44_verify": 5, "mldsa_65_verify": 4, "mldsa_87_verify": 3,
    "mldsa_44_sign_seed": 4, "mldsa_65_sign_seed": 3, "mldsa_87_sign_seed": 2,
    "mlkem_512": 12, "mlkem_768": 12, "mlkem_1024": 12,
    "mlkem_512_encaps": 6, "mlkem_768_encaps": 6, "mlkem_1024_encaps": 6,
}


def wanted(name, group):
    """Whether Cofre has keys for a group at all."""
    if name == "rsa_pkcs1_2048_sig_gen":
        return group["sha"] in ("SHA-256", "SHA-384", "SHA-512")
    if name == "rsa_oaep_misc":
        # The other sizes are there to be refused; one hash of each will do.
        same = group["sha"] == group["mgfSha"]
        return same and (group["sha"] == "SHA-256" or group["sha"] == "SHA-1" and group["keySize"] == 2048)
    return True


def trim(name, document, most):
    groups, seen = [], {}
    for group in document["testGroups"]:
        if not wanted(name, group):
            continue
        kept = {k: group[k] for k in GROUP if k in group}
        kept["tests"] = []
        for test in group["tests"]:
            kind = (test["result"], *test.get("flags", ()))
            seen[kind] = seen.get(kind, 0) + 1
            if not most or seen[kind] <= most:
                kept["tests"].append({k: test[k] for k in TEST if k in test})
        if kept["tests"]:
            groups.append(kept)
    return {"testGroups": groups}


def main():
    source = pathlib.Path(sys.argv[1]) / "testvectors_v1"
    for name, most in FILES.items():
        raw = (source / f"{name}_test.json").read_bytes()
        small = trim(name, json.loads(raw), most)
        write(f"wycheproof_{name}", small)
        tests = sum(len(g["tests"]) for g in small["testGroups"])
        print(f"| {name} | {tests} | {hashlib.sha256(raw).hexdigest()} |")


main()
