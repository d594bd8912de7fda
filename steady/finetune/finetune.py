"""Train one arm, whatever its method, and write its folder: weights, tokenizer, manifest and card."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import torch

from steady.finetune.checkpoints.checkpoints import Checkpoints, code_digest, library_versions
from steady.finetune.checkpoints.checkpoints import fingerprint as checkpoint_name
from steady.finetune.lora import save_adapter
from steady.finetune.objectives import find_objective
from steady.finetune.params import ArmScoring, FinetuneParams
from steady.finetune.preflight import check_settings
from steady.finetune.run import Record, TrainingData, TrainingRun
from steady.finetune.sampling import wordings_together
from steady.finetune.solved import solved_examples
from steady.models.arm import PHRASEBOOK, ArmManifest, write_manifest
from steady.models.base import locate
from steady.models.card import Card, CardTraining, render_card
from steady.models.load import pick_device, prepare_torch
from steady.models.pooled import PooledClassifier, save_head
from steady.models.ranks import rank, size
from steady.prompts.phrasebook import fingerprint, write_phrasebook
from steady.records import write_bytes, write_json

TRAINED = ("lora", "full")  # methods that leave weights of their own, and a card


def finetune(
    name: str, params: FinetuneParams, data: TrainingData, folder: Path, curves: Path, root: Path | None = None
) -> ArmManifest:
    """Train the arm `name` and write `folder` and `curves`; SteadyError where the model cannot be loaded or the training not go on.

    `root`: where checkpoints lie while it trains; after a stop the same call resumes from the last good one, and ends with the
    same bytes. None: it begins anew.
    """
    params = params.of_arm(name)
    run = TrainingRun(name, params, data, curves)
    check_settings(run)  # before anything is loaded or deleted
    prepare_torch(params.model, params.seed)
    # Files of an earlier arm would be part of this one: a head beside an adapter, or the curve of another objective.
    for path in (folder, curves):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    if root:
        run = TrainingRun(name, params, data, curves, Checkpoints(root / training_fingerprint(run)))
    solved, tokens = solved_examples(run)
    record = _train(run, folder) if run.arm.method != "none" else {}
    if size() > 1:
        record["processes"] = size()
    if not any(curves.iterdir()):  # DVC warns of an empty output on every command
        summary = {"arm": name, **run.arm.shown(), "steps": 0}
        write_bytes(curves / "training.json", json.dumps(summary).encode() + b"\n")
    if run.arm.scoring != ArmScoring():
        record |= {"scoring": run.arm.scoring.model_dump() | {"solved_tokens": tokens}}
    base = locate(params.model)
    manifest = ArmManifest(
        method=run.arm.method,
        base=base.public_id,
        revision=base.revision,
        labels=list(data.labels),
        max_length=params.format.max_length,
        seed=params.seed,
        training=record,
        prompts_sha256=fingerprint(data.prompts.book),
        base_digest=base.digest,
        quantised=base.quantised,
        multi_label=data.multi_label,
        solved=solved,
        calibrated=run.arm.scoring.calibrated,
        averaged_wordings=run.arm.scoring.averaged_wordings,
    )
    write_phrasebook(folder / PHRASEBOOK, data.prompts.book)
    write_manifest(folder, manifest)
    if run.arm.method in TRAINED and rank() == 0:
        write_bytes(folder / "README.md", render_card(_card(run, manifest)).encode())
    # Only now: a process that is killed while it writes the folder resumes from the last checkpoint and writes it again.
    if run.checkpoints and rank() == 0:
        run.checkpoints.remove()
    return manifest


def training_fingerprint(run: TrainingRun) -> str:
    """What names the folder of an arm's checkpoints: settings, data, base, code, libraries and the machine's way to compute."""
    base, data = locate(run.params.model), run.data
    digest = hashlib.sha256()
    for record in (*data.prompts.examples, *data.prompts.wordings, *data.validation):
        digest.update(msgspec.json.encode(record))
    return checkpoint_name(
        {
            # Other arms and `runtime` cannot change the result, so with them changed a stopped training still resumes.
            "params": run.params.model_dump(mode="json", exclude={"runtime", "arms"}),
            "arm": run.arm.shown(),
            "data": [digest.hexdigest(), fingerprint(data.prompts.book), data.labels, data.multi_label],
            "base": [base.public_id, base.revision, base.digest],
            "code": code_digest(Path(__file__).parents[1]),
            "libraries": library_versions(),
            "device": [str(pick_device(run.params.runtime.device)), torch.get_num_threads(), size()],
        }
    )


def _train(run: TrainingRun, folder: Path) -> Record:
    """Train by the kind of model, then, where the objective is a preference, tune the same adapter further."""
    # Imported where they are used: TRL and PEFT take seconds to import, and an arm of a probe needs neither.
    if run.params.model.task == "SEQ_CLS":
        from steady.finetune.classifier.supervised import train_classifier

        model, tokenizer, record = train_classifier(run)
    else:
        from steady.finetune.language.language import train_language

        model, tokenizer, record = train_language(run)
    # A probe leaves a head alone: the encoder is the published one, so there is nothing to load with plain PEFT.
    if run.arm.method not in TRAINED:
        save_head(model.head, folder)
        return record
    if run.arm.objective in ("dpo", "grpo"):
        from steady.finetune.preference.preference import prefer

        # the same generators, whether the first phase was resumed or not
        prepare_torch(run.params.model, run.params.seed)
        record |= {"preference": prefer(model, tokenizer, run)}
    if rank() == 0:  # process 0 writes the arm
        save_trained(model, tokenizer, folder)
    return record


def save_trained(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save what plain transformers and PEFT load: weights, config, tokenizer, and the head of a pooled classifier."""
    trained = model.encoder if isinstance(model, PooledClassifier) else model
    if hasattr(trained, "peft_config"):
        save_adapter(trained, folder)
    else:
        trained.save_pretrained(str(folder))
    # transformers writes down whether the Hub was offline when the tokenizer was loaded, which is nothing about the arm
    if "local_files_only" in tokenizer.init_kwargs:
        tokenizer.init_kwargs["local_files_only"] = False
    tokenizer.save_pretrained(str(folder))
    if isinstance(model, PooledClassifier):
        save_head(model.head, folder)
    path = folder / "adapter_config.json"
    if path.is_file():  # PEFT writes sets in hash order; sorted lists give the same bytes in every process
        config = sorted(json.loads(path.read_text(encoding="utf-8")).items())
        write_json(path, {key: sorted(value) if isinstance(value, list) else value for key, value in config})


def _card(run: TrainingRun, manifest: ArmManifest) -> Card:
    params, data = run.params, run.data
    adapted, objective = run.arm.method == "lora", run.arm.objective
    settings = (params.lora.model_dump() if adapted else {}) | params.train.model_dump()
    if find_objective(objective):
        settings |= {f"{objective}.{key}": value for key, value in getattr(params, objective).model_dump().items()}
    if run.arm.sampler != "shuffled":
        settings |= {"sampler": run.arm.sampler, "wordings_together": wordings_together(run.arm)}
    training = CardTraining(
        objective=objective,
        wordings=run.arm.wordings,
        sources=tuple(sorted({example.source for example in data.prompts.examples})),
        train_rows=len(data.prompts.examples),
        validation_rows=len({prompt.example_id for prompt in data.validation}),
        settings=settings,
    )
    return Card(
        name=f"steady-{run.name}",
        kind="adapter" if adapted else "full",
        base=locate(params.model),
        model=params.model,
        manifest=manifest,
        example=data.validation[0].prompt,
        training=training,
    )
