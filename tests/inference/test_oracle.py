"""The matrices are those of the package prompt-sensitivity-index 0.0.1, and `posix_v001` its scalar.

Where the package is not installed (it is a test dependency only) the same figures come from its definition, written here as
plainly as it is there: one sequence at a time, one token at a time.
"""

import pytest
import torch
from posix_package import posix_v001
from small_models import GROUPS, byte_tokenizer, described, random_model

from steady.inference.likelihood import make_scorer
from steady.scoring.answering import score_groups
from steady.scoring.groups import PromptGroup

MODELS = ["gpt2", "llama", "falcon-alibi", "falcon-rotary", "phi", "mistral"]
TOKENS = 5


def from_the_package(name: str) -> tuple[list, float]:
    """Its matrices and its scalar, with batched=False in float32."""
    package = pytest.importorskip("prompt_sensitivity_index.posix", reason="prompt-sensitivity-index is not installed")
    from prompt_sensitivity_index.models import HFModel

    oracle = object.__new__(HFModel)  # its constructor only loads from a folder
    oracle.tokenizer, oracle.model = byte_tokenizer(), random_model(name)
    config = package.PosixConfig(max_new_tokens=TOKENS, batched=False)
    scalar, trace = package.get_prompt_sensitivity(oracle, [list(group) for group in GROUPS], config)
    return trace.logprob_matrices, scalar


def from_the_definition(name: str) -> tuple[list, float]:
    """log P(y_j | x_i) summed over tokens, each from a pass over one whole sequence; then the package's (transposed) sum."""
    model, tokenizer = random_model(name), byte_tokenizer()
    ends = set(model.generation_config.eos_token_id)
    matrices, total = [], 0.0
    for group in GROUPS:
        prompts = [tokenizer(text)["input_ids"] for text in group]
        responses = [greedy(model, prompt, ends) for prompt in prompts]
        matrix = [[plain_logprob(model, prompt, response) for response in responses] for prompt in prompts]
        matrices.append(matrix)
        n = len(group)
        moved = sum(abs(matrix[j][i] - matrix[j][j]) / TOKENS for i in range(n) for j in range(n))
        total += moved / (n * (n - 1))
    return matrices, total / len(GROUPS)


@torch.no_grad()
def greedy(model, prompt, ends):
    tokens = []
    while len(tokens) < TOKENS and not ends.intersection(tokens[-1:]):
        tokens.append(int(model(torch.tensor([prompt + tokens])).logits[0, -1].argmax()))
    return tokens


@torch.no_grad()
def plain_logprob(model, prompt, response):
    logits = model(torch.tensor([prompt + response])).logits[0]
    steps = torch.log_softmax(logits, dim=-1)[len(prompt) - 1 : -1]
    return sum(float(step[token]) for step, token in zip(steps, response, strict=True))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("oracle", [from_the_package, from_the_definition])
def test_matrices_and_the_scalar_equal_the_oracle(oracle, name):
    matrices, scalar = oracle(name)
    groups = [PromptGroup(str(n), tuple(map(str, range(len(group)))), group) for n, group in enumerate(GROUPS)]
    scored = score_groups(make_scorer(described(name), TOKENS, 4000), groups)
    assert {len(group.matrix) for group in scored} == {3, 5}
    assert len({length for group in scored for length in group.lengths}) > 1
    for group, matrix in zip(scored, matrices, strict=True):
        assert group.matrix == pytest.approx(torch.tensor(matrix).numpy(), abs=1e-4)
    assert posix_v001(matrices, TOKENS) == pytest.approx(scalar, abs=1e-9)
    assert posix_v001([group.matrix for group in scored], TOKENS) == pytest.approx(scalar, abs=1e-4)
