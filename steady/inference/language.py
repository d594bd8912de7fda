"""A causal or sequence-to-sequence model with what scoring needs to know about it, and its one-sequence reference."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers.modeling_outputs import BaseModelOutput

from steady.models.chat import THOUGHTS, chat_frame
from steady.models.description import describe
from steady.models.tokenizer import answer_ids, cut_prompt, prompt_ids
from steady.records import Asked

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model and its tokenizer.

    `end_ids` are the tokens that end a response (none: every response runs to the limit); `context` is the largest number of
    positions, None where nothing says; `prefix` are the decoder's first tokens, empty for a causal model. `chat_template`:
    prompts are wrapped as the tokenizer's template says, after the message `system` where there is one, and with `thinking` as
    `chat_frame` takes it; `max_length` is the most tokens of a prompt, None for no limit; a response ends behind the first of the
    texts `stop`; `solved` are solved examples that stand before every prompt.
    """

    model: Any
    tokenizer: Any
    end_ids: frozenset[int]
    context: int | None
    prefix: Tokens
    accepted: frozenset[str]
    chat_template: bool = False
    max_length: int | None = None
    system: str = ""
    thinking: bool | None = None
    stop: tuple[str, ...] = ()
    solved: str = ""

    @property
    def task(self) -> Literal["CAUSAL_LM", "SEQ_2_SEQ_LM"]:
        """The model's family, as `model.task` names it."""
        return "SEQ_2_SEQ_LM" if self.encodes else "CAUSAL_LM"

    @property
    def encodes(self) -> bool:
        """Whether an encoder reads the prompt."""
        return bool(self.prefix)

    @property
    def device(self) -> torch.device:
        """Where the model's inputs go."""
        device: torch.device = self.model.device
        return device


def language_model(
    model: Any,
    tokenizer: Any,
    chat_template: bool = False,
    max_length: int | None = None,
    system: str = "",
    solved: str = "",
) -> LanguageModel:
    """A loaded model (with or without a PEFT adapter) for scoring; it is put in evaluation mode."""
    model.eval()
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if (head := base.get_output_embeddings()) is not None:
        head.register_forward_pre_hook(_contiguous)
    known = describe(base.config, tokenizer, base.generation_config, base)
    ends, accepted = frozenset(known.end_ids), frozenset(inspect.signature(base.forward).parameters)
    found = (model, tokenizer, ends, known.positions, _prefix(base, base.config), accepted)
    return LanguageModel(*found, chat_template, max_length, system, solved=solved)


def _contiguous(_head: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Hidden states of last tokens alone are a slice, for which torch would copy the weights of the output layer once a row."""
    return (inputs[0].contiguous(), *inputs[1:])


def _prefix(base: Any, config: Any) -> Tokens:
    """The decoder's first tokens: its start token, and the one that the generation settings force to follow."""
    if not config.is_encoder_decoder:
        return ()
    settings = base.generation_config
    start = settings.decoder_start_token_id
    start = getattr(config, "decoder_start_token_id", None) if start is None else start
    start = config.pad_token_id if start is None else start
    forced = getattr(settings, "forced_bos_token_id", None)
    return (int(start),) if forced is None else (int(start), int(forced))


def encode(language: LanguageModel, texts: Sequence[Asked]) -> list[Tokens]:
    """Token ids of prompts as training has them: special tokens included, cut where they pass `max_length`, not padded."""
    limit = language.max_length
    whole = (whole_prompt(language, text) for text in texts)
    return [tuple(cut_prompt(ids, language.task, limit) if limit else ids) for ids in whole]


def whole_prompt(language: LanguageModel, asked: Asked) -> list[int]:
    """Token ids of a prompt with the solved examples before it, however long."""
    # conversations are of `measure`, whose models have no solved examples
    whole = language.solved + asked if isinstance(asked, str) else asked
    framing = (language.chat_template, language.system, language.thinking)
    return prompt_ids(language.tokenizer, language.task, whole, *framing)


def encode_answer(language: LanguageModel, asked: Asked, answer: str) -> Tokens:
    """Token ids of an answer to a prompt as training has them, the end token included."""
    # behind a conversation the template says what stands before an answer
    prompt = asked if isinstance(asked, str) else ""
    return tuple(answer_ids(language.tokenizer, language.task, answer, prompt, language.chat_template))


def decode(language: LanguageModel, response: Tokens) -> str:
    """The text of a response without special tokens and stop texts; scores never depend on it."""
    text: str = language.tokenizer.decode(list(response), skip_special_tokens=True)
    if language.thinking and chat_frame(language.tokenizer, thinking=True).after.rstrip().endswith(THOUGHTS):
        text = f"{THOUGHTS}{text}"  # the template opened the thoughts, so that the response begins within them
    return text[: min((text.find(stop) for stop in language.stop if stop in text), default=len(text))]


def stopped(language: LanguageModel, response: Tokens) -> Tokens:
    """A response up to and including the token that completes the first stop text; all of it where there is none."""
    if not language.stop or not _has_stop(language, response):
        return response
    # a text that has a stop has it with every further token: the shortest such beginning is found by halving
    low, high = 1, len(response)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _has_stop(language, response[:middle]) else (middle + 1, high)
    return response[:low]


def _has_stop(language: LanguageModel, response: Tokens) -> bool:
    text = language.tokenizer.decode(list(response), skip_special_tokens=True)
    return any(stop in text for stop in language.stop)


def call(language: LanguageModel, **inputs: Any) -> torch.Tensor:
    """Logits of one forward pass; inputs that the model does not know are left out (positions, logits_to_keep)."""
    known = {name: value for name, value in inputs.items() if name in language.accepted and value is not None}
    logits: torch.Tensor = language.model(**known).logits
    keep = inputs.get("logits_to_keep")
    return logits[:, -keep:] if keep and logits.shape[1] > keep else logits


def token_logprobs(logits: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Natural-log probabilities of `targets` `(…)` under `logits` `(…, vocabulary)`, divided by a temperature, in float64."""
    scaled = logits.float() if temperature == 1 else logits.float() / temperature
    return torch.log_softmax(scaled, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1).double()


@torch.inference_mode()
def sequence_logits(language: LanguageModel, prompt: Tokens, response: Tokens) -> torch.Tensor:
    """Logits `(tokens of the response + 1, vocabulary)` from one pass over one whole sequence, with no cache.
    Row t is what follows the first t tokens of the response. Everything else is checked against this.
    """
    if language.encodes:
        inputs = torch.tensor([prompt], device=language.device)
        hidden = language.model.get_encoder()(input_ids=inputs).last_hidden_state
        decoder = torch.tensor([[*language.prefix, *response]], device=language.device)
        encoded = BaseModelOutput(last_hidden_state=hidden)
        logits = call(language, encoder_outputs=encoded, decoder_input_ids=decoder, use_cache=False)
    else:
        logits = call(language, input_ids=torch.tensor([[*prompt, *response]], device=language.device), use_cache=False)
    return logits[0, -len(response) - 1 :]


def sequence_logprob(language: LanguageModel, prompt: Tokens, response: Tokens, temperature: float = 1.0) -> float:
    """Log P(response | prompt) in nats, one sequence at a time: the reference, and the way of models without such a cache."""
    if not response:
        return 0.0
    logits = sequence_logits(language, prompt, response[:-1])
    return float(token_logprobs(logits, torch.tensor(response, device=logits.device), temperature).sum())
