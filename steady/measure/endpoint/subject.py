"""A model behind an OpenAI-compatible server as a subject of `steady measure`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.inference.progress import progress_bar
from steady.measure.endpoint.cache import Cache
from steady.measure.endpoint.canary import REQUESTS, check_canary, given_logprobs
from steady.measure.endpoint.client import Client, Endpoint, checked_url
from steady.measure.endpoint.protocol import Asking, Reply, Request, generation_request, given_request
from steady.measure.prompt_files import ONE_PROMPT, PromptFile, comparable
from steady.measure.subject import UNKNOWN, Say, Subject
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction, Rejected
from steady.scoring.groups import Mask, PromptGroup, sample_pairs

REFUSED = "refused"
CHAT = ("auto", "on", "off")
# Of English text; the tokenizer of the server is not known here
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Plan:
    """What is asked of each group.

    Every prompt is sent `repeats` times. `posix`: each different response is scored under every prompt of its group, or in
    `max_pairs` of the ordered pairs, drawn by `seed`.
    """

    repeats: int = 2
    posix: bool = False
    max_pairs: int | None = None
    seed: int = 0


class EndpointSubject(Subject):
    """Answers, and POSIX where the server gives log-probabilities of given tokens; `cache` is the file that keeps replies."""

    def __init__(self, endpoint: Endpoint, asking: Asking, plan: Plan, cache: Path) -> None:
        self.name = asking.model
        self.facts = {
            "endpoint": endpoint.url,
            "model": asking.model,
            "chat_template": asking.chat,
            "system": asking.system,
            "max_new_tokens": asking.max_new_tokens,
            "stop": list(asking.stop),
            "request_fields": msgspec.json.encode(asking.more, order="deterministic").decode() if asking.more else "",
            "repeats": plan.repeats,
            "posix": plan.posix,
            "max_pairs": plan.max_pairs,
            # of the pairs that are drawn: without a limit there are none
            "seed": plan.seed if plan.max_pairs else None,
        }
        self._endpoint, self._asking, self._plan, self._cache = endpoint, asking, plan, cache
        self._file: PromptFile | None = None
        self._groups: list[PromptGroup] = []

    def fitting(self, file: PromptFile) -> tuple[list[PromptGroup], list[Rejected]]:
        """All groups of two prompts and more: only the server knows what is too long; SteadyError for `messages` as plain text."""
        talk = next((prompt for prompt in file.prompts if prompt.messages), None)
        if talk and not self._asking.chat:
            raise SteadyError(
                f"{file.place(talk.id)}: `messages` need the chat template; leave out --chat-template off."
            )
        self._file = file
        self._groups, skipped = comparable(file, {})
        return self._groups, skipped

    def budget(self, groups: Sequence[PromptGroup], say: Say, alone: bool) -> None:
        """Say how many requests and tokens it takes at most, and what of it was answered in a run before."""
        requests = list(self._generations(groups, self._plan.repeats))
        kept = 0
        if self._cache.is_file():
            with Cache(self._cache, say) as cache:
                kept = sum(request.key(self._endpoint.url) in cache for request in requests)
        limit, tokens = self._asking.max_new_tokens, sum(map(_tokens, requests))
        say(
            f"{len(requests):,} requests to {self._endpoint.url}: each prompt {self._plan.repeats} times; {kept:,} were "
            f"answered before. About {tokens:,} tokens of prompts (by {CHARACTERS_PER_TOKEN} characters a token) and at most "
            f"{len(requests) * limit:,} of answers."
        )
        if self._plan.posix:
            pairs = [int(self._wanted(group, len(group.prompts)).sum()) for group in groups]
            # every pair as long as the longest one: a bound, for what is said is `at most`
            longest = [max(_tokens(request) for request in self._generations([group], 1)) for group in groups]
            read = sum(count * (length + limit) for count, length in zip(pairs, longest, strict=True))
            say(f"For POSIX at most {sum(pairs) + REQUESTS:,} requests more, which read at most about {read:,} tokens.")

    def bundles(self, groups: Sequence[PromptGroup], order: Sequence[int] | None) -> list[list[int]]:
        """All groups at once: the cache keeps what was done, and more requests can be in flight together."""
        return [list(range(len(groups)))]

    def score(self, groups: Sequence[PromptGroup], say: Say) -> list[ScoredGroup]:
        """Ask what was not answered before, try the canary where POSIX is wanted, and put the replies together."""
        plan = self._plan
        with Cache(self._cache, say) as cache, Client(self._endpoint, cache) as client:
            requests = sum(len(group.prompts) for group in groups) * plan.repeats
            self._fill(client, self._generations(groups, plan.repeats), "answers", requests)
            if plan.posix:
                check_canary(client, self._asking, list(self._generations(groups, 1)))
                pairs = sum(int(self._wanted(group, len(group.prompts)).sum()) for group in groups)
                self._fill(client, self._pairs(client, groups), "pairs", pairs)
            for fault, count in client.faults.most_common():
                say(f"sent again {count} times: {fault}")
            say(f"the server counted {client.read:,} tokens of prompts and {client.written:,} of answers in this run")
            return [self._scored(client, group) for group in groups]

    def unanswered(self) -> list[Rejected]:
        """The prompts that the server refused, and those that are left alone in their group."""
        assert self._file is not None
        found = []
        with Cache(self._cache, lambda line: None) as cache:
            for group in self._groups:
                refusals = [cache[request.key(self._endpoint.url)].refusal for request in self._generations([group], 1)]
                named = [(REFUSED, refusal) for refusal in refusals]
                if sum(not refusal for refusal in refusals) == 1:
                    named[refusals.index("")] = ONE_PROMPT, f"group {group.id} has no second prompt that was answered"
                found += [
                    self._file.skipped(prompt_id, code, reason)
                    for prompt_id, (code, reason) in zip(group.prompt_ids, named, strict=True)
                    if reason
                ]
        return found

    def repeats(self) -> dict[str, list[str]]:
        """All answers to each prompt that was answered, by its id; the first is the one that is measured."""
        if self._plan.repeats == 1:
            return {}
        found = {}
        # damaged lines were named when the replies were read first
        with Cache(self._cache, lambda line: None) as cache:
            for group in self._groups:
                for name, prompt in zip(group.prompt_ids, group.prompts, strict=True):
                    asked = (generation_request(self._asking, prompt, name, n) for n in range(self._plan.repeats))
                    replies = [cache[request.key(self._endpoint.url)] for request in asked]
                    if not any(reply.refusal for reply in replies):
                        found[name] = [reply.text.strip() for reply in replies]
        return found

    def _fill(self, client: Client, requests: Iterable[Request], what: str, count: int) -> None:
        with progress_bar(None, what, "request", total=count) as bar:
            client.fill(requests, bar.update)

    def _generations(self, groups: Sequence[PromptGroup], repeats: int) -> Iterator[Request]:
        """All prompts before their repeats, so that a server's cache of the last answers is not what is measured."""
        for repeat in range(repeats):
            for group in groups:
                for name, prompt in zip(group.prompt_ids, group.prompts, strict=True):
                    place = self._file.place(name) if self._file else name
                    yield generation_request(self._asking, prompt, place, repeat)

    def _answered(self, client: Client, group: PromptGroup) -> list[tuple[str, Reply]]:
        replies = map(client.reply, self._generations([group], 1))
        return [(name, reply) for name, reply in zip(group.prompt_ids, replies, strict=True) if not reply.refusal]

    def _wanted(self, group: PromptGroup, count: int) -> Mask:
        """The pairs (row: prompt, column: response) of a group of so many prompts that are scored; the diagonal always is."""
        sample = sample_pairs(count, self._plan.max_pairs, self._plan.seed, group.id)
        return np.ones((count, count), dtype=bool) if sample is None else sample | np.eye(count, dtype=bool)

    def _pairs(self, client: Client, groups: Sequence[PromptGroup]) -> Iterator[Request]:
        for group in groups:
            replies = [reply for _, reply in self._answered(client, group)]
            for row, column in np.argwhere(self._wanted(group, len(replies))):
                yield self._pair(group, replies[row], replies[column])

    def _pair(self, group: PromptGroup, prompt: Reply, response: Reply) -> Request:
        return given_request(self._asking, prompt.prompt_ids + response.token_ids, f"group {group.id}")

    def _scored(self, client: Client, group: PromptGroup) -> ScoredGroup:
        """The first answers; without POSIX the matrix is empty."""
        answered = self._answered(client, group)
        count, sampled = len(answered), None
        matrix, lengths = UNKNOWN.values, UNKNOWN.lengths
        if self._plan.posix:
            matrix = np.full((count, count), np.nan)
            lengths = np.asarray([float(len(one.token_ids)) for _, one in answered])
            for row, column in np.argwhere(self._wanted(group, count)):
                prompt, response = answered[row][1], answered[column][1]
                values = given_logprobs(client, self._pair(group, prompt, response))
                matrix[row, column] = sum(value for value in values[len(prompt.prompt_ids) :] if value is not None)
            sampled = sample_pairs(count, self._plan.max_pairs, self._plan.seed, group.id)
        logprobs = np.diagonal(matrix).tolist() or [None] * count
        predictions = [
            Prediction(prompt_id=name, text=reply.text.strip(), token_ids=reply.token_ids, logprob=logprob)
            for (name, reply), logprob in zip(answered, logprobs, strict=True)
        ]
        return ScoredGroup(group.id, matrix, lengths, tuple(predictions), sampled)


