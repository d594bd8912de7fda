"""The canary: whether a server's log-probabilities of given tokens can be believed, before POSIX is made of them."""

from collections.abc import Sequence

from steady.errors import SteadyError
from steady.measure.endpoint.client import Client
from steady.measure.endpoint.protocol import Asking, Reply, Request, given_request

REQUESTS = 6
# Nats for a token: more than rounding in bfloat16 makes of it, far less than what wrong tokens or zeros differ by
TOLERANCE = 0.05


def check_canary(client: Client, asking: Asking, generated: Sequence[Request]) -> None:
    """Try the server on prompts whose greedy responses were generated already; SteadyError where its log-probabilities are wrong.

    Faults of real servers are looked for: another number of log-probabilities than of tokens; values that are all equal, or
    not those that the server itself gave when it generated the same tokens; values that depend on what was asked before.

    Args:
        generated: requests for responses, answered; the first and the last of them that were not empty are used.
    """
    ends = [next((one for one in map(client.reply, order) if one.text), None) for order in (generated, generated[::-1])]
    first, last = ends
    if first is None or last is None or not (_is_whole(first) and _is_whole(last)):
        raise _refusal(client, "it does not return the token ids and log-probabilities of what it generates")
    # a response under another prompt is what matrices are made of
    tried = [(first, first), (last, last), (first, last)]
    asked = [
        (prompt.prompt_ids + response.token_ids, f"canary {place}") for place, (prompt, response) in enumerate(tried)
    ]
    # twice, in both orders: a server that mixes up requests or batches gives other values
    forwards = _asked(client, asking, asked, "forwards")
    backwards = _asked(client, asking, asked[::-1], "backwards")[::-1]
    for (prompt, response), values in zip(tried[:2], forwards, strict=False):
        # the first value is none: there is nothing before the first token
        if len(set(values[1:])) == 1 < len(values[1:]):  # zeros would agree with a generation of zeros
            raise _refusal(client, f"all of them are {values[-1]}")
        differing = _largest(values[len(prompt.prompt_ids) :], response.logprobs)
        if differing > TOLERANCE:
            raise _refusal(client, f"those of an answer differ by {differing:.3f} nats from when it was generated")
    differing = max(_largest(one[1:], other[1:]) for one, other in zip(forwards, backwards, strict=True))
    if differing > TOLERANCE:
        raise _refusal(client, f"those of the same tokens, asked for in another order, differ by {differing:.3f} nats")


def _asked(
    client: Client, asking: Asking, sequences: Sequence[tuple[list[int], str]], order: str
) -> list[list[float | None]]:
    """The log-probabilities of named sequences of tokens, asked for one at a time."""
    requests = [given_request(asking, tokens, name, f"canary {order}") for tokens, name in sequences]
    for request in requests:
        client.fill([request])
    return [given_logprobs(client, request) for request in requests]


def given_logprobs(client: Client, request: Request) -> list[float | None]:
    """A natural log for each token of a `given_request`, none for the first; SteadyError where the server gave others."""
    sent = len(request.body["prompt"])
    reply = client.reply(request)
    if reply.refusal:
        raise _refusal(client, f"it refuses to score given tokens: {reply.refusal}")
    values = reply.logprobs
    if len(values) != sent or None in values[1:]:
        known = len(values) - values[1:].count(None)
        raise _refusal(client, f"it returned {known} of them for {sent} tokens")
    return values


def _is_whole(reply: Reply) -> bool:
    return bool(reply.prompt_ids and reply.token_ids) and len(reply.logprobs) == len(reply.token_ids)


def _largest(values: Sequence[float | None], others: Sequence[float | None]) -> float:
    """The largest difference, in nats; infinite where one value is missing."""
    pairs = zip(values, others, strict=True)
    return max(float("inf") if a is None or b is None else abs(a - b) for a, b in pairs)


def _refusal(client: Client, reason: str) -> SteadyError:
    return SteadyError(
        f"{client.endpoint.url}: no POSIX from this server's log-probabilities of given tokens: {reason}. "
        "Leave out --posix: agreement and accuracy need answers alone. vLLM gives what POSIX needs."
    )
