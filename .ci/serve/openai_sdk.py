"""Checks with the SDK of OpenAI; started by `openai_sdk`."""

import base64
import contextlib
import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import openai
from openai import OpenAI
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from scripted_server import Server, running

MODEL = "travel-agent"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
EVENTS = TypeAdapter(ResponseStreamEvent)


class Checks:
    """Checks against a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.valid = 0

    def client(self, user: str = "alice", **options: Any) -> OpenAI:
        return OpenAI(base_url=f"{self.server.url}/v1", api_key=user, **({"max_retries": 0, "timeout": 20} | options))

    def debug(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.server.url}/debug", timeout=5) as response:
            return json.load(response)

    def check(self, value: Any, kind: Any) -> Any:
        """Validates what was received, with all required fields and values."""
        data = value.model_dump(exclude_unset=True, warnings="none")
        if isinstance(kind, TypeAdapter):
            kind.validate_python(data)
        else:
            kind.model_validate(data)
        self.valid += 1
        return value

    @contextlib.contextmanager
    def fails(self, kind: type[openai.APIError], code: str, param: str | None = None) -> Iterator[None]:
        try:
            yield
        except kind as error:
            assert (error.code, error.param) == (code, param), error
            assert "/" not in error.message and "panicked" not in error.message, error
        else:
            raise AssertionError(f"no {kind.__name__} with {code}")

    # Chat Completions

    def chat(self, text: str, **options: Any) -> Any:
        client = options.pop("client", None) or self.client()
        messages = options.pop("messages", [{"role": "user", "content": text}])
        return client.chat.completions.create(model=MODEL, messages=messages, **options)

    def chunks(self, text: str, **options: Any) -> list[ChatCompletionChunk]:
        stream = self.chat(text, stream=True, stream_options={"include_usage": True}, **options)
        return [self.check(chunk, ChatCompletionChunk) for chunk in stream]

    def models(self) -> None:
        assert [self.check(model, Model).id for model in self.client().models.list()] == [MODEL]
        assert self.client().models.retrieve(MODEL).owned_by == "strands"
        with self.fails(openai.NotFoundError, "model_not_found", "model"):
            self.client().models.retrieve("gpt-5")

    def completions(self) -> None:
        completion = self.check(self.chat("Hello to you"), ChatCompletion)
        assert completion.choices[0].message.content == "You said: Hello to you"
        assert completion.choices[0].finish_reason == "stop"
        assert completion.usage.total_tokens == 15
        assert completion._request_id
        for user in ("alice", "bob"):
            told = self.chat("who am I?", client=self.client(user), user="root")
            assert told.choices[0].message.content == f"You are {user}. You said: who am I?", told
            assert told.choices[0].message.tool_calls is None
        assert self.chat("too long").choices[0].finish_reason == "length"
        paused = self.check(self.chat("delete it"), ChatCompletion).choices[0]
        assert paused.finish_reason == "stop" and "approval of `delete`" in paused.message.content

    def streams(self) -> None:
        chunks = self.chunks("Hello to you")
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == "You said: Hello to you" and chunks[-1].usage.total_tokens == 15
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert len({chunk.id for chunk in chunks}) == 1
        # The helper that accumulates chunks.
        with self.client().chat.completions.stream(model=MODEL, messages=[{"role": "user", "content": "who am I?"}]) as stream:
            for _ in stream:
                pass
            final = stream.get_final_completion()
        assert final.choices[0].message.content == "You are alice. You said: who am I?"

    def conversations(self) -> None:
        messages: list[Any] = [{"role": "system", "content": "You are a pirate."}]
        for turn in range(3):
            messages.append({"role": "user", "content": f"count {turn}"})
            reply = self.chat("", messages=messages)
            assert reply.choices[0].message.content == "1", "quoted in one message"
            messages.append(reply.choices[0].message.to_dict())
        for turn in range(3):
            raw = self.client().chat.completions.with_raw_response.create(
                model=MODEL,
                messages=[{"role": "user", "content": "count"}],
                metadata={"session_id": "named"},
            )
            assert raw.parse().choices[0].message.content == str(2 * turn + 1)
            named = raw.headers["x-session-id"]
        header = {"x-session-id": named}
        assert self.chat("count", extra_headers=header).choices[0].message.content == "7"
        bob = self.chat("count", extra_headers=header, client=self.client("bob"))
        assert bob.choices[0].message.content == "1", "the session of another user is not his"

    def media(self) -> None:
        parts = [
            {"type": "text", "text": "describe"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            {"type": "file", "file": {"filename": "plan.pdf", "file_data": "data:application/pdf;base64,aGk="}},
        ]
        # The command is in the last line of the texts.
        reply = self.chat("", messages=[{"role": "user", "content": parts}])
        assert reply.choices[0].message.content == "text, png of Some(8), wav of Some(2), plan of Some(2)", reply
        items = [
            {"type": "input_text", "text": "describe"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
            {"type": "input_file", "filename": "plan.pdf", "file_data": "aGk="},
        ]
        response = self.client().responses.create(model=MODEL, input=[{"role": "user", "content": items}])
        assert response.output_text == "text, png of Some(8), plan of Some(2)", response.output_text
        remote = {"type": "image_url", "image_url": {"url": f"{self.server.url}/debug"}}
        with self.fails(openai.BadRequestError, "invalid_content", "messages"):
            self.chat("", messages=[{"role": "user", "content": [remote]}])

    def errors(self) -> None:
        before = self.debug()["model_requests"]
        with self.fails(openai.AuthenticationError, "unauthenticated"):
            self.chat("Hi", client=self.client(default_headers={"Authorization": "Basic YTpi"}))
        with self.fails(openai.NotFoundError, "model_not_found", "model"):
            self.client().chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hi"}])
        with self.fails(openai.NotFoundError, "not_found"):
            self.client().embeddings.create(model=MODEL, input="Hi")
        tool: Any = {"type": "function", "function": {"name": "delete", "parameters": {}}}
        with self.fails(openai.BadRequestError, "unsupported_parameter", "tools"):
            self.chat("Hi", tools=[tool])
        with self.fails(openai.BadRequestError, "unsupported_parameter", "response_format"):
            self.chat("Hi", response_format={"type": "json_object"})
        with self.fails(openai.BadRequestError, "unsupported_parameter", "background"):
            self.client().responses.create(model=MODEL, input="Hi", background=True)
        with self.fails(openai.BadRequestError, "previous_response_not_found", "previous_response_id"):
            self.client().responses.create(model=MODEL, input="Hi", previous_response_id=f"resp_{'0' * 32}")
        assert self.debug()["model_requests"] == before, "no model was called"
        with self.fails(openai.InternalServerError, "model_failed"):
            self.chat("fail")
        with self.fails(openai.InternalServerError, "model_failed"):
            self.client().responses.create(model=MODEL, input="fail")
        with self.fails(openai.APIError, "model_failed"):
            for _ in self.chat("break", stream=True):
                pass

    def cancellation(self) -> None:
        for close in (self.close_chat, self.close_response):
            close()
            for _ in range(500):
                if self.debug()["running_turns"] == 0:
                    break
                time.sleep(0.01)
            else:
                raise AssertionError(f"{close.__name__}: the turn was not cancelled")
            assert self.chat("count", metadata={"session_id": "slow"}), "the session works"

    def close_chat(self) -> None:
        stream = self.chat("slowly", stream=True, metadata={"session_id": "slow"})
        next(stream)
        with self.fails(openai.ConflictError, "session_busy"):
            self.chat("Hi", metadata={"session_id": "slow"})
        stream.close()

    def close_response(self) -> None:
        with self.client().responses.create(model=MODEL, input="slowly", stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    break

    def retries(self) -> None:
        # The SDK repeats a request to a busy session by itself.
        stream = self.chat("slowly", stream=True, metadata={"session_id": "busy"})
        next(stream)
        threading.Timer(1, stream.close).start()
        reply = self.chat("Hi", client=self.client(max_retries=5), metadata={"session_id": "busy"})
        assert reply.choices[0].message.content == "You said: Hi"

    # Responses

    def responses(self) -> None:
        response = self.check(self.client().responses.create(model=MODEL, input="Hello to you"), Response)
        assert response.output_text == "You said: Hello to you"
        assert (response.status, response.usage.total_tokens) == ("completed", 15)
        long = self.check(self.client().responses.create(model=MODEL, input="too long"), Response)
        assert (long.status, long.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        previous = None
        for turn in range(3):
            response = self.client().responses.create(model=MODEL, input="count", previous_response_id=previous)
            assert response.output_text == str(2 * turn + 1), response.output_text
            previous = response.id
        with self.fails(openai.BadRequestError, "previous_response_not_found", "previous_response_id"):
            self.client("bob").responses.create(model=MODEL, input="count", previous_response_id=previous)
        # A client without state resends the output items.
        first = self.client().responses.create(model=MODEL, input="one", store=False)
        items: list[Any] = [{"role": "user", "content": "one"}, *first.output, {"role": "user", "content": "count"}]
        assert self.client().responses.create(model=MODEL, input=items, store=False).output_text == "1"

    def response_streams(self) -> None:
        for prompt in ("Hello to you", "who am I?", "too long", "delete it", "break"):
            events = list(self.client().responses.create(model=MODEL, input=prompt, stream=True))
            for event in events:
                self.check(event, EVENTS)
            assert [event.sequence_number for event in events] == list(range(len(events)))
            deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
            assert events[-1].response.output_text == deltas, prompt
            ends = {"too long": "response.incomplete", "break": "response.failed"}
            assert events[-1].type == ends.get(prompt, "response.completed"), prompt
        with self.client().responses.stream(model=MODEL, input="who am I?") as stream:
            for _ in stream:
                pass
            assert stream.get_final_response().output_text == "You are alice. You said: who am I?"


def main() -> None:
    with running() as server:
        checks = Checks(server)
        groups: list[Callable[[], None]] = [
            checks.models,
            checks.completions,
            checks.streams,
            checks.conversations,
            checks.media,
            checks.errors,
            checks.cancellation,
            checks.retries,
            checks.responses,
            checks.response_streams,
        ]
        for group in groups:
            group()
            print(f"passed: {group.__name__}")
        if server.process.poll() is not None:
            sys.exit("the server ended")
    print(f"OpenAI SDK {openai.__version__}: {len(groups)} groups passed; {checks.valid} objects and events are valid for its types")


if __name__ == "__main__":
    main()
