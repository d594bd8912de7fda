"""The one loader: base model from the Hub, a folder or a package, with its tokenizer and, where there is one, its adapter."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steady.errors import SteadyError
from steady.models.base import Base, locate
from steady.models.checksums import verify_sums
from steady.models.description import check_task, classifies
from steady.models.params import AUTO_MODELS, COMMIT_LENGTH, ModelParams, is_hub_id
from steady.models.precision import keep_packing, weight_settings
from steady.models.tokenizer import declared_ends, end_ids

if TYPE_CHECKING:
    import torch


def prepare_torch(params: ModelParams, seed: int) -> None:
    """Make runs repeatable: the thread count that the results depend on, deterministic kernels, one seed for every generator.
    Equal shapes and threads then give equal bytes on one machine; another kind of processor adds floats up in another order.
    """
    import torch
    from transformers import set_seed

    if params.num_threads is not None:
        torch.set_num_threads(params.num_threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # it writes NaN into every new tensor first
    quiet_libraries()
    set_seed(seed)


def quiet_libraries() -> None:
    """Silence what the libraries say of themselves when a model is loaded, each by its cause; call it before they load one."""
    import warnings

    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # PEFT 0.21 asks transformers 5.23 by the old name
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


def pick_device(device: str) -> "torch.device":
    """`auto` is the GPU where there is one; any other value is a torch device string; SteadyError where there is none of it."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        # a device that is not there has a name all the same
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise SteadyError(
            f"device {device}: {reason}. Give auto, cpu, or a GPU of this machine, such as cuda:0."
        ) from error
    return found


def load_tokenizer(params: ModelParams) -> Any:
    """The tokenizer of the base with `special_tokens` added, without the truncation and fixed padding that its file may carry.

    A declared token is recognised wherever it stands in a text; all other control tokens are plain text there
    (`steady.models.tokenizer`). Where there is no padding token, the end token pads too: which tokens count in a loss is never told
    by the padding token. SteadyError where it cannot be loaded, or a classifier's has neither a padding nor an end token.
    """
    from transformers import AutoTokenizer

    base = locate(params)
    with load_errors(base):
        verify_sums(Path(base.source), weights=False)
        tokenizer = AutoTokenizer.from_pretrained(base.source, revision=base.revision, trust_remote_code=False)
    if getattr(tokenizer, "backend_tokenizer", None) is not None:
        # Saved with the tokenizer, these would cut and pad prompts without a word.
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    tokenizer.add_tokens(list(params.special_tokens))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if params.task == "SEQ_CLS":
        if tokenizer.pad_token is None:
            raise SteadyError(
                f"model.id {params.id!r}: its tokenizer has neither a padding token nor an end token, and a classifier reads padded "
                "batches. Name a `pad_token` in tokenizer_config.json."
            )
        # Classifiers are called with texts; `steady.models.tokenizer` sees to the others.
        if getattr(tokenizer, "backend_tokenizer", None) is not None:
            tokenizer.backend_tokenizer.encode_special_tokens = True
    return tokenizer


def set_padding(model: Any, tokenizer: Any) -> None:
    """Tell a classifier its padding token, where its configuration does not: decoders find the last token of a text by it.
    SteadyError where it reads the class at an end token that the tokenizer does not write.
    """
    config = getattr(model, "config", None)
    if config is None:
        return
    if classifies(model) and config.is_encoder_decoder and tokenizer("a")["input_ids"][-1] != config.eos_token_id:
        raise SteadyError(
            f"This {config.model_type} classifier reads the class at its end token ({config.eos_token_id}), and its tokenizer "
            "does not write one behind a text. Save the model with a tokenizer that does (`add_eos_token`, or a post-processor)."
        )
    if getattr(config.get_text_config(), "pad_token_id", None) is None:
        config.get_text_config().pad_token_id = config.pad_token_id = tokenizer.pad_token_id


def load_config(base: Base) -> Any:
    """The configuration of a base; SteadyError where there is no such model, or it cannot be reached."""
    from transformers import AutoConfig

    with load_errors(base):
        return AutoConfig.from_pretrained(base.source, revision=base.revision, trust_remote_code=False)