def endpoint_subject(model: str, options: Mapping[str, Any]) -> EndpointSubject:
    """A model of a server by its name there and the options of the command; SteadyError where an option is at fault."""
    if options["chat"] not in CHAT:
        raise SteadyError(f"--chat-template {options['chat']}: a server has one; allowed: {', '.join(CHAT)}.")
    chat = options["chat"] != "off"
    if options["system"] and not chat:
        raise SteadyError("--system: a system message needs the chat template; leave out --chat-template off.")
    # the fields are called as the options are
    limits = {name: options[name] for name in ("concurrency", "timeout")}
    endpoint = Endpoint(checked_url(options["endpoint"]), options["api_key_variable"], **limits)
    framing = {name: options[name] for name in ("system", "max_new_tokens", "stop")}
    text = options["request_fields"]
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise SteadyError(
            f"""--request-fields {text!r}: {error}. Give an object, such as '{{"seed": 1}}'."""
        ) from error
    asking = Asking(model, chat, more=fields, scored=options["posix"], **framing)
    plan = Plan(**{name: options[name] for name in ("repeats", "posix", "max_pairs", "seed")})
    return EndpointSubject(endpoint, asking, plan, options["replies"])


def _tokens(request: Request) -> int:
    """About how many tokens the prompt of a request has."""
    body = request.body
    texts = [body["prompt"]] if "prompt" in body else [turn["content"] for turn in body["messages"]]
    return sum(-(-len(text) // CHARACTERS_PER_TOKEN) for text in texts)
