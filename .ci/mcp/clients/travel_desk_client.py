#!/usr/bin/env python3
"""Uses `travel-mcp` with the `mcp` package of PyPI and tokens that PyJWT makes, in both ages of the protocol.

usage: travel_desk_client.py <URL> <secret>
"""

import asyncio
import json
import sys
import time

import httpx2
import jwt
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL, SECRET = sys.argv[1:]
ORDER = {
    "destination": "New York", "departure_date": "2026-11-23", "return_date": "2026-11-25", "purpose": "business",
    "outbound_flight": "CD173", "return_flight": "CD222",
}
CHECKS = 0


def check(what: str, actual, expected) -> None:
    global CHECKS
    assert actual == expected, f"{what}: {actual!r}, expected {expected!r}"
    CHECKS += 1


def token(user: str, roles: list[str], secret: str = SECRET, algorithm: str = "HS256", **changes) -> str:
    now = int(time.time())
    claims = {
        "iss": "travel-agent", "sub": "travel-agent", "aud": "travel-mcp", "iat": now, "exp": now + 300, "jti": "1",
        "user_id": user, "user_name": user, "roles": roles, **changes,
    }
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm=algorithm)


def client(bearer: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"Authorization": f"Bearer {bearer}"})


async def refusals() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "book_trip", "arguments": ORDER}}
    accept = {"Accept": "application/json, text/event-stream"}
    forged = {
        "another secret": token("alice", ["traveler"], secret="x" * 40),
        "no signature": token("alice", ["traveler"], secret=None, algorithm="none"),
        "another algorithm": token("alice", ["traveler"], algorithm="HS384"),
        "expired": token("alice", ["traveler"], exp=int(time.time()) - 120),
        "not valid yet": token("alice", ["traveler"], nbf=int(time.time()) + 120),
        "another audience": token("alice", ["traveler"], aud="travel-agent"),
        "another issuer": token("alice", ["traveler"], iss="https://id.example"),
        "another agent": token("alice", ["traveler"], sub="alice"),
        "no user": token("alice", ["traveler"], user_id=None),
    }
    for name, bearer in forged.items():
        async with client(bearer) as http:
            for method in ("POST", "GET", "DELETE"):
                response = await http.request(method, URL, json=call, headers=accept)
                check(f"{name}, {method}", response.status_code, 401)
                check("challenge", response.headers["www-authenticate"], "Bearer")
    async with client(token("alice", ["traveler"])) as http:
        for method in ("GET", "DELETE"):
            check(method, (await http.request(method, URL, headers=accept)).status_code, 405)


async def use(mode: str) -> None:
    async def calls(user: str, roles: list[str], *wanted: tuple[str, dict]) -> list:
        async with client(token(user, roles)) as http:
            transport = streamable_http_client(URL, http_client=http)
            async with Client(transport, mode=mode) as desk:
                tools = {tool.name: tool for tool in (await desk.list_tools()).tools}
                # Each role has tools of its own.
                check("policies", tools["get_travel_policies"].annotations.read_only_hint, True)
                check("bookings", "book_trip" in tools, "auditor" not in roles)
                check("all bookings", "all_bookings" in tools, "traveler" not in roles)
                return [await desk.call_tool(name, arguments) for name, arguments in wanted]

    booked, listed, denied = await calls("alice", ["traveler"], ("book_trip", ORDER), ("my_bookings", {}), ("all_bookings", {}))
    code = json.loads(booked.content[0].text)["confirmation_code"]
    check("the booking is listed", code in listed.content[0].text, True)
    check("a traveler sees no other bookings", denied.is_error, True)
    (others,) = await calls("marcus", ["traveler"], ("my_bookings", {}))
    check("another user's bookings", code in others.content[0].text, False)
    refused, seen = await calls("carol", ["auditor"], ("book_trip", ORDER), ("all_bookings", {}))
    check("an auditor books nothing", refused.is_error, True)
    check("an auditor sees all bookings", code in seen.content[0].text, True)
    invalid, unknown = await calls("alice", ["traveler"], ("get_cars", {"city": "Boston"}), ("get_hotels", {"city": "Gotham", "check_in": "2026-11-23", "nights": 1}))
    check("invalid arguments", invalid.is_error, True)
    check("an unknown city", unknown.is_error, True)


async def main() -> None:
    await refusals()
    for mode in ("legacy", "2026-07-28", "auto"):
        await use(mode)
    print(f"{CHECKS} checks")


asyncio.run(main())
