#!/usr/bin/env python3
"""Writes `strands-a2a/tests/v03_pairs.json`: messages of protocol 0.3 and what they are in 1.0, by the compatibility layer of a2a-sdk 1.3.0.

The messages of 0.3 are those of two servers, Strands for Python and a2a-sdk 0.3.26, and some that cover what these don't send.
Needs STRANDS_SHARED; run it after a change of the peers.

    .ci/a2a/v03_pairs.py
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import peers  # noqa: E402

PAIRS = peers.ROOT / "strands-a2a/tests/v03_pairs.json"
WORDS = ["plain", "message please", "artifact", "ask me", "auth", "fail", "reject"]

MESSAGE = {"kind": "message", "messageId": "m1", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
FULL_MESSAGE = MESSAGE | {
    "role": "agent",
    "contextId": "c1",
    "taskId": "t1",
    "referenceTaskIds": ["t0"],
    "extensions": ["https://example.com/e"],
    "metadata": {"a": {"b": [1.5, None]}},
    "parts": [
        {"kind": "text", "text": "", "metadata": {"m": 1}},
        {"kind": "file", "file": {"bytes": "AAEC", "mimeType": "image/png", "name": "a.png"}},
        {"kind": "file", "file": {"uri": "https://example.com/a.pdf", "mimeType": "application/pdf", "name": "a.pdf"}, "metadata": {"m": 1}},
        {"kind": "file", "file": {"uri": "https://example.com/b"}},
        {"kind": "data", "data": {"k": [1, {"n": None}]}, "metadata": {"m": "x"}},
        {"kind": "data", "data": {"value": [1, 2]}, "metadata": {"data_part_compat": True, "m": "x"}},
        {"kind": "data", "data": {"value": "text"}, "metadata": {"data_part_compat": True}},
    ],
}
PUSH = {"url": "https://example.com/push", "id": "p1", "token": "tok", "authentication": {"schemes": ["Bearer"], "credentials": "c"}}
TASK = {
    "kind": "task",
    "id": "t1",
    "contextId": "c1",
    "status": {"state": "input-required", "timestamp": "2026-11-30T10:00:00Z", "message": FULL_MESSAGE},
    "artifacts": [{"artifactId": "a1", "name": "n", "description": "d", "parts": FULL_MESSAGE["parts"], "metadata": {"x": 1}}],
    "history": [MESSAGE, FULL_MESSAGE],
    "metadata": {"y": 2},
}
STATES = ["submitted", "working", "input-required", "completed", "canceled", "failed", "rejected", "auth-required", "unknown"]
CARD = {
    "name": "Full",
    "description": "All fields",
    "version": "1.2",
    "url": "https://example.com/a2a",
    "preferredTransport": "JSONRPC",
    "protocolVersion": "0.3.0",
    "capabilities": {
        "streaming": True,
        "pushNotifications": False,
        "extensions": [{"uri": "https://example.com/e", "required": True, "params": {"a": 1}}],
    },
    "supportsAuthenticatedExtendedCard": True,
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain"],
    "skills": [
        {"id": "s", "name": "S", "description": "d", "tags": ["t"], "examples": ["e"], "security": [{"bearer": []}]},
    ],
    "provider": {"organization": "Org", "url": "https://example.com"},
    "securitySchemes": {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "key": {"type": "apiKey", "in": "header", "name": "X-Key", "description": "a key"},
        "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://example.com/oidc"},
        "mtls": {"type": "mutualTLS"},
        "oauth": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "https://example.com/token", "scopes": {"a": "b"}}},
        },
    },
    "security": [{"bearer": []}, {"oauth": ["a"], "key": []}],
    "documentationUrl": "https://example.com/docs",
}


def samples(recorded: list) -> list:
    """Returns the samples: a kind, the method if there is one, and the JSON of 0.3."""
    send = {"message": FULL_MESSAGE | {"role": "user"}}
    config = {"acceptedOutputModes": ["text"], "historyLength": 3, "blocking": False, "pushNotificationConfig": PUSH}
    made = [
        ["params", "message/send", {"message": MESSAGE}],
        ["params", "message/send", send | {"configuration": config, "metadata": {"z": 1}}],
        ["params", "message/stream", send | {"configuration": {"blocking": True, "historyLength": 0}}],
        ["params", "tasks/get", {"id": "t1", "historyLength": 2}],
        ["params", "tasks/get", {"id": "t1", "historyLength": 0}],
        ["params", "tasks/cancel", {"id": "t1", "metadata": {"why": "x"}}],
        ["params", "tasks/resubscribe", {"id": "t1"}],
        ["params", "tasks/pushNotificationConfig/set", {"taskId": "t1", "pushNotificationConfig": PUSH}],
        ["params", "tasks/pushNotificationConfig/get", {"id": "t1", "pushNotificationConfigId": "p1"}],
        ["params", "tasks/pushNotificationConfig/get", {"id": "t1"}],
        ["params", "tasks/pushNotificationConfig/list", {"id": "t1"}],
        ["params", "tasks/pushNotificationConfig/delete", {"id": "t1", "pushNotificationConfigId": "p1"}],
        ["result", "message/send", TASK],
        ["result", "message/send", FULL_MESSAGE],
        ["result", "tasks/get", TASK],
        ["result", "tasks/cancel", TASK | {"status": {"state": "canceled"}, "artifacts": None, "history": None}],
        ["result", "tasks/pushNotificationConfig/set", {"taskId": "t1", "pushNotificationConfig": PUSH}],
        ["result", "tasks/pushNotificationConfig/get", {"taskId": "t1", "pushNotificationConfig": {"url": "https://example.com"}}],
        ["result", "tasks/pushNotificationConfig/list", [{"taskId": "t1", "pushNotificationConfig": PUSH}]],
        ["result", "tasks/pushNotificationConfig/list", []],
        ["event", None, TASK],
        ["event", None, FULL_MESSAGE],
        *(
            ["event", None, {"kind": "status-update", "taskId": "t", "contextId": "c", "final": False, "status": {"state": state}}]
            for state in STATES
        ),
        [
            "event",
            None,
            {
                "kind": "artifact-update",
                "taskId": "t",
                "contextId": "c",
                "append": True,
                "lastChunk": True,
                "artifact": {"artifactId": "a1", "parts": FULL_MESSAGE["parts"]},
                "metadata": {"m": 1},
            },
        ],
        ["card", None, CARD],
        ["card", None, CARD | {"additionalInterfaces": [{"url": "https://example.com/rest", "transport": "HTTP+JSON"}]}],
    ]
    return made + recorded


def recorded() -> list:
    """Returns the cards and the events of the two servers, with times and ids that do not change."""
    found = []
    for start, words in [(peers.sdk03, WORDS), (peers.strands, ["hello"]), (peers.strands_compliant, ["hello"])]:
        with start() as url:
            found.append(["card", None, peers.get_json(f"{url}/.well-known/agent-card.json")])
            for word in words:
                params = {"message": MESSAGE | {"messageId": "m1", "parts": [{"kind": "text", "text": word}]}}
                found += [["event", None, event] for event in peers.stream(url, "message/stream", params)]
    text = json.dumps(found)
    return json.loads(peers.with_fixed_ids(text))


# Runs in the environment of a2a-sdk 1.x.
CONVERT = '''
import json, sys
from google.protobuf.json_format import MessageToDict
from a2a.compat.v0_3 import conversions as c, types as t

METHODS = {
    "message/send": (t.SendMessageRequest, c.to_core_send_message_request),
    "message/stream": (t.SendStreamingMessageRequest, c.to_core_send_message_request),
    "tasks/get": (t.GetTaskRequest, c.to_core_get_task_request),
    "tasks/cancel": (t.CancelTaskRequest, c.to_core_cancel_task_request),
    "tasks/resubscribe": (t.TaskResubscriptionRequest, c.to_core_subscribe_to_task_request),
    "tasks/pushNotificationConfig/set": (t.SetTaskPushNotificationConfigRequest, c.to_core_create_task_push_notification_config_request),
    "tasks/pushNotificationConfig/get": (t.GetTaskPushNotificationConfigRequest, c.to_core_get_task_push_notification_config_request),
    "tasks/pushNotificationConfig/list": (t.ListTaskPushNotificationConfigRequest, c.to_core_list_task_push_notification_config_request),
    "tasks/pushNotificationConfig/delete": (t.DeleteTaskPushNotificationConfigRequest, c.to_core_delete_task_push_notification_config_request),
}

def dump(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)

def envelope(result):
    return {"id": 1, "jsonrpc": "2.0", "result": result}

def convert(kind, method, v03):
    if kind == "params":
        model, to_core = METHODS[method]
        return to_core(model.model_validate({"id": 1, "jsonrpc": "2.0", "method": method, "params": v03})), None
    if kind == "card":
        core = c.to_core_agent_card(t.AgentCard.model_validate(v03))
        return core, dump(c.to_compat_agent_card(core))
    if kind == "event":
        core = c.to_core_stream_response(t.SendStreamingMessageSuccessResponse.model_validate(envelope(v03)))
        return core, dump(c.to_compat_stream_response(core, 1))["result"]
    if method == "message/send":
        core = c.to_core_send_message_response(t.SendMessageResponse.model_validate(envelope(v03)))
        return core, dump(c.to_compat_send_message_response(core, 1))["result"]
    if method.endswith("list"):
        core = c.to_core_list_task_push_notification_config_response(t.ListTaskPushNotificationConfigResponse.model_validate(envelope(v03)))
        return core, dump(c.to_compat_list_task_push_notification_config_response(core, 1))["result"]
    if method.startswith("tasks/push"):
        core = c.to_core_task_push_notification_config(t.TaskPushNotificationConfig.model_validate(v03))
        return core, dump(c.to_compat_task_push_notification_config(core))
    core = c.to_core_task(t.Task.model_validate(v03))
    return core, dump(c.to_compat_task(core))

pairs = []
for kind, method, v03 in json.load(sys.stdin):
    core, back = convert(kind, method, v03)
    pairs.append({"kind": kind, "method": method, "v03": v03, "v1": MessageToDict(core), "v03_of_v1": back})
json.dump(pairs, sys.stdout)
'''


def main() -> None:
    peers.install()
    given = json.dumps(samples(recorded()))
    done = subprocess.run([peers.PYTHON1, "-c", CONVERT], input=given, stdout=subprocess.PIPE, text=True, check=True)
    pairs = json.loads(done.stdout)
    PAIRS.write_text("[\n" + ",\n".join(json.dumps(pair, sort_keys=True) for pair in pairs) + "\n]\n")
    print(f"{len(pairs)} pairs in {PAIRS.relative_to(peers.ROOT)}")


if __name__ == "__main__":
    main()
