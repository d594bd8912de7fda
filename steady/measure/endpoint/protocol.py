"""What an OpenAI-compatible server is sent and what it returns: chat completions, completions, and scores of given tokens."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from steady.records import Asked, Message

Tokens = tuple[int, ...]
CHAT, COMPLETIONS = "/chat/completions", "/completions"


@dataclass(frozen=True)
class Asking:
    """How prompts are put to a model of a server.

    `chat`: as messages, through the server's chat template, after the message `system` where there is one; otherwise as plain
    text. `more` are fields of the request body that are added or replaced; None removes one. `scored`: the token ids and the
    log-probabilities of the response are asked for too, which are extensions of vLLM's.
    """

    model: str
    chat: bool = True
    system: str = ""
    max_new_tokens: int = 30
    stop: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    scored: bool = False


@dataclass(frozen=True)
class Request:
    """One request: `name` says in messages which prompt it is, `hint` what to do when it is refused; each `repeat` is sent."""

    path: str
    body: Mapping[str, Any]
    name: str
    repeat: str = "0"
    hint: str = ""

    def key(self, url: str) -> str:
        """The digest under which its reply is cached."""
        content = msgspec.json.encode([url, self.path, self.body, self.repeat], order="deterministic")
        return hashlib.blake2b(content, digest_size=16).hexdigest()


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is used of a reply: `logprobs` are natural logs, one a token that was generated or given; `refusal`: why it was refused."""

    text: str
    refusal: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_ids: list[int] = []
    token_ids: list[int] = []
    logprobs: list[float | None] = []


def generation_request(asking: Asking, prompt: Asked, name: str, repeat: int = 0) -> Request:
    """Ask for the greedy response to a prompt; one that brings a system message gets no other."""
    if asking.chat:
        turns = [Message("user", prompt)] if isinstance(prompt, str) else list(prompt)
        if asking.system and turns[0].role != "system":
            turns.insert(0, Message("system", asking.system))
        body: dict[str, Any] = {"messages": msgspec.to_builtins(turns)}
    else:
        body = {"prompt": prompt}
    body |= {"model": asking.model, "max_tokens": asking.max_new_tokens, "temperature": 0}
    # an empty list is refused by some servers
    if asking.stop:
        body["stop"] = list(asking.stop)
    hint = ""
    if asking.scored:
        # chat completions want true, completions a number of alternatives
        body |= {"return_token_ids": True, "logprobs": True if asking.chat else 1}
        hint = " --posix needs the fields return_token_ids and logprobs; without it, answers alone are asked for."
    # null leaves a field out, for servers that refuse one
    body = {key: value for key, value in {**body, **asking.more}.items() if value is not None}
    return Request(CHAT if asking.chat else COMPLETIONS, body, name, str(repeat), hint)


def given_request(asking: Asking, tokens: Sequence[int], name: str, repeat: str = "0") -> Request:
    """Ask for the log-probabilities of given tokens: nothing is generated, the tokens come back with theirs."""
    body = {
        "model": asking.model,
        "prompt": list(tokens),
        "max_tokens": 0,
        "echo": True,
        "logprobs": 1,
        "temperature": 0,
    }
    return Request(COMPLETIONS, body, name, repeat)


class _Token(msgspec.Struct):
    logprob: float


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None
    token_logprobs: list[float | None] | None = None


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    message: _Message | None = None
    logprobs: _Logprobs | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Body(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None
    prompt_token_ids: list[int] | None = None


_decoder = msgspec.json.Decoder(_Body)


def read_reply(content: bytes) -> Reply:
    """The first choice of a reply; msgspec.MsgspecError where the body was cut short, or is no completion."""
    body = _decoder.decode(content)
    if not body.choices:
        raise msgspec.ValidationError("`choices` is empty")
    choice, usage = body.choices[0], body.usage or _Usage()
    logprobs = choice.logprobs or _Logprobs()
    return Reply(
        # a model that thinks until the limit has a message without content: an empty answer
        text=(choice.message.content if choice.message else choice.text) or "",
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        prompt_ids=body.prompt_token_ids or choice.prompt_token_ids or [],
        token_ids=choice.token_ids or [],
        logprobs=logprobs.token_logprobs or [token.logprob for token in logprobs.content or []],
    )
