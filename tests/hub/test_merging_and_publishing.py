"""A merged arm answers as its adapter does, or is not written; an arm is pushed by the real client, or the reason is said."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from stand_in.models import model_files

from steady.commands.merge import main as merge
from steady.commands.push import main as push
from steady.errors import SteadyError
from steady.inference.arm import load_arm_language, load_scorer
from steady.inference.classifier import in_batches
from steady.models.arm import ArmManifest, write_manifest
from steady.models.base import locate
from steady.models.load import load_classifier, load_language
from steady.models.merge import merge_arm
from steady.models.params import ModelParams
from steady.models.pooled import save_head

LABELS = ("billing", "technical", "other")
KINDS = {
    "llama": ("CAUSAL_LM", None),
    "phi": ("CAUSAL_LM", None),
    "t5": ("SEQ_2_SEQ_LM", None),
    "distilbert": ("SEQ_CLS", None),
    "distilbert-pooled": ("SEQ_CLS", "mean"),
}


def write_arm(folder: Path, kind: str, seed: int = 0) -> ModelParams:
    """A base in `folder/base` and an arm of LoRA with random weights in `folder/arm`."""
    import torch
    from peft import LoraConfig, get_peft_model

    task, pooling = KINDS[kind]
    base = folder / "base"
    base.mkdir(parents=True)
    for name, content in model_files(kind.removesuffix("-pooled")).items():
        (base / name).write_bytes(content)
    settings = {"id": str(base), "task": task, "pooling": pooling, "dtype": "float32", "num_threads": 1}
    params = ModelParams.model_validate(settings)
    torch.manual_seed(seed)
    model = load_classifier(params, LABELS) if task == "SEQ_CLS" else load_language(params)[0]
    public_id = locate(params).public_id
    config = LoraConfig(
        task_type="FEATURE_EXTRACTION" if pooling else task,
        target_modules=["q_lin", "v_lin"] if kind == "distilbert" else "all-linear",
        r=4,
        base_model_name_or_path=public_id,
        init_lora_weights=False,
    )
    adapted = get_peft_model(model.encoder if pooling else model, config)
    adapted.save_pretrained(str(folder / "arm"), save_embedding_layers=False)
    if pooling:
        save_head(model.head, folder / "arm")
    labels = list(LABELS) if task == "SEQ_CLS" else []
    manifest = ArmManifest(
        method="lora", base=public_id, revision=None, labels=labels, max_length=64, seed=seed, training={}
    )
    write_manifest(folder / "arm", manifest)
    (folder / "arm/README.md").write_text(f"---\nbase_model: {public_id}\n---\n\nA card.\n")
    return params


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_arm_answers_as_the_adapter_beside_its_base(tmp_path, kind):
    params = write_arm(tmp_path, kind)
    merged = merge_arm(tmp_path / "arm", tmp_path / "merged", params)
    assert merged.difference <= 1e-5
    assert (tmp_path / "merged/model.safetensors").is_file() and not (tmp_path / "merged/adapter_config.json").exists()
    assert not list(tmp_path.glob(".*tmp"))
    texts = ["Where is my parcel?", "I was charged twice"]
    if params.task == "SEQ_CLS":
        one, other = (in_batches(load_scorer(tmp_path / name, params, "cpu"), texts, 2) for name in ("arm", "merged"))
        assert one == pytest.approx(other, abs=1e-4)
    else:
        load_arm_language(tmp_path / "merged", params, "cpu")


@pytest.mark.parametrize("kind", ["llama", "distilbert-pooled"])
def test_plain_transformers_runs_the_quick_start_of_the_merged_model(tmp_path, monkeypatch, capsys, kind):
    merge_arm(tmp_path / "arm", tmp_path / "merged", write_arm(tmp_path, kind))
    card = (tmp_path / "merged/README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    assert "steady" not in code and "peft" not in code and "by at most" in card
    monkeypatch.chdir(tmp_path / "merged")
    exec(code, {})
    assert capsys.readouterr().out.strip()


def test_a_merge_that_changes_the_answers_writes_nothing(tmp_path, monkeypatch):
    params = write_arm(tmp_path, "llama")
    monkeypatch.setattr("steady.models.merge._difference", lambda *_: 0.5)
    with pytest.raises(SteadyError, match=r"differ by 5.0e-01, allowed is 1e-05. Nothing was written"):
        merge_arm(tmp_path / "arm", tmp_path / "merged", params)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arm", "base"]


def test_a_quantised_base_says_what_to_do(tmp_path):
    params = write_arm(tmp_path, "llama").model_copy(update={"quantization": "nf4"})
    with pytest.raises(SteadyError, match="--full-precision"):
        merge_arm(tmp_path / "arm", tmp_path / "merged", params)
    assert merge_arm(tmp_path / "arm", tmp_path / "merged", params, full_precision=True).difference <= 1e-5


def test_a_folder_that_is_there_another_base_and_an_arm_without_an_adapter_are_refused(tmp_path):
    params = write_arm(tmp_path, "llama")
    with pytest.raises(SteadyError, match="there already"):
        merge_arm(tmp_path / "arm", tmp_path / "base", params)
    other = write_arm(tmp_path / "other", "llama")
    with pytest.raises(SteadyError, match="was made from"):
        merge_arm(tmp_path / "arm", tmp_path / "merged", other)
    manifest = json.loads((tmp_path / "arm/steady.json").read_text())
    (tmp_path / "arm/steady.json").write_text(json.dumps(manifest | {"method": "none"}))
    with pytest.raises(SteadyError, match="method none has no adapter"):
        merge_arm(tmp_path / "arm", tmp_path / "merged", params)


def test_the_command_says_what_it_wrote(tmp_path):
    params = write_arm(tmp_path, "llama")
    YAML().dump({"model": params.model_dump(mode="json")}, tmp_path / "params.yaml")
    words = [str(tmp_path / "arm"), str(tmp_path / "merged"), "--params", str(tmp_path / "params.yaml")]
    found = CliRunner().invoke(merge, words)
    assert found.exit_code == 0 and "parameters in float32; logits differ by" in found.output, found.output
    again = CliRunner().invoke(merge, words)
    assert again.exit_code == 1 and "there already" in again.output


def test_push_uploads_adapter_card_and_tokenizer_and_the_hub_serves_them(hub, tmp_path, monkeypatch):
    from huggingface_hub import snapshot_download

    write_arm(tmp_path, "llama")
    (tmp_path / "arm/training_args.bin").write_bytes(b"a path")
    hub.tokens["hf_secret"] = "someone"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    found = CliRunner().invoke(push, [str(tmp_path / "arm"), "someone/tickets-adapter"])
    assert found.exit_code == 0 and "someone/tickets-adapter/commit/" in found.output, found.output
    fetched = Path(snapshot_download("someone/tickets-adapter"))
    sent = {"README.md", "adapter_config.json", "adapter_model.safetensors", "steady.json"}
    assert sent <= {path.name for path in fetched.iterdir()}
    assert not (fetched / "training_args.bin").exists()
    for name in sent:
        assert (fetched / name).read_bytes() == (tmp_path / "arm" / name).read_bytes()


@pytest.mark.parametrize(
    "token, repo_id, message",
    [
        (None, "someone/adapter", "Not logged in to the Hub. Run `hf auth login`"),
        ("hf_wrong", "someone/adapter", "does not know the token"),
        ("hf_secret", "somebody-else/adapter", "somebody-else"),
        ("hf_secret", "not/an/id", "OWNER/NAME"),
    ],
)
def test_push_says_why_it_cannot(hub, tmp_path, monkeypatch, token, repo_id, message):
    write_arm(tmp_path, "llama")
    hub.tokens["hf_secret"] = "someone"
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    found = CliRunner().invoke(push, [str(tmp_path / "arm"), repo_id])
    assert found.exit_code == 1 and message in found.output and "Traceback" not in found.output, found.output
    assert not hub.repositories


def test_push_of_what_is_no_trained_arm_asks_nobody(hub, tmp_path):
    write_arm(tmp_path, "llama")
    (tmp_path / "arm/README.md").unlink()
    for folder, message in ((tmp_path / "base", "no such arm"), (tmp_path / "arm", "README.md is missing")):
        found = CliRunner().invoke(push, [str(folder), "someone/adapter"])
        assert found.exit_code == 1 and message in found.output
    assert not hub.requests
