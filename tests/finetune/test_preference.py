"""DPO and GRPO on a small random model: they move what they should, from the adapter they were given, and repeat themselves."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hub"))

from stand_in.models import BUILDERS, model_files
from stand_in.vocabularies import tokenizer_of

from steady.errors import SteadyError
from steady.finetune.checkpoints.checkpoints import Checkpoints
from steady.finetune.params import Arm, DpoParams, GrpoParams
from steady.finetune.preference.preference import prefer
from steady.finetune.preference.rows import Question, encode_pairs, questions
from steady.finetune.preflight import preference_faults
from steady.finetune.run import TrainingRun
from steady.records import Example, Prompt

ROWS = [
    ("Capital of Australia?", "Canberra.", "Many would say Sydney, and they are wrong, for it is Canberra instead.")
] + [
    (
        f"How long do I boil {count} eggs?",
        "Six minutes.",
        "Well, that depends on so very many things, as one would think.",
    )
    for count in ("two", "three", "four")
]

LETTERS = [Example(id="0", group_id="0", output="s", references=list("sedabcfghlmnoprtuvwy"))] * len(ROWS)


class Rows:
    """Training prompts as `TrainingPrompts` gives them: the example's own words, and in odd epochs with a please."""

    def __init__(self, rejected: bool = True) -> None:
        self.examples = [
            Example(
                id=str(place), group_id=str(place), output=good, references=[good], rejected=bad if rejected else None
            )
            for place, (_, good, bad) in enumerate(ROWS)
        ]

    def __len__(self) -> int:
        return len(self.examples)

    def prompt(self, index: int, epoch: int) -> str:
        return ("Please: " if epoch % 2 else "") + ROWS[index][0]


def material(rejected: bool = True) -> Any:
    validation = [
        Prompt(id=str(place), group_id="", example_id="", wording="canonical", prompt=asked, completion=good)
        for place, (asked, good, _) in enumerate(ROWS)
    ]
    return SimpleNamespace(prompts=Rows(rejected), validation=validation, labels=())


def params(objective: str = "dpo", **changes: Any) -> Any:
    dpo = {"beta": 0.5, "loss_type": "sigmoid", "learning_rate": 2e-2, "num_train_epochs": 3, "pairs": "data"}
    dpo |= {"num_samples": 3, "per_device_train_batch_size": 2, "temperature": 1.0, "within_words": 4, "max_length": 48}
    grpo = {"beta": 0.1, "learning_rate": 2e-2, "max_steps": 4, "per_device_train_batch_size": 8, "num_generations": 4}
    grpo |= {"max_completion_length": 8, "temperature": 1.0, "within_words": 3}
    train = {"gradient_accumulation_steps": 1, "lr_scheduler_type": "constant", "warmup_steps": 0, "weight_decay": 0.0}
    train |= {"max_grad_norm": 1.0, "optim": "adamw_torch", "gradient_checkpointing": False}
    arm = {"method": "lora", "wordings": "variants", "objective": objective}
    return SimpleNamespace(
        seed=3,
        model=SimpleNamespace(task=changes.pop("task", "CAUSAL_LM"), chat_template=False),
        format=SimpleNamespace(max_length=24),
        arms={"tuned": Arm.model_validate(arm | changes.pop("arm", {}))},
        train=SimpleNamespace(**train),
        dpo=DpoParams.model_validate(dpo | changes.get("dpo", {})),
        grpo=GrpoParams.model_validate(grpo | changes.get("grpo", {})),
        sft=SimpleNamespace(generate_rows=4),
        runtime=SimpleNamespace(progress=False, report_to=()),
    )


def adapted(kind: str = "llama", **lora: Any) -> tuple[Any, Any]:
    """A random model with an adapter that is not zero, as after supervised training, and its tokenizer."""
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    tokenizer = tokenizer_of(kind)
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    torch.manual_seed(0)
    model = BUILDERS[kind](len(tokenizer), ends)
    config = LoraConfig(task_type=TaskType.CAUSAL_LM, target_modules="all-linear", r=4, lora_dropout=0.1, **lora)
    model = get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05)
    return model, tokenizer


def adapter(model: Any) -> dict[str, Any]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if "lora_" in name}


def base_weights(model: Any) -> dict[str, Any]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters() if "lora_" not in name}


def test_dpo_starts_at_the_adapter_it_was_given_and_widens_the_margin(tmp_path):
    model, tokenizer = adapted()
    found = prefer(model, tokenizer, TrainingRun("tuned", params(), material(), tmp_path))
    assert found["first"]["rewards/margins"] == pytest.approx(0, abs=1e-4), (
        "the reference is the adapter, not the bare base"
    )
    assert found["first_loss"] == pytest.approx(0.6931, abs=1e-3)
    assert found["last"]["rewards/margins"] > 0.5
    assert (found["pairs"], found["steps"], found["pairs_from"]) == (12, 6, "data")
    assert (tmp_path / "preference/plots/metrics/rewards/margins.tsv").is_file()


