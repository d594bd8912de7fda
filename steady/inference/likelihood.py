"""M[i][j] = log P(y_j | x_i) of groups of prompts: greedy responses, and how probable each prompt makes each of them.

Every prompt is read once; its keys and values serve the generation of its own response and the scoring of all unique
responses of its group. Equal prompts are read once, equal responses are scored once, and the diagonal takes the same path as
every other entry.
"""

from collections.abc import Mapping, Sequence

import torch

from steady.inference.cache import EncodedCache
from steady.inference.language import LanguageModel, Tokens, sequence_logits, sequence_logprob, stopped, token_logprobs
from steady.inference.passes import LEAST_SHARED, Prompted, padded, read_prompts, shared_tokens
from steady.inference.scorer import KEPT_SHARE, Key, Memory, Response, Scorer, Scores

Cell = tuple[int, Tokens]
"""A row (a prompt of a bundle) and a response."""


@torch.inference_mode()
def make_scorer(
    language: LanguageModel, max_new_tokens: int, batch_tokens: int, temperatures: tuple[float, ...] = ()
) -> Scorer:
    """A scorer whose cache has been tried: a model that cannot branch one, or whose numbers differ, does without.
    The trial compares two responses behind a padded and an unpadded prompt of one beginning with the one-sequence reference.
    """
    try:
        memory = _tried(language, 3 if temperatures else 2)
    # what a model with a cache of another kind raises, such as one with a state in place of keys and values
    except (AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError):
        memory = None
    return Scorer(language, max_new_tokens, batch_tokens, memory, temperatures)


def _tried(language: LanguageModel, copies: int) -> Memory | None:
    """The memory that a position takes with so many copies of the logits of a scored token, or None where cached numbers are not those
    of the reference.
    """
    size = language.model.get_input_embeddings().weight.shape[0]
    shared = tuple(n * 3 % size for n in range(1, LEAST_SHARED + 1))
    ends = (range(3, 7), range(2, 13))
    prompts: list[Tokens] = [(*shared, *(n * len(end) % size for n in end)) for end in ends]
    prompted = read_prompts(language, prompts, 2, batch_tokens=100)
    stores = prompted.cache.encoder if isinstance(prompted.cache, EncodedCache) else prompted.cache.stores
    layers = [store.position_bytes for store in stores]
    memory = Memory(sum(layers), max(layers), copies * 4 * prompted.first.shape[-1])
    cells = [(row, tuple(n * 5 % size for n in range(1, stop))) for row in (0, 1) for stop in (4, 6)]
    scored = [score[0] for score in _batch_scores(prompted, cells, (1.0,))]
    # in 16 bits two ways differ by rounding alone, so a comparison says nothing
    if language.model.dtype not in {torch.float32, torch.float64}:
        return memory
    expected = [sequence_logprob(language, prompts[row], response) for row, response in cells]
    close = all(abs(a - b) <= 1e-3 * max(1.0, abs(b)) for a, b in zip(scored, expected, strict=True))
    broken = not all(abs(value) < float("inf") for value in expected)  # NaN weights: nothing to compare, reported later
    return memory if close or broken else None


@torch.inference_mode()
def greedy_responses(scorer: Scorer, prompts: Sequence[Tokens]) -> list[Response]:
    """Greedy responses in the order of `prompts`; equal prompts are read once."""
    responses: dict[Tokens, Response] = {}
    for chunk in chunks_of(scorer, set(prompts)):
        if scorer.memory is None:
            responses |= {prompt: _reference_response(scorer, prompt) for prompt in chunk}
        else:
            responses |= dict(zip(chunk, _decode(scorer, _read(scorer, chunk)), strict=True))
    return [responses[prompt] for prompt in prompts]


