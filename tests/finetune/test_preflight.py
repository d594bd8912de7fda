"""What is refused before a training begins, with the reason and what to do."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import TASKS, examples, material, model_folder, train_arm, view

from steady.errors import SteadyError
from steady.finetune.finetune import finetune
from steady.finetune.preflight import memory_line
from steady.finetune.run import TrainingData


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def short(root: Path, name: str = "llama", **sections: dict[str, Any]) -> tuple[Any, TrainingData]:
    """One epoch of six rows."""
    sections["train"] = {"num_train_epochs": 1} | sections.get("train", {})
    return view(model_folder(root, name), TASKS[name], **sections), material(examples(rows=6))


@pytest.mark.parametrize(
    ("name", "sections", "message"),
    [
        ("llama", {"lora": {"target_modules": ["c_attn"]}}, r"'c_attn' matches no module.*Linear layers.*q_proj"),
        ("llama", {"lora": {"modules_to_save": ["score"]}}, r"modules_to_save: 'score' matches no module"),
        (
            "llama",
            {"arm": {"method": "full"}, "model": {"quantization": "nf4"}},
            r"full cannot train weights of nf4.*Use method lora",
        ),
        ("llama", {"arm": {"method": "full"}, "model": {"dtype": "float16"}}, r"full in float16.*bfloat16 or float32"),
        ("t5", {"model": {"dtype": "float16"}}, r"T5 models overflow in float16"),
        ("llama", {"model": {"chat_template": True}}, r"the tokenizer has no chat template"),
        ("llama", {"model": {"pooling": "mean"}}, r"model\.pooling: mean is of SEQ_CLS"),
        ("llama", {"arm": {"method": "probe", "objective": "none"}}, r"method probe needs model\.task SEQ_CLS"),
        ("llama", {"arm": {"objective": "none"}}, r"method lora with objective none"),
        ("t5", {"sft": {"packing": True}}, r"packing: an encoder-decoder would mix"),
        ("t5", {"sft": {"completion_only_loss": False}}, r"predicts answers alone"),
        ("llama", {"lora": {"target_modules": ["lm_head"]}}, r"refuses these settings.*`lm_head` is not supported"),
        ("llama", {"train": {"optim": "adam_of_mine"}}, r"no optimizer 'adam_of_mine'\. There are: adamw_torch"),
        ("llama", {"sft": {"preview_prompts": "data/raw/prompts/x.txt"}}, r"preview_steps, which is null"),
        ("llama", {"train": {"learning_rate": 1e30, "max_grad_norm": 1e30}}, r"not finite.*learning_rate"),
    ],
)
def test_bad_settings_stop_with_the_reason_and_what_to_do(name, sections, message, root, tmp_path):
    params, given = short(root, name, **sections)
    with pytest.raises(SteadyError, match=f"(?s){message}"):
        train_arm(tmp_path, params, given)


def test_a_label_longer_than_the_limit_says_how_long_it_has_to_be(root, tmp_path):
    params, _ = short(root, format={"max_length": 8})
    labels = ("red", "a very blue")
    with pytest.raises(
        SteadyError, match=r"8 tokens do not hold the label 'a very blue'.*it takes 13\. Raise it to 14"
    ):
        train_arm(tmp_path, params, material(examples(labels, 6), labels))


def test_a_rank_of_zero_is_refused_before_anything_is_read(root):
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match=r"a rank of 0 trains nothing: give at least 1, or choose the method"):
        short(root, lora={"r": 0})


def test_rows_without_an_answer_leave_no_token_to_learn(root, tmp_path):
    params, _ = short(root)
    with pytest.raises(SteadyError, match=r"no token to learn: of 6 training rows none"):
        train_arm(tmp_path, params, material(examples((" ",), 6), labels=()))


def test_packing_is_refused_where_rows_would_see_each_other(tmp_path):
    from small_models import byte_tokenizer, random_model

    folder = tmp_path / "falcon"
    random_model("falcon-alibi").save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    params = view(folder, "CAUSAL_LM", sft={"packing": True})
    with pytest.raises(SteadyError, match=r"lets packed rows see each other\. Set it to false"):
        finetune("tuned", params, material(examples()), tmp_path / "arm", tmp_path / "curves")


def test_the_memory_expected_is_printed_and_says_what_to_do_where_it_is_too_much():
    expected = {"weights": 13.5, "gradients_and_optimizer": 0.5, "activations": 2.0}
    enough = memory_line(expected, 24.0)
    assert enough == (
        "memory expected: 16.00 GiB (weights 13.50, gradients and optimizer 0.50, activations 2.00); free: 24.0 GiB"
    )
    assert "lower train.per_device_train_batch_size" in memory_line(expected, 15.0)
