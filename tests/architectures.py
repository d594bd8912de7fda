"""Tiny random models of the architectures that transformers knows, and what becomes of each: measured, adapted, loaded elsewhere.

`python tests/architectures.py [NAME …]` prints the table of docs/faults.md.
"""

import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from small_models import byte_tokenizer

from steady.errors import SteadyError

SIZES = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "pad_token_id": 257,
    "eos_token_id": 256,
    "bos_token_id": 256,
}
GROUPED = SIZES | {"num_key_value_heads": 2}
T5 = {
    "vocab_size": 300,
    "d_model": 32,
    "d_ff": 64,
    "d_kv": 8,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 257,
}
T5 |= {"pad_token_id": 257, "eos_token_id": 256}
SIDES = {
    f"{side}_{key}": n
    for side in ("encoder", "decoder")
    for key, n in {"layers": 2, "attention_heads": 4, "ffn_dim": 64}.items()
}
BART = SIDES | {
    "vocab_size": 300,
    "d_model": 32,
    "max_position_embeddings": 128,
    "pad_token_id": 257,
    "eos_token_id": 256,
}
BART |= {"bos_token_id": 256, "decoder_start_token_id": 256, "forced_eos_token_id": None}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}
GPT = {
    "vocab_size": 300,
    "n_positions": 128,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "eos_token_id": 256,
    "bos_token_id": 256,
}
RECURRENT = {
    key: SIZES[key] for key in ("vocab_size", "hidden_size", "num_hidden_layers", "eos_token_id", "pad_token_id")
}
TWO_LAYERS = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}
DEEPSEEK = {
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
}
DEEPSEEK |= EXPERTS | {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1}

