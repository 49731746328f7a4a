#!/usr/bin/env python3
"""Makes the nist_*.json.gz files here, in the form of Wycheproof's, of NIST's own.

usage: nist.py CAVP ACVP-ML-DSA ACVP-ML-KEM

CAVP is the folder cryptography_vectors of Debian's package
python3-cryptography-vectors; the other two are sign/mldsa/testdata and
kem/mlkem/testdata of github.com/cloudflare/circl. README.md says which.
"""

import gzip
import json
import pathlib
import sys

from write import write

# SubjectPublicKeyInfo up to the point (RFC 5480 §2).
CURVES = {
    "P-256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
    "P-384": "3076301006072a8648ce3d020106052b81040022036200",
    "P-521": "30819b301006072a8648ce3d020106052b8104002303818600",
}


def records(path):
    """The records of a response file: dictionaries, with their section."""
    section, record = "", {}
    for line in path.read_text().splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif " = " in line or line == "FAIL":
            name, _, value = line.partition(" = ")
            record[name] = value
        if not line and record:
            yield section, record
            record = {}
    if record:
        yield section, record


def length(n):
    if n < 128:
        return bytes([n])
    size = (n.bit_length() + 7) // 8
    return bytes([0x80 | size]) + n.to_bytes(size, "big")


def der(tag, content):
    return bytes([tag]) + length(len(content)) + content


def integer(digits):
    n = int(digits, 16)
    return der(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def result(record):
    return "valid" if record["Result"].startswith("P") else "invalid"


def ecdsa(cavp):
    path = cavp / "asymmetric/ECDSA/FIPS_186-3/SigVer.rsp"
    for curve, sha in (("P-256", "SHA-256"), ("P-384", "SHA-384"), ("P-521", "SHA-512")):
        size = (int(curve[2:]) + 7) // 8 * 2
        groups = []
        for section, r in records(path):
            if section == f"{curve},{sha}":
                point = "04" + r["Qx"].zfill(size) + r["Qy"].zfill(size)
                test = {"tcId": len(groups) + 1, "comment": r["Result"], "flags": [], "result": result(r),
                        "msg": r["Msg"], "sig": der(0x30, integer(r["R"]) + integer(r["S"])).hex()}
                groups.append({"sha": sha, "publicKeyDer": CURVES[curve] + point, "tests": [test]})
        write(f"nist_ecdsa_{curve.replace('-', '').lower()}", {"testGroups": groups})


RSA = bytes.fromhex("300d06092a864886f70d0101010500")


def rsa(cavp):
    groups, n = [], ""
    for section, r in records(cavp / "asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp"):
        n = r.get("n", n)
        size = section.removeprefix("mod = ")
        sha = r.get("SHAAlg", "").replace("SHA", "SHA-")
        if size not in ("2048", "3072") or sha not in ("SHA-256", "SHA-384", "SHA-512"):
            continue
        key = der(0x30, RSA + der(3, b"\0" + der(0x30, integer(n) + integer(r["e"]))))
        test = {"tcId": len(groups) + 1, "comment": r["Result"], "flags": [], "result": result(r),
                "msg": r["Msg"], "sig": r["S"]}
        groups.append({"sha": sha, "keySize": int(size), "publicKeyDer": key.hex(), "tests": [test]})
    write("nist_rsa_pkcs1", {"testGroups": groups})


def kwp(cavp):
    tests, seen = [], {}
    for section, r in records(cavp / "keywrap/kwtestvectors/KWP_AD_256.txt"):
        if "K" not in r:
            continue
        kind = (section, "FAIL" in r)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= 5:
            tests.append({"tcId": len(tests) + 1, "comment": section, "flags": [],
                          "result": "invalid" if "FAIL" in r else "valid",
                          "key": r["K"], "ct": r["C"], "msg": r.get("P", "")})
    write("nist_kwp_256", {"testGroups": [{"keySize": 256, "tests": tests}]})


def acvp(folder):
    """The groups of tests of a folder, each test with what is expected of it."""
    def read(name):
        with gzip.open(folder / f"{name}.json.gz") as f:
            return json.load(f)["testGroups"]
    for asked, expected in zip(read("prompt"), read("expectedResults")):
        answers = {t["tcId"]: t for t in expected["tests"]}
        for test in asked["tests"]:
            test.update(answers[test["tcId"]])
        yield asked


def mldsa(testdata):
    for group in acvp(testdata / "ML-DSA-keyGen-FIPS204"):
        name = group["parameterSet"].replace("-", "").lower()
        tests = [{"tcId": t["tcId"], "flags": [], "result": "valid", "seed": t["seed"], "public": t["pk"]}
                 for t in group["tests"][:10]]
        write(f"nist_{name}_keygen", {"testGroups": [{"tests": tests}]})
    for group in acvp(testdata / "ML-DSA-sigVer-FIPS204"):
        name = group["parameterSet"].replace("-", "").lower()
        tests = [{"tcId": t["tcId"], "comment": t.get("reason", ""), "flags": [],
                  "result": "valid" if t["testPassed"] else "invalid",
                  "public": group["pk"], "msg": t["message"], "sig": t["signature"]} for t in group["tests"]]
        write(f"nist_{name}_verify", {"testGroups": [{"tests": tests}]})


def mlkem(testdata):
    for group in acvp(testdata / "ML-KEM-keyGen-FIPS203"):
        name = group["parameterSet"].replace("-", "").lower()
        tests = [{"tcId": t["tcId"], "flags": [], "result": "valid", "seed": t["d"] + t["z"], "ek": t["ek"]}
                 for t in group["tests"][:10]]
        write(f"nist_{name}_keygen", {"testGroups": [{"tests": tests}]})


def main():
    cavp, dsa, kem = map(pathlib.Path, sys.argv[1:])
    ecdsa(cavp)
    rsa(cavp)
    kwp(cavp)
    mldsa(dsa)
    mlkem(kem)


main()
