"""The model and its training: nothing here knows Flower."""

from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, BertConfig, PreTrainedConfig

from quickstart_huggingface import hub, offline
from quickstart_huggingface.data import batches

SEED = 7


def load_config(config: dict) -> PreTrainedConfig:
    """Return the model's architecture, with as many classes as the run config says."""
    classes = int(config["num-labels"])
    if config["offline"]:
        return offline.config(classes)
    name = str(config["model"])
    with hub.reading("model", name):
        stored, _ = PreTrainedConfig.get_config_dict(name)
        # BERT's first small models, bert-tiny among them, were published before configs named their type.
        kind = AutoConfig if "model_type" in stored else BertConfig
        return kind.from_pretrained(name, num_labels=classes)


def load_tokenizer(config: dict):
    """Return the tokenizer that belongs to the model."""
    if config["offline"]:
        return offline.tokenizer()
    name, architecture = str(config["model"]), load_config(config)
    with hub.reading("model", name):
        return AutoTokenizer.from_pretrained(name, config=architecture)


def initial_model(config: dict) -> torch.nn.Module:
    """Return the pretrained model with an untrained head; where no hub is, one with random weights."""
    torch.manual_seed(SEED)
    if config["offline"]:
        return AutoModelForSequenceClassification.from_config(load_config(config))
    name, architecture = str(config["model"]), load_config(config)
    with hub.reading("model", name):
        return AutoModelForSequenceClassification.from_pretrained(name, config=architecture)


def with_weights(config: dict, weights: dict) -> torch.nn.Module:
    """Return the model with weights that came from elsewhere: nothing but the architecture is loaded."""
    model = AutoModelForSequenceClassification.from_config(load_config(config))
    model.load_state_dict(weights)
    return model


def device(name: str) -> torch.device:
    """Return the device that the run config names; auto takes the fastest that is there."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in found.items() if there))
    if not found.get(name):
        there = ", ".join(kind for kind, is_there in found.items() if is_there)
        raise ValueError(f"device is {name!r}, but on this machine there is {there}")
    return torch.device(name)


def train(model: torch.nn.Module, share: Dataset, tokenizer, config: dict, *, seed: int) -> tuple[float, float]:
    """Train the model where it is; return (loss, accuracy) over the samples as they were met in the last epoch."""
    torch.manual_seed(seed)  # for the dropout
    torch.set_num_threads(int(config["threads"]))
    where = device(str(config["device"]))
    model.to(where).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=float(config["learning-rate"]))
    for epoch in range(int(config["local-epochs"])):
        loss, right = 0.0, 0
        for batch in _batches(share, tokenizer, config, seed=1000 * seed + epoch):
            batch = {key: value.to(where) for key, value in batch.items()}
            out = model(**batch)
            optimizer.zero_grad()
            out.loss.backward()
            optimizer.step()
            loss += out.loss.item() * len(batch["labels"])
            right += int((out.logits.argmax(-1) == batch["labels"]).sum())
    return loss / len(share), right / len(share)


@torch.no_grad()
def evaluate(model: torch.nn.Module, share: Dataset, tokenizer, config: dict) -> tuple[float, float]:
    """Return (loss, accuracy); the loss is the mean cross-entropy in nats."""
    torch.set_num_threads(int(config["threads"]))
    where = device(str(config["device"]))
    model.to(where).eval()
    loss, right = 0.0, 0
    for batch in _batches(share, tokenizer, config, seed=None):
        batch = {key: value.to(where) for key, value in batch.items()}
        out = model(**batch)
        loss += out.loss.item() * len(batch["labels"])
        right += int((out.logits.argmax(-1) == batch["labels"]).sum())
    return loss / len(share), right / len(share)


def _batches(share: Dataset, tokenizer, config: dict, *, seed: int | None):
    size, length = int(config["batch-size"]), int(config["max-length"])
    return batches(share, tokenizer, batch_size=size, max_length=length, seed=seed)


def save(model: torch.nn.Module, tokenizer, folder: Path) -> None:
    """Write a folder that transformers opens by its name; the weights are in model.safetensors."""
    model.to("cpu").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
