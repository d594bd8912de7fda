"""What the benchmark of scoring compares: random models, prompts, our scorer, the package, and the arithmetic of the machine."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

PROMPTS = 21
SHAPES = {
    "tiny": (64, 2, 176, 2, 512),
    "nano": (256, 4, 704, 4, 8192),
    "110M": (768, 12, 2048, 12, 32000),
    "135M": (576, 30, 1536, 9, 49152),
    "360M": (960, 32, 2560, 15, 49152),
    "1B": (2048, 16, 8192, 32, 32000),
}
"""Hidden size, layers, feed-forward size, heads, vocabulary of random Llamas; nano is the shape of the pre-trained model,
135M and 360M those of the SmolLM2 models, but for their shared keys and values."""
BATCH_TOKENS = 16384


class Timed(NamedTuple):
    """Seconds by the wall clock and of processor time."""

    wall: float
    processor: float


def timed(work: Callable[[], Any], repeats: int = 1) -> Timed:
    """The medians over repeats."""
    import torch

    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return Timed(median(wall for wall, _ in times), median(processor for _, processor in times))


def random_llama(shape: str, device: str) -> Any:
    """A Llama with random weights, large enough that its responses differ; it has no end token."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, layers, feed_forward, heads, vocabulary = SHAPES[shape]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    model.generation_config.eos_token_id = None
    return model.to(device, torch.bfloat16 if device.startswith("cuda") else torch.float32)


def byte_tokenizer() -> Any:
    """One token a byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="!")


def prompt_texts(length: int, prompts: int = PROMPTS) -> tuple[str, ...]:
    """Texts of `length` bytes, give or take a tenth."""
    draw = random.Random(f"{length}:{prompts}")
    return tuple(
        "".join(draw.choice("abcdefgh ijkl mnop") for _ in range(length + draw.randint(-length // 10, length // 10)))
        for _ in range(prompts)
    )


class Ours:
    """The scorer on one model."""

    def __init__(self, model: Any, tokenizer: Any, tokens: int) -> None:
        from steady.inference.language import language_model
        from steady.inference.likelihood import make_scorer

        language = replace(language_model(model, tokenizer), end_ids=frozenset())
        self.scorer = make_scorer(language, tokens, BATCH_TOKENS)
        assert self.scorer.memory is not None

    def score(self, groups: Sequence[Sequence[str]], unique: int | None = None) -> int:
        """Score groups together; the tokens that went through the model. `unique` folds the responses into so many."""
        from steady.inference import likelihood
        from steady.scoring.answering import score_groups
        from steady.scoring.groups import PromptGroup

        decode = likelihood._decode

        def folded(*given: Any) -> Any:
            found = decode(*given)
            return [found[place % unique] if unique else item for place, item in enumerate(found)]

        names = tuple(map(str, range(len(groups[0]))))
        before = self.scorer.passes.total
        likelihood._decode = folded
        try:
            score_groups(self.scorer, [PromptGroup(str(n), names, tuple(group)) for n, group in enumerate(groups)])
        finally:
            likelihood._decode = decode
        return self.scorer.passes.total - before


class Package:
    """The package on the same model: its generation and scoring calls, one by one."""

    def __init__(self, model: Any, tokenizer: Any, tokens: int) -> None:
        from prompt_sensitivity_index.models import HFModel

        self.model = object.__new__(HFModel)  # its constructor only loads from a folder
        self.model.tokenizer, self.model.model = tokenizer, model
        self.settings = {"max_new_tokens": tokens, "do_sample": False}
        self.response = [5] * tokens

    def group_time(self, texts: Sequence[str], batch: int, calls: int) -> Timed:
        """What a group of N takes with `batch` sequences at a time, from `calls` of its equal calls of either kind."""
        draw = random.Random(0)
        generated = [self._timed(lambda: self._generate(draw.sample(texts, batch))) for _ in range(max(1, calls // 4))]
        scored = [self._timed(lambda: self._score(draw.choice(texts), batch)) for _ in range(calls)]
        batches = -(-len(texts) // batch)
        return Timed(
            *(
                batches * median(item[part] for item in generated)
                + len(texts) * batches * median(item[part] for item in scored)
                for part in (0, 1)
            )
        )

    def whole_group(self, texts: Sequence[str], tokens: int) -> Timed:
        """A group as its user runs it, with nothing left out."""
        from prompt_sensitivity_index.posix import PosixConfig, get_prompt_sensitivity

        config = PosixConfig(max_new_tokens=tokens, batched=False)
        return self._timed(lambda: get_prompt_sensitivity(self.model, [list(texts)], config))

    def _generate(self, texts: list[str]) -> None:
        self.model.get_responses(texts, batched=len(texts) > 1, **self.settings)

    def _score(self, text: str, batch: int) -> None:
        self.model.compute_log_probabilties([text] * batch, [self.response] * batch, batched=batch > 1)

    @staticmethod
    def _timed(work: Callable[[], Any]) -> Timed:
        return timed(work)


def package_passes(texts: Sequence[str], tokens: int) -> int:
    """Tokens that the package puts through the model for a group: N generations, and N responses under each of N prompts."""
    return sum(len(text) + tokens - 1 + len(texts) * (len(text) + tokens) for text in texts)


class Floor(NamedTuple):
    """Seconds that a token takes in the body and in the head of the model, in its best batch."""

    body: Timed
    head: Timed

    def seconds(self, passes: int, scored: int) -> Timed:
        """The least time for so many token passes and so many tokens with logits."""
        return Timed(*(passes * self.body[part] + scored * self.head[part] for part in (0, 1)))


def measured_floor(model: Any) -> Floor:
    """The fastest that this machine puts tokens through the model, with nothing around it."""
    import torch

    with torch.inference_mode():
        bodies = []
        for rows, length in ((1, 128), (1, 256), (1, 512), (4, 256)):
            tokens = torch.randint(0, 250, (rows, length), device=model.device)
            found = timed(lambda tokens=tokens: model.model(tokens, use_cache=False), 5)
            bodies.append(Timed(*(part / rows / length for part in found)))
        hidden = torch.randn(512, model.config.hidden_size, device=model.device, dtype=model.dtype)
        head = timed(lambda: torch.log_softmax(model.lm_head(hidden).float(), dim=-1), 5)
    return Floor(min(bodies, key=lambda item: item.processor), Timed(*(part / 512 for part in head)))
