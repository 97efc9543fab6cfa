"""Authlib and PyJWT as clients of the issuer for development; started by `development_issuer`."""

import html
import re
import sys
from urllib.parse import parse_qs, urlparse

import jwt
import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

URL = sys.argv[1]
REDIRECT = "http://127.0.0.1:8080/callback"
VERIFIER = "v" * 64
checks = 0


def check(holds: bool, what: str) -> None:
    global checks
    checks += 1
    if not holds:
        sys.exit(f"FAILED: {what}")


def client() -> OAuth2Session:
    return OAuth2Session(
        "travel-page",
        redirect_uri=REDIRECT,
        scope="openid profile",
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )


def sign_in(page: str, username: str, password: str, browser: requests.Session) -> requests.Response:
    form = re.search(r'name="form" value="([^"]+)"', page)[1]
    fields = {"form": html.unescape(form), "username": username, "password": password}
    return browser.post(f"{URL}/sign-in", data=fields, allow_redirects=False)


def refused(error: str, what: str, call: object) -> None:
    try:
        call()
    except OAuthError as refusal:
        check(refusal.error == error, f"{what}: {refusal.error} instead of {error}")
    else:
        check(False, f"{what} is accepted")


def main() -> None:
    metadata = requests.get(f"{URL}/.well-known/openid-configuration").json()
    check(metadata["issuer"] == URL, "the issuer of the discovery document")
    keys = jwt.PyJWKClient(metadata["jwks_uri"])
    for username, role in (("alice", "traveler"), ("bob", "manager"), ("carol", "auditor")):
        session, browser = client(), requests.Session()
        address, state = session.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-1"
        )
        page = browser.get(address).text
        wrong = sign_in(page, username, "wrong", browser)
        check(wrong.status_code == 403 and "Wrong user name" in wrong.text, "a wrong password")
        target = sign_in(page, username, f"{username}-dev", browser).headers["location"]
        query = parse_qs(urlparse(target).query)
        check(query["iss"] == [URL] and query["state"] == [state], "issuer and state of the redirect")
        token = session.fetch_token(
            metadata["token_endpoint"], authorization_response=target, state=state, code_verifier=VERIFIER
        )
        access = token["access_token"]
        claims = jwt.decode(
            access,
            keys.get_signing_key_from_jwt(access),
            algorithms=["ES256"],
            audience="travel-agent",
            issuer=URL,
            options={"require": ["exp", "iat", "sub", "jti"]},
        )
        check(claims["username"] == username and claims["roles"] == [role], "claims of the access token")
        check(claims["exp"] - claims["iat"] == 60, "the lifetime")
        check(jwt.get_unverified_header(access)["typ"] == "at+jwt", "the type of the access token")
        identity = jwt.decode(
            token["id_token"],
            keys.get_signing_key_from_jwt(token["id_token"]),
            algorithms=["ES256"],
            audience="travel-page",
            issuer=URL,
        )
        check(identity["nonce"] == "n-1" and identity["sub"] == claims["sub"], "claims of the id token")
        renewed = session.refresh_token(metadata["token_endpoint"])
        check(renewed["access_token"] != access, "a new access token")
        code = query["code"][0]
        refused("invalid_grant", "a code that is used again", lambda: client().fetch_token(
            metadata["token_endpoint"], code=code, code_verifier=VERIFIER))
        refused("invalid_grant", "a forged refresh token", lambda: client().refresh_token(
            metadata["token_endpoint"], refresh_token=token["refresh_token"][:-4] + "AAAA"))
        refused("invalid_client", "another client", lambda: OAuth2Session(
            "other", token_endpoint_auth_method="none").refresh_token(
            metadata["token_endpoint"], refresh_token=token["refresh_token"]))
    for change, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ):
        address, _ = client().create_authorization_url(metadata["authorization_endpoint"], code_verifier=VERIFIER)
        parameters = {name: values[0] for name, values in parse_qs(urlparse(address).query).items()} | change
        response = requests.get(metadata["authorization_endpoint"], parameters, allow_redirects=False)
        query = parse_qs(urlparse(response.headers["location"]).query)
        check(query["error"] == [error], f"{change}: {query}")
    print(f"Authlib and PyJWT: {checks} checks hold")


main()
