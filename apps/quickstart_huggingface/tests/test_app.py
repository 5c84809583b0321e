import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import torch
from flwr.app import ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg, Result
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForPreTraining

from quickstart_huggingface import data, hub, model, offline, server_app

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN_CONFIG = PYPROJECT["tool"]["flwr"]["app"]["config"]


def settings(**changes):
    return RUN_CONFIG | {"offline": True, "device": "cpu"} | {k.replace("_", "-"): v for k, v in changes.items()}


def rows(share):
    return list(zip(share["text"], share["label"], strict=True))


@pytest.fixture(scope="module")
def tokenizer():
    return offline.tokenizer()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and a dataset in local folders, in the formats that the hub has."""
    path = tmp_path_factory.mktemp("offline")
    offline.write(path)
    return path


def local(folder, **changes):
    return settings(offline=False, model=str(folder / "model"), dataset=str(folder / "dataset"), **changes)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# The data


def test_the_reviews_and_the_tokenizer_are_the_same_on_every_machine(tokenizer):
    texts = "\n".join(offline.reviews()["train"]["text"])
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == "88ac90fee299c8e4"
    vocabulary = json.dumps(sorted(tokenizer.get_vocab().items()))
    assert hashlib.sha256(vocabulary.encode()).hexdigest()[:16] == "1587b1a115bfcaea"


def test_the_tokenizer_knows_every_word_of_the_reviews(tokenizer):
    ids = tokenizer(offline.reviews()["test"]["text"][:])["input_ids"]
    assert all(row[0] == tokenizer.cls_token_id and row[-1] == tokenizer.sep_token_id for row in ids)
    assert not any(tokenizer.unk_token_id in row for row in ids)


def test_partitions_cover_the_data_and_share_nothing():
    config = settings(samples_per_client=0)
    seen = []
    for partition in range(7):
        train, held_out = data.load_share(config, partition, 7)
        assert len(held_out) == int((len(train) + len(held_out)) * data.HELD_OUT)
        seen += rows(train) + rows(held_out)
    assert sorted(seen) == sorted(rows(offline.reviews()["train"]))


def test_a_share_is_the_same_every_time_and_another_for_another_partition():
    config = settings(samples_per_client=50)
    first, again, other = (rows(data.load_share(config, p, 10)[0]) for p in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize("limit, size", [(50, 50), (0, 400), (5000, 400)])
def test_a_participant_uses_no_more_samples_than_it_is_told_to(limit, size):
    train, held_out = data.load_share(settings(samples_per_client=limit), 0, 10)
    assert len(train) + len(held_out) == size


@pytest.mark.parametrize("partition, total", [(-1, 10), (10, 10), (0, 0), (3, -1)])
def test_an_impossible_partition_is_refused_by_name(partition, total):
    with pytest.raises(ValueError, match="partition"):
        data.load_share(settings(), partition, total)


@pytest.mark.parametrize(
    "partition, total, why", [(4500, 5000, "more than there are samples"), (0, 4000, "too few to train on")]
)
def test_more_partitions_than_the_samples_suffice_for_are_refused(partition, total, why):
    with pytest.raises(ValueError, match=why):
        data.load_share(settings(), partition, total)


# Training


def test_the_architecture_is_that_of_bert_tiny():
    assert sum(p.numel() for p in model.initial_model(settings()).parameters()) == 4_386_178


def federated(config, total, rounds, tokenizer):
    """Rounds of the app with Flower's own averaging, in one process; returns the held-out (loss, accuracy) of each."""
    weights = model.initial_model(config).state_dict()
    shares = [data.load_share(config, p, total) for p in range(total)]
    curve = []
    for server_round in range(1, rounds + 1):
        replies = []
        for train, _ in shares:
            trained = model.with_weights(config, weights)
            model.train(trained, train, tokenizer, config, seed=server_round)
            metrics = MetricRecord({"num-examples": len(train)})
            replies.append(RecordDict({"arrays": ArrayRecord(trained.state_dict()), "metrics": metrics}))
        weights = aggregate_arrayrecords(replies, "num-examples").to_torch_state_dict()
        averaged = model.with_weights(config, weights)
        curve.append(model.evaluate(averaged, shares[0][1], tokenizer, config))
    return curve


def test_two_participants_learn_in_the_default_rounds(tokenizer):
    curve = federated(settings(), 2, RUN_CONFIG["num-server-rounds"], tokenizer)
    losses, accuracies = zip(*curve, strict=True)
    assert losses[0] > losses[1] > losses[2]
    assert accuracies[-1] > 0.8


def trained(tokenizer, **changes):
    config = settings(samples_per_client=40, **changes)
    net = model.initial_model(config)
    figures = model.train(net, data.load_share(config, 0, 10)[0], tokenizer, config, seed=changes.get("seed", 1))
    return figures, net.state_dict()


def test_the_same_seed_gives_the_same_weights_and_figures(tokenizer):
    (first, a), (second, b) = trained(tokenizer), trained(tokenizer)
    assert first == second and same(a, b)
    assert not same(a, trained(tokenizer, seed=2)[1])


