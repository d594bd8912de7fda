"""A server on this machine that stands in for an OpenAI-compatible one: it answers by a function, and fails where it is told to."""

import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Fault = str | tuple[int, dict[str, str]] | None
"""`reset`, `slow` and `cut` bodies, or a status with headers; None answers."""


def reply(text: str, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"text": text, "message": {"content": text}, "finish_reason": "stop", **choice}]}


def last_word(path: str, body: dict[str, Any]) -> dict[str, Any]:
    prompt = body["messages"][-1]["content"] if path.endswith("/chat/completions") else body["prompt"]
    return reply(prompt.split()[-1]) | {"usage": {"prompt_tokens": len(prompt.split()), "completion_tokens": 1}}


class StandIn(ThreadingHTTPServer):
    """Counts, by the JSON of the body, the requests that came and the replies that went out whole."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, answer: Callable[[str, dict[str, Any]], Any] = last_word, fault: Callable[[int], Fault] = lambda n: None
    ):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.fault = answer, fault
        self.came: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answered: Counter[str] = Counter()
        self.number = self.flying = self.most_flying = 0
        self.lock = threading.Lock()
        self.log: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """A client that is gone is not told on stderr."""

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        body, server = json.loads(content), self.server
        with server.lock:
            server.number += 1
            number = server.number
            if server.log is None:
                server.came.append((self.path, body, dict(self.headers)))
            else:
                with server.log.open("ab") as handle:
                    handle.write(content + b"\n")
            server.flying += 1
            server.most_flying = max(server.most_flying, server.flying)
        try:
            fault = server.fault(number)
            if fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            elif isinstance(fault, tuple):
                self.send(fault[0], b'{"error": "told to fail"}', fault[1])
            else:
                self.answer(content, body, fault)
        finally:
            with server.lock:
                server.flying -= 1

    def answer(self, content: bytes, body: dict[str, Any], fault: Fault) -> None:
        found = self.server.answer(self.path, body)
        status, value = found if isinstance(found, tuple) else (200, found)
        text = value.encode() if isinstance(value, str) else json.dumps(value).encode()  # a text is no JSON
        if fault == "cut":
            self.send(status, text, {}, text[: len(text) // 2])
            self.close_connection = True
        elif fault == "slow":
            self.send(status, text, {}, b"")
            for place in range(len(text)):
                self.wfile.write(text[place : place + 1])
                time.sleep(0.1)
        else:
            self.send(status, text, {})
            with self.server.lock:
                self.server.answered[content.decode()] += status == 200

    def send(self, status: int, content: bytes, headers: dict[str, str], part: bytes | None = None) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self._headers_buffer.append(b"\r\n" + (content if part is None else part))  # one segment: no delayed ACK
        self.flush_headers()


def sometimes(share: float, seed: int = 0) -> Callable[[int], Fault]:
    """A fault in `share` of the requests, of every kind in turn."""
    kinds: list[Fault] = [(429, {"Retry-After": "0.05"}), (500, {}), "reset", "cut", "slow"]
    draw = random.Random(seed)
    turn = iter(range(10**9))
    return lambda number: kinds[next(turn) % len(kinds)] if draw.random() < share else None


def model_answers(language: Any) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Answers of a model as vLLM gives them, each from one pass over one whole sequence."""
    import torch

    from steady.inference.language import decode, sequence_logits, whole_prompt

    lock = threading.Lock()

    def logprobs(prompt: list[int], response: list[int]) -> list[float]:
        logits = sequence_logits(language, tuple(prompt), tuple(response))[:-1]
        return torch.log_softmax(logits.float(), -1).gather(1, torch.tensor([response]).T)[:, 0].tolist()

    @torch.inference_mode()
    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        with lock:
            if body.get("echo"):
                tokens = body["prompt"]
                return reply("", logprobs={"token_logprobs": [None, *logprobs(tokens[:1], tokens[1:])]})
            text = body["messages"][-1]["content"] if path.endswith("/chat/completions") else body["prompt"]
            prompt, response = whole_prompt(language, text), []
            while len(response) < body["max_tokens"] and not language.end_ids.intersection(response[-1:]):
                response.append(int(sequence_logits(language, tuple(prompt), tuple(response))[-1].argmax()))
            found = {"token_logprobs": logprobs(prompt, response)}
            return reply(decode(language, tuple(response)), token_ids=response, prompt_token_ids=prompt, logprobs=found)

    return answer


if __name__ == "__main__":  # a process of its own: URL_FILE LOG_FILE
    with StandIn(lambda *given: last_word(*given) | {"padding": "x" * 4000}, sometimes(0.05)) as server:
        server.log = Path(sys.argv[2])
        Path(sys.argv[1]).write_text(server.url)
        threading.Event().wait()
