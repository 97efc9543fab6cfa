#!/usr/bin/env python3
"""Mints and verifies tokens with PyJWT, for the test of our verifier and our minter against another implementation.

    pyjwt.py mint ISSUER AUDIENCE     a JSON Web Key Set and a token for each algorithm, as JSON
    pyjwt.py verify                   reads {"token", "algorithm", "secret" or "jwk", "issuer", "audience"}, prints the claims
"""

import json
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

KEYS = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "RS384": lambda: rsa.generate_private_key(65537, 3072),
    "RS512": lambda: rsa.generate_private_key(65537, 4096),
    "PS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
SECRET = "a secret that PyJWT and the verifier share"


def mint(issuer: str, audience: str) -> None:
    now = int(time.time())
    claims = {"iss": issuer, "aud": audience, "sub": "user-1", "iat": now, "nbf": now, "exp": now + 300, "roles": ["traveler"]}
    keys, tokens = [], {}
    for name, generate in KEYS.items():
        key = generate()
        public = get_default_algorithms()[name].to_jwk(key.public_key(), as_dict=True)
        public.pop("key_ops", None)
        keys.append(public | {"kid": name, "alg": name, "use": "sig"})
        tokens[name] = jwt.encode(claims, key, name, headers={"kid": name})
    tokens["HS256"] = jwt.encode(claims, SECRET, "HS256")
    print(json.dumps({"jwks": {"keys": keys}, "tokens": tokens, "secret": SECRET}))


def verify() -> None:
    given = json.load(sys.stdin)
    key = given.get("secret") or jwt.PyJWK(given["jwk"]).key
    required = {"require": ["iss", "sub", "aud", "exp", "iat", "jti"]}
    claims = jwt.decode(
        given["token"], key, [given["algorithm"]], issuer=given["issuer"], audience=given["audience"], options=required
    )
    print(json.dumps(claims))


if __name__ == "__main__":
    mint(*sys.argv[2:]) if sys.argv[1] == "mint" else verify()