CAUSAL: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2": ("gpt2", GPT),
    "GPT-Neo": ("gpt_neo", SIZES | {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]}),
    "GPT-NeoX": ("gpt_neox", SIZES),
    "GPT-J": ("gptj", GPT | {"rotary_dim": 4}),
    "GPT-BigCode": ("gpt_bigcode", GPT),
    "CodeGen": ("codegen", GPT | {"rotary_dim": 4}),
    "OPT": ("opt", SIZES | {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    "BLOOM": (
        "bloom",
        {"vocab_size": 300, "hidden_size": 32, "n_layer": 2, "n_head": 4, "eos_token_id": 256, "pad_token_id": 257},
    ),
    "Falcon (old)": ("falcon", SIZES | {"alibi": True, "multi_query": True}),
    "Falcon (new)": ("falcon", SIZES | {"alibi": False, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "MPT": (
        "mpt",
        {"vocab_size": 300, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128, "eos_token_id": 256},
    ),
    "Phi": ("phi", SIZES),
    "Phi-3": ("phi3", GROUPED),
    "Gemma": ("gemma", GROUPED | {"head_dim": 8}),
    "Gemma 2": ("gemma2", GROUPED | TWO_LAYERS | {"head_dim": 8, "query_pre_attn_scalar": 8}),
    "Gemma 3": ("gemma3_text", GROUPED | TWO_LAYERS | {"head_dim": 8}),
    "Llama": ("llama", GROUPED),
    "Mistral": ("mistral", GROUPED | {"sliding_window": 8}),
    "Mixtral": ("mixtral", GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "Qwen 2": ("qwen2", GROUPED),
    "Qwen 2 MoE": ("qwen2_moe", GROUPED | EXPERTS | {"num_experts": 4, "shared_expert_intermediate_size": 32}),
    "Qwen 3": ("qwen3", GROUPED | {"head_dim": 8}),
    "Qwen 3 MoE": ("qwen3_moe", GROUPED | EXPERTS | {"num_experts": 4, "head_dim": 8}),
    "OLMo": ("olmo", GROUPED),
    "OLMo 2": ("olmo2", GROUPED),
    "StableLM": ("stablelm", GROUPED),
    "StarCoder 2": ("starcoder2", GROUPED),
    "Cohere": ("cohere", GROUPED),
    "Granite": ("granite", GROUPED),
    "SmolLM 3": ("smollm3", GROUPED),
    "DeepSeek V2": ("deepseek_v2", GROUPED | DEEPSEEK | {"num_key_value_heads": 4}),
    "DeepSeek V3": ("deepseek_v3", GROUPED | DEEPSEEK | {"num_key_value_heads": 4}),
    "Mamba": ("mamba", RECURRENT),
    "Mamba 2": ("mamba2", RECURRENT | {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 8}),
    "Falcon Mamba": ("falcon_mamba", RECURRENT),
    "RWKV": ("rwkv", RECURRENT | {"bos_token_id": 256}),
    "Bamba": (
        "bamba",
        GROUPED
        | {"attn_layer_indices": [1], "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8},
    ),
    "BERT as a decoder": ("bert", SIZES | {"is_decoder": True}),
}
SEQUENCE: dict[str, tuple[str, dict[str, Any]]] = {
    "T5": ("t5", T5),
    "T5 v1.1 / UL2": ("t5", T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "mT5": ("mt5", T5),
    "UMT5": ("umt5", T5),
    "BART": ("bart", BART),
    "mBART": ("mbart", BART),
    "Pegasus": ("pegasus", BART),
    "Marian": ("marian", BART),
}
CLASSIFIERS: dict[str, tuple[str, dict[str, Any]]] = {
    "BERT": ("bert", SIZES),
    "RoBERTa": ("roberta", SIZES | {"pad_token_id": 1, "max_position_embeddings": 130}),
    "XLM-R": ("xlm-roberta", SIZES | {"pad_token_id": 1, "max_position_embeddings": 130}),
    "DistilBERT": (
        "distilbert",
        {
            "vocab_size": 300,
            "dim": 32,
            "hidden_dim": 64,
            "n_layers": 2,
            "n_heads": 4,
            "max_position_embeddings": 128,
            "pad_token_id": 257,
        },
    ),
    "ALBERT": ("albert", SIZES | {"embedding_size": 16}),
    "ELECTRA": ("electra", SIZES | {"embedding_size": 32}),
    "DeBERTa v2": (
        "deberta-v2",
        SIZES | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
    ),
    "MPNet": ("mpnet", SIZES | {"pad_token_id": 1, "max_position_embeddings": 130}),
    "ModernBERT": ("modernbert", SIZES | {"cls_token_id": 256, "sep_token_id": 256, "local_attention": 8}),
    "GPT-2 (classifier)": ("gpt2", GPT | {"pad_token_id": 257}),
    "Llama (classifier)": ("llama", GROUPED),
    "BART (classifier)": ("bart", BART),
    "T5 (classifier)": ("t5", T5),
}
TASKS = {"CAUSAL_LM": CAUSAL, "SEQ_2_SEQ_LM": SEQUENCE, "SEQ_CLS": CLASSIFIERS}
NAMES = {name: task for task, table in TASKS.items() for name in table}
PROMPTS = [("a", "Name a fruit."), ("a", "fruit?"), ("b", "2+2="), ("b", "What is two and two?")]


@dataclass(frozen=True)
class Outcome:
    """What became of a model at each step: `yes`, or the line that refuses it. Anything else that is raised is a fault."""

    name: str
    task: str
    steps: dict[str, str]


def table(outcomes: Iterable[Outcome]) -> str:
    """The table of docs/faults.md: models with the same outcome share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for one in outcomes:
        rows.setdefault(tuple(one.steps.values()), []).append(one.name)
    lines = [
        "| architecture | measured | LoRA on `all-linear` | loaded with PEFT | measured with the adapter |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {', '.join(names)} ({len(names)} models) | {' | '.join(steps)} |" for steps, names in rows.items()]
    return "\n".join(lines)


def build(name: str) -> Any:
    """A random model with its head."""
    import torch
    import transformers

    kind, settings = TASKS[NAMES[name]][name]
    more = {"num_labels": 3} if NAMES[name] == "SEQ_CLS" else {}
    config = transformers.AutoConfig.for_model(kind, **settings, **more)
    auto = {
        "CAUSAL_LM": "AutoModelForCausalLM",
        "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
        "SEQ_CLS": "AutoModelForSequenceClassification",
    }
    torch.manual_seed(0)
    return getattr(transformers, auto[NAMES[name]]).from_config(config).float().eval()


def tokenizer_for(name: str) -> Any:
    """A byte tokenizer whose padding token is the one of the model."""
    import copy

    tokenizer = copy.deepcopy(byte_tokenizer())
    if name in ("BART (classifier)", "T5 (classifier)"):  # they read the class at the end token
        from tokenizers.processors import TemplateProcessing

        ends = [(tokenizer.eos_token, tokenizer.eos_token_id)]
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing("$A </s>", special_tokens=ends)
    if TASKS[NAMES[name]][name][1].get("pad_token_id") == 1:  # RoBERTa counts places from its padding index
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(1)
    return tokenizer


def score(folder: Path, adapter: Path | None, out: Path) -> str:
    """Measure a model on two groups, as the command does."""
    from steady.inference.named import Named
    from steady.measure.local import Limits, local_model
    from steady.measure.prompt_files import read_prompt_file
    from steady.measure.running import Extent, measure_subject

    prompts = out.with_suffix(".jsonl")
    prompts.write_text("".join(f'{{"group_id": "{group}", "prompt": "{text}"}}\n' for group, text in PROMPTS))
    named = Named(str(folder), adapter=adapter, dtype="float32", device="cpu")
    said: list[str] = []
    subject = local_model(named, Limits(max_new_tokens=3))
    measure_subject(subject, read_prompt_file(prompts), out, Extent(None, 0), said.append, False)
    return "yes" + (", slowly" if any("whole sequence" in line for line in said) else "")


def adapt(folder: Path, out: Path, name: str) -> str:
    """Put LoRA on every linear layer, as training does, change it, take a step of training, and save it."""
    import torch

    from steady.finetune.lora import add_lora, save_adapter
    from steady.finetune.params import LoraParams
    from steady.models.base import locate
    from steady.models.load import load_base, set_padding
    from steady.models.params import ModelParams

    task = NAMES[name]
    values = {"id": str(folder), "task": task, "pooling": None, "dtype": "float32", "num_threads": 1}
    params = ModelParams.model_validate(values)
    model = load_base(params)
    set_padding(model, tokenizer_for(name))
    lora = LoraParams(
        r=2,
        lora_alpha=4,
        lora_dropout=0.0,
        target_modules="all-linear",
        modules_to_save=None,
        use_rslora=False,
        use_dora=False,
    )
    adapted = add_lora(model, lora, locate(params), task)
    torch.manual_seed(1)
    for key, value in adapted.named_parameters():
        if "lora_B" in key:
            value.data.normal_(std=0.05)
    ids = torch.tensor([[70, 71, 72, 256]])
    labels = torch.tensor([1]) if task == "SEQ_CLS" else ids
    adapted.train()(input_ids=ids, labels=labels).loss.backward()
    assert any(value.grad is not None and bool(value.grad.any()) for value in adapted.parameters())
    save_adapter(adapted, out)
    tokenizer_for(name).save_pretrained(out)
    return "yes"


def load_elsewhere(folder: Path, adapter: Path, task: str) -> str:
    """Load the adapter with PEFT alone, and compare its logits with those of our loader."""
    import torch
    import transformers
    from peft import PeftModel

    from steady.models.adapters import attach_adapter
    from steady.models.load import AUTO_MODELS

    auto = getattr(transformers, AUTO_MODELS[task])
    plain = PeftModel.from_pretrained(auto.from_pretrained(folder, dtype=torch.float32), str(adapter)).eval()
    ours = attach_adapter(auto.from_pretrained(folder, dtype=torch.float32), adapter, str(folder))
    ids = torch.tensor([[70, 71, 72, 256]])
    more = {"decoder_input_ids": ids} if task == "SEQ_2_SEQ_LM" else {}
    with torch.no_grad():
        one, other = (model(input_ids=ids, **more).logits for model in (plain, ours))
    assert torch.allclose(one, other, atol=1e-4, rtol=1e-4), float((one - other).abs().max())
    return "yes"


def outcome(name: str, place: Path) -> Outcome:
    """Take a model through every step in a folder."""
    task, folder, adapter = NAMES[name], place / "model", place / "adapter"
    build(name).save_pretrained(folder)
    tokenizer_for(name).save_pretrained(folder)
    steps: dict[str, Callable[[], str]] = {
        "measured": lambda: score(folder, None, place / "plain"),
        "LoRA on all-linear": lambda: adapt(folder, adapter, name),
        "loaded with PEFT": lambda: load_elsewhere(folder, adapter, task),
        "scored": lambda: score(folder, adapter, place / "adapted"),
    }
    found: dict[str, str] = {}
    for step, run in steps.items():
        try:
            found[step] = run()
        except SteadyError as error:
            found[step] = f"refused: {str(error).splitlines()[0].replace(str(place), '…')}"
        if found[step].startswith("refused") and step == "LoRA on all-linear":
            break
    return Outcome(name, task, found)


def main(names: list[str]) -> int:
    """Print the table; the exit status is the number of models that raised anything but a refusal."""
    from steady.inference.named import prepare

    prepare(1)
    found, faults = [], 0
    for name in names or NAMES:
        with TemporaryDirectory() as place:
            try:
                found.append(outcome(name, Path(place)))
                print(name, *found[-1].steps.values(), sep=", ", file=sys.stderr, flush=True)
            except Exception:
                faults += 1
                print(name, traceback.format_exc(), file=sys.stderr, flush=True)
    print(table(found))
    return faults


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