def test_several_losses_are_summed(tmp_path):
    first = {
        "+".join(losses): prefer(
            *adapted(), TrainingRun("tuned", params(dpo={"loss_type": losses}), material(), tmp_path)
        )["first_loss"]
        for losses in (["sigmoid"], ["sft"], ["sigmoid", "sft"])
    }
    assert first["sigmoid+sft"] == pytest.approx(first["sigmoid"] + first["sft"], abs=1e-3)
    assert first["sft"] > 1


Preferred = tuple[dict[str, Any], dict[str, Any], dict[str, bytes]]


def preferred(objective: str, folder: Path) -> Preferred:
    """A training that goes on from the checkpoints in a folder: the adapter, the record and the curves."""
    model, tokenizer = adapted()
    saved = Checkpoints(folder / "checkpoints")
    record = prefer(model, tokenizer, TrainingRun("tuned", params(objective), material(), folder, saved))
    return adapter(model), record, {path.name: path.read_bytes() for path in folder.rglob("*.tsv")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Preferred]:
    """Trainings that nobody stopped."""
    return {objective: preferred(objective, tmp_path_factory.mktemp(objective)) for objective in ("dpo", "grpo")}


def check_same(one: Preferred, other: Preferred) -> None:
    """Equal to the bit, and not empty."""
    assert all(one[0][name].equal(tensor) for name, tensor in other[0].items())
    assert one[1:] == other[1:] and one[2]


def test_dpo_twice_gives_the_same_adapter_and_the_same_curves(whole, tmp_path):
    check_same(preferred("dpo", tmp_path), whole["dpo"])


@pytest.mark.parametrize("init", [True, "pissa", "olora"])
def test_nothing_but_the_adapter_is_changed(tmp_path, init):
    model, tokenizer = adapted(init_lora_weights=init)
    weights, trained, before = base_weights(model), adapter(model), model.get_base_model().forward
    pads = model.config.pad_token_id, model.generation_config.pad_token_id
    prefer(model, tokenizer, TrainingRun("tuned", params(dpo={"num_train_epochs": 1}), material(), tmp_path))
    assert list(model.peft_config) == ["default"] and model.active_adapters == ["default"]
    assert all(base_weights(model)[name].equal(tensor) for name, tensor in weights.items())
    assert any(not adapter(model)[name].equal(tensor) for name, tensor in trained.items())
    assert model.get_base_model().forward == before and "forward" not in model.get_base_model().__dict__
    assert (model.config.pad_token_id, model.generation_config.pad_token_id) == pads
    assert {
        module.p for name, module in model.named_modules() if type(module).__name__ == "Dropout" and "lora" in name
    } == {0.1}
    assert all(parameter.requires_grad for name, parameter in model.named_parameters() if "lora_" in name)


def test_pairs_can_be_sampled_and_ranked(tmp_path):
    model, tokenizer = adapted()
    settings = {"pairs": "sampled", "within_words": 3, "num_train_epochs": 4, "num_samples": 6}
    data = material(rejected=False)
    data.prompts.examples = LETTERS
    found = prefer(model, tokenizer, TrainingRun("tuned", params(dpo=settings), data, tmp_path))
    assert found["pairs_from"] == "sampled" and 0 < found["pairs"] <= 16
    assert set(found["validation_before"]) == {"reward", "chrf", "within_words", "words"}


def test_grpo_makes_answers_short_and_reports_the_divergence(tmp_path):
    model, tokenizer = adapted("qwen2")
    data = material()
    data.prompts.examples = LETTERS
    found = prefer(model, tokenizer, TrainingRun("tuned", params("grpo"), data, tmp_path))
    assert (found["steps"], found["completions"]) == (4, 32)
    assert {"reward", "kl", "completions/mean_length"} <= set(found["first"])
    assert found["first"]["kl"] == pytest.approx(0, abs=1e-4), "the reference is the adapter, not the bare base"
    assert list(model.peft_config) == ["default"]


def test_grpo_twice_gives_the_same_adapter(tmp_path):
    runs = []
    for name in ("one", "two"):
        model, tokenizer = adapted()
        record = prefer(
            model, tokenizer, TrainingRun("tuned", params("grpo", grpo={"beta": 0.0}), material(), tmp_path / name)
        )
        runs.append((adapter(model), record))
    assert all(runs[1][0][name].equal(tensor) for name, tensor in runs[0][0].items())
    assert runs[0][1] == runs[1][1]


