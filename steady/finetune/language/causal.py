"""The trainer of causal models: TRL's SFTTrainer with the rows, the loss and the evaluation of this package."""

from typing import Any

from datasets import Dataset
from trl import SFTTrainer

from steady.finetune.language.batches import Batch, CausalLogits
from steady.finetune.language.rows import GenerativeRows
from steady.finetune.language.trainers import Generative


class CausalTrainer(Generative, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer on rows that are encoded already."""

    def __init__(self, rows: GenerativeRows, first: Batch, **settings: Any) -> None:
        # SFTTrainer accepts no dataset but one of `datasets`, reads its first row, and would tokenise it.
        stand_in = Dataset.from_dict({"input_ids": [[0]], "labels": [[0]]})
        dtypes = {name: tensor.dtype for name, tensor in settings["model"].named_parameters() if tensor.requires_grad}
        super().__init__(train_dataset=stand_in, eval_dataset=stand_in, **settings)
        for name, tensor in self.model.named_parameters():
            # SFTTrainer casts adapters of quantised models to bfloat16, in which small steps are lost.
            if name in dtypes:
                tensor.data = tensor.data.to(dtypes[name])
        self.rows = self.train_dataset = rows
        self._logits = CausalLogits(self.model, first)