def chunks_of(scorer: Scorer, prompts: set[Tokens]) -> list[list[Tokens]]:
    """Prompts sorted by length and cut where their padded keys and values would pass the budget."""
    chunks: list[list[Tokens]] = []
    # by the tokens too: prompts of one length would come in the order of a set, and rounding depends on the batch
    for prompt in sorted(prompts, key=lambda tokens: (len(tokens), tokens)):
        needed = len(prompt) + scorer.max_new_tokens
        if not chunks or needed * (len(chunks[-1]) + 1) > scorer.kept_positions:
            chunks.append([])
        chunks[-1].append(prompt)
    return chunks


def _read(scorer: Scorer, prompts: Sequence[Tokens]) -> Prompted:
    shared = shared_tokens(scorer.language, prompts) * (len(prompts) - 1)
    scorer.passes.prefill += sum(map(len, prompts)) - shared
    return read_prompts(scorer.language, prompts, scorer.max_new_tokens, scorer.batch_tokens // 4)


def _decode(scorer: Scorer, prompted: Prompted) -> list[Response]:
    """Greedy responses of all prompts at once, until each has ended or reached the limit."""
    ends = torch.tensor(sorted(scorer.language.end_ids), dtype=torch.long, device=scorer.language.device)
    # the first token comes from the prefill, so N tokens take N - 1 passes
    tokens = prompted.first.argmax(dim=-1)
    steps, logprobs = [tokens], [token_logprobs(prompted.first, tokens)]
    ended = torch.isin(tokens, ends)
    while len(steps) < scorer.max_new_tokens and not bool(ended.all()):
        # texts are decoded to find a stop in them, which costs more than a step of a small model
        if scorer.language.stop and len(steps) % 16 == 0:
            rows = (tuple(row) for row in torch.stack(steps, 1).tolist())
            ended |= torch.tensor([len(stopped(scorer.language, row)) < len(row) for row in rows], device=ended.device)
        scorer.passes.decode += len(tokens)
        logits = prompted.decode(len(steps) - 1, tokens)
        tokens = logits.argmax(dim=-1)
        steps.append(tokens)
        logprobs.append(token_logprobs(logits, tokens))
        ended |= torch.isin(tokens, ends)
    found = zip(torch.stack(steps, 1).tolist(), torch.stack(logprobs, 1).tolist(), strict=True)
    return [_ended(scorer.language, row, values) for row, values in found]


def _ended(language: LanguageModel, tokens: list[int], logprobs: list[float]) -> Response:
    """A response up to and including its first end token, or what completes its first stop text."""
    stop = next((place + 1 for place, token in enumerate(tokens) if token in language.end_ids), len(tokens))
    kept = stopped(language, tuple(tokens[:stop]))
    return Response(kept, sum(logprobs[: len(kept)]))


def _reference_response(scorer: Scorer, prompt: Tokens) -> Response:
    """A greedy response by whole passes over a growing sequence, for models without a cache that can be branched."""
    tokens: list[int] = []
    logprobs: list[float] = []
    while len(tokens) < scorer.max_new_tokens and not scorer.language.end_ids.intersection(tokens[-1:]):
        # without a cache: every step reads the whole sequence
        logits = sequence_logits(scorer.language, prompt, tuple(tokens))[-1]
        scorer.passes.decode += len(prompt) + len(tokens)
        tokens.append(int(logits.argmax()))
        logprobs.append(float(token_logprobs(logits, logits.argmax())))
        if len(stopped(scorer.language, tuple(tokens))) < len(tokens):
            break
    return _ended(scorer.language, tokens, logprobs)


def _batch_scores(prompted: Prompted, cells: Sequence[Cell], temperatures: Sequence[float]) -> list[list[float]]:
    """Log P of each response at each temperature: its first token from the prefill, the others from one pass behind the prompt."""
    rows, responses = [row for row, _ in cells], [response for _, response in cells]
    width = max(map(len, responses))
    targets, mask = padded(responses, width, prompted.first.device, left=False)
    chosen = torch.tensor(rows, device=targets.device)
    first = prompted.first[chosen]
    totals = [token_logprobs(first, targets[:, 0], temperature) for temperature in temperatures]
    if width > 1:
        logits = prompted.respond(rows, targets[:, :-1], mask[:, 1:])
        for place, temperature in enumerate(temperatures):
            others = token_logprobs(logits, targets[:, 1:], temperature)
            # `where`, no product with the mask: -inf times 0 is NaN
            totals[place] = totals[place] + torch.where(mask[:, 1:], others, 0.0).sum(dim=1)
    scores: list[list[float]] = torch.stack(totals, dim=1).tolist()
    return scores


def _score(
    scorer: Scorer, prompted: Prompted, prompts: Sequence[Tokens], cells: Sequence[Cell]
) -> dict[Cell, list[float]]:
    """Log-probabilities of cells, in batches of like length within the budget."""
    assert scorer.memory is not None
    limit = scorer.batch_tokens * (1 - KEPT_SHARE)
    batches: list[list[Cell]] = []
    longest = 0
    for row, response in sorted(cells, key=lambda cell: (len(cell[1]), cell)):
        longest = max(longest, len(prompts[row]))
        # cells come by the length of the response, so this one's is the batch's longest
        cost = scorer.memory.response_cost(longest, len(response))
        if not batches or (len(batches[-1]) + 1) * cost > limit:
            batches.append([])
            longest = len(prompts[row])
        batches[-1].append((row, response))
    found: dict[Cell, list[float]] = {}
    for batch in batches:
        found |= zip(batch, _batch_scores(prompted, batch, (1.0, *scorer.temperatures)), strict=True)
    scorer.passes.score += sum(len(response) - 1 for _, response in cells)
    return found


@torch.inference_mode()
def score_prompts(
    scorer: Scorer, wanted: Mapping[Tokens, frozenset[Tokens]], given: Mapping[Tokens, frozenset[Tokens]] | None = None
) -> Scores:
    """Greedy responses of prompts, and the log-probabilities of responses under prompts.

    Prompts that fit the budget together are read once; others are read again, chunk by chunk, when all responses are known.
    `wanted` has, for every prompt, the prompts whose responses are scored under it; `given` has, for some, responses of no prompt's
    making that are scored under it too, such as labels.
    """
    given = given or {}
    responses: dict[Tokens, Response] = {}
    found: dict[Key, list[float]] = {}

    def wants(prompt: Tokens) -> list[Tokens]:
        """The different responses to score under a prompt."""
        return sorted({responses[other].tokens for other in wanted[prompt]} | given.get(prompt, frozenset()))

    if scorer.memory is None:  # one whole sequence at a time
        responses |= {prompt: _reference_response(scorer, prompt) for prompt in wanted}
        for prompt in wanted:
            for response in wants(prompt):
                scorer.passes.score += len(prompt) + len(response)
                found[prompt, response] = [
                    sequence_logprob(scorer.language, prompt, response, temperature)
                    for temperature in (1.0, *scorer.temperatures)
                ]
    chunks = chunks_of(scorer, set(wanted)) if scorer.memory else []
    prompted = None
    for chunk in chunks:
        del prompted  # before the next chunk is read
        prompted = _read(scorer, chunk)
        responses |= zip(chunk, _decode(scorer, prompted), strict=True)
    # backwards, because the last chunk is still in memory
    for chunk in reversed(chunks):
        prompted = prompted or _read(scorer, chunk)
        cells = [(row, response) for row, prompt in enumerate(chunk) for response in wants(prompt)]
        scored = _score(scorer, prompted, chunk, cells)
        found |= {(chunk[row], response): values for (row, response), values in scored.items()}
        prompted = None
    scaled = {key: tuple(values[1:]) for key, values in found.items()} if scorer.temperatures else {}
    return Scores(responses, {key: values[0] for key, values in found.items()}, scaled)