@pytest.mark.parametrize(
    "changes", [{"local_epochs": 2}, {"learning_rate": 0.001}, {"batch_size": 8}, {"max_length": 8}]
)
def test_every_setting_changes_the_training(changes, tokenizer):
    assert not same(trained(tokenizer)[1], trained(tokenizer, **changes)[1])


def test_evaluating_changes_nothing(tokenizer):
    config = settings(samples_per_client=40)
    net, (_, share) = model.initial_model(config), data.load_share(config, 0, 10)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    loss, accuracy = model.evaluate(net, share, tokenizer, config)
    assert same(before, net.state_dict())
    assert 0.5 < loss < 0.9 and 0 <= accuracy <= 1


def test_a_device_that_is_not_there_is_refused():
    assert model.device("cpu").type == "cpu"
    assert model.device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="device is 'tpu', but on this machine there is"):
        model.device("tpu")


# Models and datasets in local folders; test_hub.py has those of the hub


def test_a_dataset_in_a_folder_is_split_among_the_partitions(folder):
    config = local(folder, samples_per_client=0)
    seen = [row for p in range(3) for part in data.load_share(config, p, 3) for row in rows(part)]
    assert sorted(seen) == sorted(rows(offline.reviews()["train"]))


def test_a_model_in_a_folder_is_loaded_with_its_weights_and_tokenizer(folder, tokenizer):
    config = local(folder)
    stored = load_file(folder / "model" / "model.safetensors")
    assert same(stored, dict(model.initial_model(config).state_dict()))
    assert model.load_tokenizer(config)("A dull film.")["input_ids"] == tokenizer("A dull film.")["input_ids"]


def test_they_train_together(folder):
    config = local(folder, samples_per_client=40, num_labels=2)
    net, (share, _) = model.initial_model(config), data.load_share(config, 0, 2)
    loss, _ = model.train(net, share, model.load_tokenizer(config), config, seed=1)
    assert 0.5 < loss < 0.9


def test_a_checkpoint_of_berts_first_format_is_loaded(folder, tokenizer, tmp_path):
    """No type in its config, a bare word list, pickled weights of the pretraining: as bert-tiny was published."""
    old = tmp_path / "old"
    old.mkdir()
    pretrained = BertForPreTraining(offline.config(2))
    torch.save(pretrained.state_dict(), old / "pytorch_model.bin")
    names = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    (old / "config.json").write_text(json.dumps({n: getattr(pretrained.config, n) for n in names}))
    words = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (old / "vocab.txt").write_text("".join(f"{word}\n" for word, _ in words))
    config = settings(offline=False, model=str(old))
    net = model.initial_model(config)
    key = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(net.state_dict()[key], pretrained.state_dict()[key])
    assert model.load_tokenizer(config)("A DULL film.")["input_ids"] == tokenizer("a dull film.")["input_ids"]


def test_columns_can_have_other_names(tmp_path):
    (tmp_path / "train.csv").write_text("stars,review,id\n" + "".join(f"{i % 5},film {i},{i}\n" for i in range(40)))
    config = settings(offline=False, dataset=str(tmp_path), text_column="review", label_column="stars")
    train, held_out = data.load_share(config, 0, 2)
    assert train.column_names == ["text", "label"] and len(train) + len(held_out) == 20
    with pytest.raises(ValueError, match="text-column is 'body', but the dataset has the columns stars, review, id"):
        data.load_share(config | {"text-column": "body"}, 0, 2)


def test_the_head_has_as_many_classes_as_the_config_says(folder):
    for config in (settings(num_labels=5), local(folder)):
        assert model.initial_model(config).num_labels == config["num-labels"]


# What comes out


def test_the_final_model_opens_in_transformers(tokenizer, tmp_path):
    net = model.initial_model(settings())
    model.save(net, tokenizer, tmp_path)
    assert same(load_file(tmp_path / "model.safetensors"), dict(net.state_dict()))
    assert same(AutoModelForSequenceClassification.from_pretrained(tmp_path).state_dict(), net.state_dict())
    assert AutoTokenizer.from_pretrained(tmp_path)("so flat")["input_ids"] == tokenizer("so flat")["input_ids"]


def test_nothing_is_pushed_and_no_token_is_taken_unless_asked_for(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "from-the-environment")
    assert hub.token_to_push(settings()) == ""
    assert not [key for key in RUN_CONFIG if "token" in key]


def test_a_run_in_which_nobody_trained_fails(monkeypatch):
    monkeypatch.setattr(FedAvg, "start", lambda *_, **__: Result())
    context = type("Context", (), {"run_config": settings()})()
    with pytest.raises(RuntimeError, match="no participant has trained"):
        server_app.main(None, context)


# The files


def test_the_form_table_fits_the_config():
    hints = PYPROJECT["tool"]["blossomtune"]["config"]
    assert set(hints) == set(RUN_CONFIG)
    for key, hint in hints.items():
        value = RUN_CONFIG[key]
        assert hint["help"].endswith(".")
        assert value in hint.get("choices", [value])
        assert isinstance(value, str) or hint.get("min", value) <= value <= hint.get("max", value)


def test_the_lock_has_what_the_app_names():
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    named = dict(d.split("==") for d in PYPROJECT["project"]["dependencies"] if "==" in d)
    assert len(named) == 7 and named.items() <= locked.items()
    assert locked["flwr"].startswith("1.42.")
    assert "triton" not in locked