def load_base(
    params: ModelParams,
    labels: tuple[str, ...] | None = None,
    *,
    headless: bool = False,
    device: str = "cpu",
    device_map: str | None = None,
) -> Any:
    """Load the base of any of the three families onto a device, in evaluation mode; SteadyError where it is not there, not of the
    family `task`, damaged, or its dtype or quantisation is not for it.

    Args:
        labels: the classes of a SEQ_CLS head, in order; the head is new and seeded by the caller. None: the model's own.
        headless: the encoder alone, whose features a probe reads.
        device: `auto` or a torch device; with `device_map: auto` the model is spread over all there are.
    """
    import transformers

    quiet_libraries()  # also where `steady.measure` is called from Python
    base, place = locate(params), pick_device(device)
    config = load_config(base)
    with load_errors(base):
        verify_sums(Path(base.source), weights=True)
        check_task(params.id, params.task, config)
        settings = weight_settings(params, config, place, device_map) | {"revision": base.revision}
        if params.task == "SEQ_CLS" and labels is not None and not headless:
            places = {name: place for place, name in enumerate(labels)}
            settings |= {"num_labels": len(labels), "id2label": dict(enumerate(labels)), "label2id": places}
        kind = getattr(transformers, "AutoModel" if headless else AUTO_MODELS[params.task])
        if "num_labels" in settings:  # the checkpoint's own head may have other classes; it is replaced by a new one
            settings |= {"ignore_mismatched_sizes": True}
        settings |= {"trust_remote_code": False, "use_safetensors": True, "output_loading_info": True}
        model, found = kind.from_pretrained(base.source, **settings)
    # A new head and an encoder's unused pooler may be drawn at random; weights that answers come from may not.
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    if not headless and labels is None and (lacking := sorted(set(found["missing_keys"]) - set(tied))):
        raise SteadyError(
            f"model.id {params.id!r}: its file of weights lacks {len(lacking)} tensors, such as {lacking[0]}, which would be drawn at "
            "random. Fetch the model again, or give one whose head is of model.task."
        )
    keep_packing(model)
    model.name_or_path = base.public_id
    model.config._name_or_path = base.public_id
    return (model if "device_map" in settings else model.to(place)).eval()


def load_classifier(params: ModelParams, labels: tuple[str, ...], device: str = "cpu") -> Any:
    """The base with an untrained head for `labels`, seeded by the caller; see `ModelParams.pooling`."""
    import torch

    if params.pooling is None:
        return load_base(params, labels, device=device)
    from steady.models.pooled import PooledClassifier

    encoder = load_base(params, labels, headless=True, device=device)
    # Drawn on the CPU and then moved, so that a seed gives the same head on every device.
    head = torch.nn.Linear(encoder.config.hidden_size, len(labels))
    return PooledClassifier(encoder, head.to(encoder.device)).eval()


def load_language(params: ModelParams, device: str = "cpu", device_map: str | None = None) -> tuple[Any, Any]:
    """A model that generates and its tokenizer; the embeddings have a row for every token.
    Rows of added tokens are drawn around the mean of the others, seeded by the caller.
    """
    tokenizer = load_tokenizer(params)
    model = load_base(params, device=device, device_map=device_map)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    # left alone where nothing is new: the settings are saved with a fully fine-tuned model
    if (ends := end_ids(tokenizer, model.generation_config)) != declared_ends(model.generation_config):
        model.generation_config.eos_token_id = list(ends)
    return model, tokenizer


def full_revision(model_id: str, revision: str | None) -> str | None:
    """The full commit of a Hub model, so that a run can be repeated; None for a folder or a package.
    SteadyError where the Hub does not know the model or the revision, or cannot be reached.
    """
    # A branch or a tag moves; a full commit does not, and needs no request.
    if not is_hub_id(model_id) or len(revision or "") == COMMIT_LENGTH:
        return revision
    from huggingface_hub import HfApi

    with load_errors(Base(model_id, model_id, revision)):
        return str(HfApi().model_info(model_id, revision=revision).sha)


@contextmanager
def load_errors(base: Base) -> Iterator[None]:
    """Turn what the libraries raise for a model that is not there, or not loadable here, into one clear message."""
    try:
        yield
    except SteadyError:
        raise
    except Exception as error:  # files that others wrote, and connections, may raise anything
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            raise
        raise SteadyError(
            f"cannot load the model {base.source!r} (revision {base.revision}): {error}\n"
            "Give a folder, `package:NAME`, or a Hub id with a full commit; a gated model needs `hf auth login`."
        ) from error
