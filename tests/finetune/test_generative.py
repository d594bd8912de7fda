"""Supervised fine-tuning of small models that generate: learned, stopped, saved, reloaded; every adapter that a recipe names."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from generative_fixture import TASKS, examples, last_lines, material, model_folder, train_arm, view

from steady.errors import SteadyError
from steady.finetune.run import TrainingData
from steady.inference.arm import load_arm_language
from steady.inference.language import sequence_logits
from steady.inference.likelihood import greedy_responses, make_scorer
from steady.models.arm import read_manifest
from steady.models.load import load_language
from steady.models.tokenizer import prompt_ids


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bases")


def short(root: Path, name: str = "llama", **sections: dict[str, Any]) -> tuple[Any, TrainingData]:
    """One epoch of six rows."""
    sections["train"] = {"num_train_epochs": 1} | sections.get("train", {})
    return view(model_folder(root, name), TASKS[name], **sections), material(examples(rows=6))


def logits_of(language: Any, prompt: str = "Say the colour.") -> torch.Tensor:
    ids = tuple(prompt_ids(language.tokenizer, language.task, prompt))
    return sequence_logits(language, ids, (5, 6, 7))


SAVED = {"llama": ["lm_head", "embed_tokens"], "t5": None}


Learned = tuple[Path, Any, TrainingData]


@pytest.fixture(scope="module")
def both_learned(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Learned]:
    """Arms that have learned their twelve rows by heart."""
    return {name: learn(root, tmp_path_factory.mktemp("learned"), name) for name in SAVED}


@pytest.fixture(params=SAVED)
def learned(request: pytest.FixtureRequest, both_learned: dict[str, Learned]) -> Learned:
    """Each of them."""
    return both_learned[request.param]


ONE_BATCH = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}  # a step in one go


def learn(root: Path, folder: Path, name: str) -> Learned:
    params = view(
        model_folder(root, name),
        TASKS[name],
        lora={"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "modules_to_save": SAVED[name]},
        train={"num_train_epochs": 40, "learning_rate": 0.01, "warmup_steps": 0.0, "eval_steps": 40} | ONE_BATCH,
        sft={"preview_steps": 100, "generate_rows": 8},
    )
    given = material(examples(), wordings=1)
    train_arm(folder, params, given)
    return folder, params, given


def test_it_learns_to_answer_and_to_stop(learned):
    folder, params, given = learned
    language = load_arm_language(folder / "arm", params.model, "cpu")
    scorer = make_scorer(language, 16, 10_000)
    prompts = [tuple(prompt_ids(language.tokenizer, language.task, prompt.prompt)) for prompt in given.validation]
    answers = greedy_responses(scorer, prompts)
    assert all(answer.tokens[-1] == language.tokenizer.eos_token_id for answer in answers), "every answer ends"
    texts = [language.tokenizer.decode(answer.tokens, skip_special_tokens=True).strip() for answer in answers]
    assert texts == [prompt.completion for prompt in given.validation]


def test_the_record_says_what_was_reached_and_that_nothing_was_cut(learned):
    folder, _, _ = learned
    training = read_manifest(folder / "arm").training
    assert training["best"]["validation_generated_accuracy"] == 1.0
    assert training["best"]["validation_loss"] < 0.1 < training["first_loss"]
    assert training["truncation"]["prompts_cut"] == training["truncation"]["rows_left_out"] == 0
    curve = (folder / "curves" / "plots" / "metrics" / "eval" / "generated_accuracy.tsv").read_text().splitlines()
    assert curve[0].split() == ["step", "generated_accuracy"] and len(curve) == 1 + 3


def test_previews_show_the_same_prompts_before_and_after(learned):
    folder, _, given = learned
    rows = [json.loads(line) for line in (folder / "curves" / "previews.jsonl").read_text().splitlines()]
    assert sorted({row["step"] for row in rows}) == [0, 100, 120]
    assert [row["prompt"] for row in rows if row["step"] == 0] == [one.prompt for one in given.validation[:4]]
    first, last = ([row["text"] for row in rows if row["step"] == step] for step in (0, 120))
    assert first != last == [one.completion for one in given.validation[:4]]


def test_the_quick_start_of_the_card_runs_with_plain_peft_and_answers(both_learned):
    arms = [folder / "arm" for folder, _, _ in both_learned.values()]
    assert last_lines(arms) == [given.validation[0].completion for _, _, given in both_learned.values()]


@pytest.mark.parametrize(
    "lora",
    [
        {"use_dora": True},
        {"use_rslora": True},
        {"init_lora_weights": "pissa"},
        {"init_lora_weights": "pissa_niter_4"},
        {"init_lora_weights": "olora"},
        {"init_lora_weights": "gaussian"},
        {"init_lora_weights": "orthogonal"},
        {"loraplus_lr_ratio": 16.0},
        {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"]},
    ],
    ids=lambda lora: "-".join(map(str, next(iter(lora.items())))),
)
def test_every_kind_of_adapter_trains_and_reloads_on_the_published_base_to_the_same_logits(
    lora, root, tmp_path, monkeypatch
):
    from steady.finetune import finetune as module

    kept = {}
    save = module.save_trained

    def keeping(model: Any, tokenizer: Any, folder: Path) -> None:
        with torch.inference_mode():
            kept["logits"] = model.eval()(input_ids=torch.tensor([[5, 6, 7, 8]])).logits
        save(model, tokenizer, folder)

    monkeypatch.setattr(module, "save_trained", keeping)
    params, given = short(root, lora=lora)
    train_arm(tmp_path, params, given)
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    base, _ = load_language(params.model)
    with torch.inference_mode():
        again = language.model(input_ids=torch.tensor([[5, 6, 7, 8]])).logits
        before = base(input_ids=torch.tensor([[5, 6, 7, 8]])).logits
    assert torch.allclose(again, kept["logits"], atol=2e-4)
    assert not torch.allclose(again, before, atol=1e-3)


@pytest.mark.parametrize("name", ["llama", "t5"])
@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_quantised_bases_train_an_adapter_that_is_saved_reloaded_and_scored(name, quantization, root, tmp_path):
    model = {"quantization": quantization, "bnb_4bit_use_double_quant": True}
    params, given = short(root, name, model=model, sft={"generate_rows": 2})
    manifest = train_arm(tmp_path, params, given)
    assert manifest.training["trainable_percent"] < 50
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    base, _ = load_language(params.model)
    from steady.inference.language import language_model

    assert torch.isfinite(logits_of(language)).all()
    assert not torch.allclose(logits_of(language), logits_of(language_model(base, language.tokenizer)), atol=1e-4)


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_declared_tokens_are_added_trained_saved_and_reloaded(name, root, tmp_path):
    model = {"special_tokens": [f"<|{place}|>" for place in range(48)]}
    rows = examples(("<|7|>", "<|9|>"), 6)
    params = view(model_folder(root, name), TASKS[name], model=model)
    train_arm(tmp_path, params, material(rows, ("<|7|>", "<|9|>")))
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    ids = language.tokenizer.convert_tokens_to_ids(["<|7|>", "<|8|>"])
    torch.manual_seed(0)
    base, _ = load_language(params.model)
    rows_now, rows_then = (model.get_input_embeddings().weight for model in (language.model, base))
    assert rows_now.shape[0] == 306 and not torch.equal(rows_now[ids], rows_then[ids])
    assert torch.equal(rows_now[:256], rows_then[:256]), "no other token moves"
    assert torch.isfinite(logits_of(language)).all()


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_every_weight_can_be_trained_and_reloaded(name, root, tmp_path):
    params, given = short(root, name, arm={"method": "full"})
    manifest = train_arm(tmp_path, params, given)
    assert manifest.training["trainable_percent"] == 100
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    assert torch.isfinite(logits_of(language)).all()


def test_packing_trains_with_gradient_checkpointing_and_on_everything(root, tmp_path):
    sft = {"packing": True, "completion_only_loss": False}
    params, given = short(root, sft=sft, train={"gradient_checkpointing": True})
    manifest = train_arm(tmp_path, params, given)
    assert manifest.training["steps"] < 2


def test_gradient_checkpointing_changes_no_weight(root, tmp_path):
    import hashlib

    found = set()
    for on in (True, False):
        params, given = short(root, train={"gradient_checkpointing": on})
        train_arm(tmp_path / str(on), params, given)
        found.add(hashlib.sha256((tmp_path / str(on) / "arm" / "adapter_model.safetensors").read_bytes()).hexdigest())
    assert len(found) == 1


def test_an_adapter_on_tied_embeddings_scores_as_it_was_trained_and_is_not_merged(root, tmp_path):
    """The output layer shares the weights and is not adapted: merged, the adapter would change it too."""
    from peft import PeftModel

    from steady.models.merge import merge_arm

    folder = tied_folder(root)
    lora = {"target_modules": ["embed_tokens", "v_proj"], "r": 4, "lora_dropout": 0.0}
    params = view(folder, "CAUSAL_LM", lora=lora, train={"num_train_epochs": 1, "learning_rate": 0.05})
    train_arm(tmp_path, params, material(examples(rows=6)))
    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    beside = PeftModel.from_pretrained(load_language(params.model)[0], str(tmp_path / "arm")).eval()
    ids = torch.tensor([prompt_ids(language.tokenizer, "CAUSAL_LM", "Say the colour.")])
    with torch.no_grad():
        wanted = beside(ids).logits[0, -1]
        merged = beside.merge_and_unload()(ids).logits[0, -1]
    found = sequence_logits(language, tuple(ids[0].tolist()), (5,))[0]
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(merged, wanted, atol=1e-2), "or the test could not fail"
    with pytest.raises(SteadyError, match="changes the embeddings, whose weights are the output layer's too"):
        merge_arm(tmp_path / "arm", tmp_path / "merged", params.model)


def tied_folder(root: Path) -> Path:
    """A random Llama whose embeddings are its output layer."""
    from small_models import byte_tokenizer
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = root / "tied"
    if not folder.is_dir():
        tokenizer = byte_tokenizer()
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = LlamaConfig(
            vocab_size=len(tokenizer), tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id, **sizes
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_a_device_map_changes_no_weight_where_there_is_one_device(name, root, tmp_path):
    for place, device_map in (("one", None), ("two", "auto")):
        train_arm(tmp_path / place, *short(root, name, runtime={"device_map": device_map}))
    first, second = (tmp_path / place / "arm/adapter_model.safetensors" for place in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_free_answers_need_no_labels(root, tmp_path):
    params, _ = short(root, sft={"generate_rows": 2})
    given = material(examples(("a red one", "some blue ones"), 6), labels=())
    assert train_arm(tmp_path, params, given).labels == []


def test_an_arm_that_trains_nothing_is_the_base(root, tmp_path):
    params, given = short(root, arm={"method": "none", "objective": "none"})
    train_arm(tmp_path, params, given)
    base, tokenizer = load_language(params.model)
    from steady.inference.language import language_model

    language = load_arm_language(tmp_path / "arm", params.model, "cpu")
    assert torch.equal(logits_of(language), logits_of(language_model(base, tokenizer)))


def test_another_base_in_the_same_folder_is_refused(root, tmp_path):
    import shutil

    folder = tmp_path / "base"
    shutil.copytree(model_folder(root, "llama"), folder)
    params, given = view(folder, "CAUSAL_LM", arm={"method": "none", "objective": "none"}), material(examples())
    train_arm(tmp_path, params, given)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[5000] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(SteadyError, match="not the one that the arm was made from"):
        load_arm_language(tmp_path / "arm", params.model, "cpu")


def test_adapters_of_a_bfloat16_base_compute_in_its_dtype_and_are_kept_in_float32(root, tmp_path, monkeypatch):
    from peft.tuners.tuners_utils import BaseTunerLayer
    from safetensors.torch import load_file

    seen = []
    cast = BaseTunerLayer._cast_input_dtype

    def spied(self, x, dtype):
        found = cast(self, x, dtype)
        seen.extend(
            [found.dtype] * torch.is_autocast_enabled("cpu")
        )  # not when two ways of computing logits are compared
        return found

    monkeypatch.setattr(BaseTunerLayer, "_cast_input_dtype", spied)
    params, given = short(root, model={"dtype": "bfloat16"}, sft={"generate_rows": 0, "preview_steps": None})
    train_arm(tmp_path, params, given)
    assert set(seen) == {torch.bfloat16}
    weights = load_file(tmp_path / "arm" / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


def test_dora_of_a_bfloat16_base_computes_as_peft_has_it(root, tmp_path):
    params, given = short(root, model={"dtype": "bfloat16"}, lora={"use_dora": True, "lora_dropout": 0.0})
    assert train_arm(tmp_path, params, given).training["last_loss"] > 0


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_what_a_step_keeps_is_measured_and_moves_no_generator(root, tmp_path, monkeypatch, name):
    from steady.finetune.language.trainers import Generative

    found = []
    measure = Generative.saved_bytes

    def spied(self):
        before = torch.get_rng_state()
        whole = measure(self)
        row = max(self.rows.rows, key=lambda row: row.length)
        self.rows.rows = [type(row)(row.prompt[: len(row.prompt) // 2], row.answer, 0) for row in self.rows.rows]
        half, self.rows.rows = measure(self), [row] * len(self.rows.rows)
        assert torch.equal(torch.get_rng_state(), before)
        assert all(tensor.grad is None for tensor in self.model.parameters())
        found.extend([half, whole])
        return whole

    monkeypatch.setattr(Generative, "saved_bytes", spied)
    params, given = short(root, name)
    train_arm(tmp_path, params, given)
    half, whole = found
    numbers = 96 * 32 * 2  # at most: tokens, hidden size, layers
    assert 0 < half < whole < numbers * 4 * 100