class Stopped(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(("objective", "batches"), [("dpo", (2, 4)), ("dpo", (5,)), ("grpo", (1, 2)), ("grpo", (3,))])
def test_stopped_it_goes_on_and_ends_with_the_same_adapter_and_curves(
    whole, tmp_path, monkeypatch, caplog, objective, batches
):
    from transformers import Trainer

    step = Trainer.training_step

    def run(batch: int) -> Preferred:
        seen = iter(range(10**6))

        def stopping(self: Any, *args: Any, **kwargs: Any) -> Any:
            if next(seen) == batch:
                raise Stopped
            return step(self, *args, **kwargs)

        monkeypatch.setattr(Trainer, "training_step", stopping)
        return preferred(objective, tmp_path)

    done = 0  # steps before the last checkpoint, one each
    for batch in batches:
        with pytest.raises(Stopped):
            run(batch - done)
        done = batch
    again = run(-1)
    assert f"Going on from step {done}" in caplog.text
    check_same(again, whole[objective])


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["dpo", "grpo"])
def test_an_adapter_on_four_bits_is_trained_in_float32(tmp_path, objective):
    import torch
    from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training

    from steady.models.load import load_language
    from steady.models.params import ModelParams

    base = tmp_path / "base"
    base.mkdir()
    for name, content in model_files("phi").items():
        (base / name).write_bytes(content)
    held = {"dtype": "float32", "quantization": "nf4", "bnb_4bit_use_double_quant": True}
    settings = {"id": str(base), "task": "CAUSAL_LM", "pooling": None, "num_threads": 1, **held}
    model, tokenizer = load_language(ModelParams.model_validate(settings))
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    torch.manual_seed(0)
    config = LoraConfig(task_type=TaskType.CAUSAL_LM, target_modules="all-linear", r=4, init_lora_weights=False)
    model = get_peft_model(model, config)
    before = adapter(model)
    found = prefer(model, tokenizer, TrainingRun("tuned", params(objective), material(), tmp_path))
    assert {tensor.dtype for tensor in adapter(model).values()} == {torch.float32}
    if objective == "dpo":
        assert found["first"]["rewards/margins"] == pytest.approx(0, abs=1e-4)
        assert found["last"]["rewards/margins"] > 0.2
        assert any(not tensor.equal(before[name]) for name, tensor in adapter(model).items())


@pytest.mark.parametrize(
    "settings, rejected, message",
    [
        (params(task="SEQ_2_SEQ_LM"), True, "CAUSAL_LM, got SEQ_2_SEQ_LM"),
        (params(arm={"method": "full"}), True, "needs method lora, got full"),
        (params(), False, "no training example has a losing answer"),
        (params("grpo", grpo={"num_generations": 3}), True, "is 8, which does not hold whole groups"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_model_is_there(settings, rejected, message):
    (fault,) = preference_faults(TrainingRun("tuned", settings, material(rejected), Path()))
    assert message in fault


def test_an_arm_of_supervised_training_alone_is_let_through():
    assert not list(preference_faults(TrainingRun("tuned", params("sft", task="SEQ_CLS"), material(False), Path())))


def test_too_small_a_max_length_says_which_to_raise(tmp_path):
    model, tokenizer = adapted()
    with pytest.raises(SteadyError, match="no pair is left of 12; 12 prompts"):
        prefer(model, tokenizer, TrainingRun("tuned", params(dpo={"max_length": 2}), material(), tmp_path))


def test_cut_and_dropped_pairs_are_counted():
    def pair(prompt: str, chosen: str, rejected: str) -> Question:
        return Question(prompt, (chosen,), chosen, rejected)

    pairs = [pair("ab", "c", "defg"), pair("ab", "c", "d"), pair("abcdef", "c", "d")]

    def letters(text: str, *_: Any) -> list[int]:
        return [ord(letter) for letter in text]

    rows, counts = encode_pairs(pairs, letters, letters, max_length=5)
    assert counts == {"pairs": 2, "cut_pairs": 1, "dropped_pairs": 1}
    assert rows[0] == {"prompt_ids": [97, 98], "chosen_ids": [99], "rejected_ids": [100, 101, 102, 103]}


def test_each_round_of_questions_shows_every_example_once_in_the_wording_of_its_epoch():
    from itertools import islice

    asked = list(islice(questions(Rows(), seed=1), 8))
    assert {question.prompt for question in asked[:4]} == {row[0] for row in ROWS}
    assert {question.prompt for question in asked[4:]} == {f"Please: {row[0]}" for row in ROWS}
    assert asked == list(islice(questions(Rows(), seed=1), 8))
