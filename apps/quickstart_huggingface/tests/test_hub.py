"""The app's default path: model and dataset from the hub, the final model pushed to it, with the hub's real clients.

No hub can be reached where tests run. There is a stand-in for it (hub_standin.py), with repositories of the names and
the shape that the app's defaults have on the hub; their weights and reviews are made up.
"""

import concurrent.futures
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import hf_xet
import pytest
import torch
from datasets import Dataset
from hub_standin import LARGE, Hub, Large, Repo, User
from safetensors.torch import load_file
from transformers import BertForPreTraining

from quickstart_huggingface import offline

ROOT = Path(__file__).parents[1]
DEFAULTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
SMALL = DEFAULTS | {"num-server-rounds": 1, "samples-per-client": 40}
WRITES, READS, WRONG = "hf_writes4f1c9", "hf_reads77be02", "hf_wrong01d5aa"
WAIT = 2  # seconds, for a hub that does not answer


# What is on the hub, by the file names and in the formats of prajjwal1/bert-tiny and stanfordnlp/imdb there


def bert_tiny() -> Repo:
    """A checkpoint of 2020: no type in its config, pickled weights of the pretraining only, a bare word list."""
    pretrained = BertForPreTraining(offline.config(2))
    pretrained.bert.embeddings.register_buffer(
        "position_ids", torch.arange(512)[None]
    )  # was kept with the weights then
    weights = io.BytesIO()
    torch.save(pretrained.state_dict(), weights)
    config = {"hidden_size": 128, "hidden_act": "gelu", "initializer_range": 0.02, "vocab_size": 30522}
    config |= {
        "hidden_dropout_prob": 0.1,
        "num_attention_heads": 2,
        "type_vocab_size": 2,
        "max_position_embeddings": 512,
    }
    config |= {"num_hidden_layers": 2, "intermediate_size": 512, "attention_probs_dropout_prob": 0.1}
    words = [word for word, _ in sorted(offline.tokenizer().get_vocab().items(), key=lambda item: item[1])]
    words += [f"[unused{i}]" for i in range(config["vocab_size"] - len(words))]
    return Repo(
        {
            ".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
            "README.md": b"---\nlanguage:\n- en\nlicense: mit\n---\nMade up for a test.\n",
            "config.json": json.dumps(config).encode(),
            "pytorch_model.bin": weights.getvalue(),
            "vocab.txt": "".join(f"{word}\n" for word in words).encode(),
        }
    )


def imdb() -> Repo:
    """Parquet by split under plain_text, described by the card; the reviews without a label have -1."""
    reviews = offline.reviews()
    some = reviews["test"].select(range(100, 300))
    splits = {
        "train": reviews["train"].select(range(400)),
        "test": reviews["test"].select(range(100)),
        "unsupervised": Dataset.from_dict({"text": some["text"][:], "label": [-1] * 200}, features=some.features),
    }
    files, sizes, paths = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}, "", ""
    for name, split in splits.items():
        parquet = io.BytesIO()
        split.to_parquet(parquet)
        files[f"plain_text/{name}-00000-of-00001.parquet"] = parquet.getvalue()
        sizes += f"  - name: {name}\n    num_bytes: {split.data.nbytes}\n    num_examples: {len(split)}\n"
        paths += f"  - split: {name}\n    path: plain_text/{name}-*\n"
    label = "  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': neg\n          '1': pos\n"
    features = f"  features:\n  - name: text\n    dtype: string\n{label}"
    info = f"dataset_info:\n  config_name: plain_text\n{features}  splits:\n{sizes}"
    configs = f"configs:\n- config_name: plain_text\n  data_files:\n{paths}  default: true\n"
    files["README.md"] = f"---\npretty_name: IMDB\n{info}{configs}---\nMade up for a test.\n".encode()
    return Repo(files)


class Chunks:
    """The folder that stands for the hub's storage by chunks, and what is in there by the sha256 of the whole."""

    def __init__(self, folder: Path):
        self.folder, self.known = folder, {}
        self.pushed: list[Path] = []
        for part in ("chunks", "whole"):
            (folder / part).mkdir(parents=True)
        self.address = f"local://{folder / 'chunks'}"

    def put(self, repos: Iterable[Repo]) -> None:
        """Cut what is large. By a process of its own: whoever has read or written the folder keeps it locked."""
        for data in (data for repo in repos for path, data in repo.files.items() if path.endswith(LARGE)):
            whole = self.folder / "whole" / hashlib.sha256(data).hexdigest()
            whole.write_bytes(data)
            (info,) = hf_xet.hash_files([str(whole)])
            self.known[whole.name] = Large(data, info.hash)
        cut = """import hf_xet, sys
with hf_xet.XetSession().new_upload_commit(endpoint=sys.argv[1]) as commit:
    for path in sys.argv[2:]:
        commit.start_upload_file(path)"""
        whole = [str(self.folder / "whole" / name) for name in self.known]
        subprocess.run([sys.executable, "-c", cut, self.address, *whole], check=True, timeout=60)

    def get(self, oid: str) -> Large | None:
        """Return a file that was put here, or that a run in one of the folders has pushed as chunks."""
        for path in self.pushed:
            if oid not in self.known and path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == oid:
                (info,) = hf_xet.hash_files([str(path)])
                self.known[oid] = Large(path.read_bytes(), info.hash)
        return self.known.get(oid)


class Machine:
    """One with an empty cache, whose app finds the hub by HF_ENDPOINT."""

    def __init__(self, folder: Path, **environment: str):
        self.folder, self.log = folder, ""
        folder.mkdir()
        own = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        own |= {"FLWR_TELEMETRY_ENABLED": "0", "NO_PROXY": "*", "HF_HUB_ETAG_TIMEOUT": str(WAIT)}
        own |= {"HOME": str(folder), "HF_HOME": str(folder / "hf"), "PYTHONPATH": str(ROOT)}
        self.environment = own | environment

    def sign_in(self, token: str) -> None:
        """Leave a token where `hf auth login` leaves it."""
        (self.folder / "hf").mkdir()
        (self.folder / "hf" / "token").write_text(token)

    def do(self, *steps: tuple) -> list[dict]:
        """Do (action, run config, token) after (action, run config, token); see drive.py."""
        command = [sys.executable, str(Path(__file__).with_name("drive.py"))]
        asked, where = json.dumps(steps), {"env": self.environment, "cwd": self.folder}
        done = subprocess.run(command, input=asked, text=True, capture_output=True, timeout=180, **where)
        self.log += done.stderr
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class Case(NamedTuple):
    """What is tried, and what the error says of it."""

    action: str
    changes: dict[str, str]
    token: str
    says: tuple[str, ...]


def model(name: str, token: str, *says: str) -> Case:
    return Case("load", {"model": name}, token, says)


def dataset(name: str, token: str, *says: str) -> Case:
    return Case("share", {"dataset": name}, token, says)


def push(name: str, token: str, *says: str) -> Case:
    return Case("run", {"push-to-hub": name}, token, says)


REFUSED = {
    "no such model": model("site-north/none", "", "has no model 'site-north/none'", "HF_TOKEN"),
    "no such model for a user": model("site-north/no", READS, "has no model 'site-north/no'"),
    "no such dataset": dataset("site-north/none", "", "has no dataset 'site-north/none'"),
    "gated model": model("site-south/gated", "", "model 'site-south/gated' is gated", "Ask for access on"),
    "gated model for a user": model("site-south/closed", READS, "model 'site-south/closed' is gated"),
    "gated dataset": dataset("site-south/gated", "", "/datasets/site-south/gated, then give a token"),
    "gated dataset for a user": dataset("site-south/closed", READS, "dataset 'site-south/closed' is gated"),
    "wrong token": model("site-south/open", WRONG, "refuses this machine's token"),
    "silent for a model": model("site-south/silent", "", "cannot be reached from this machine (ReadTimeout"),
    "silent for a dataset": dataset("site-south/silent", "", "cannot be reached", "HF_ENDPOINT"),
    "no name": model("/models/bert tiny", "", "neither a folder on this machine nor a name"),
    "no push with a wrong token": push("site-north/m", WRONG, "does not let the ServerApp's token write", "(401)"),
    "no push without the right": push("site-north/m", READS, "does not let the ServerApp's token write", "(403)"),
    "no push to what is there": push("site-north/there", READS, "write to 'site-north/there'", "(403)"),
    "no push to others": push("site-south/m", WRITES, "write to 'site-south/m'", "(403)"),
    "no push without a token": push("site-north/m", "", "push-to-hub is set, but the ServerApp has no token"),
}
DOWN = {
    "model": model("site-north/other", "", "cannot be reached from this machine (ConnectError", "HTTPS_PROXY"),
    "dataset": dataset("site-north/other", "", "cannot be reached", "set 'dataset' to a folder"),
    "push": push("site-north/m", WRITES, "the push to 'site-north/m'", "Connection refused"),
}


def steps(cases: dict[str, Case]) -> list[tuple]:
    return [(case.action, SMALL | case.changes, case.token) for case in cases.values()]


class Came(NamedTuple):
    hub: Hub
    machines: dict[str, Machine]
    shares: dict
    first: dict
    pushed: dict[str, list[dict]]
    refused: dict[str, dict]
    cached: dict
    down: dict[str, dict]

    @property
    def logs(self) -> str:
        return "".join(machine.log for machine in self.machines.values())


@pytest.fixture(scope="module")
def came(tmp_path_factory):
    """What came of everything, done once and side by side, because each machine imports torch for seconds."""
    folder = tmp_path_factory.mktemp("hub")
    chunks = Chunks(folder / "storage")
    models = {"prajjwal1/bert-tiny": bert_tiny()}
    datasets = {"stanfordnlp/imdb": imdb()}
    chunks.put([*models.values(), *datasets.values()])
    for there in (models, datasets):
        gated = Repo({"config.json": b"{}", "README.md": b""}, gated=True)
        there |= {"site-south/gated": gated, "site-south/closed": gated, "site-south/silent": Repo(silent=True)}
    models["site-north/there"] = Repo({"README.md": b""})
    users = {WRITES: User("site-north", True), READS: User("site-north", False)}
    with Hub(models, datasets, users, chunks.address, chunks.get) as hub:
        by_chunks = Machine(folder / "by-chunks", HF_ENDPOINT=hub.url)
        by_chunks.sign_in(WRITES)
        by_lfs = Machine(folder / "by-lfs", HF_ENDPOINT=hub.url, HF_HUB_DISABLE_XET="1")
        chunks.pushed.append(by_chunks.folder / "final_model" / "model.safetensors")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            one = pool.submit(by_chunks.do, *pushed("site-north/by-chunks", ""))
            two = pool.submit(
                by_lfs.do,
                *[(action, SMALL, "") for action in ("share", "load")],
                *steps(REFUSED),
                *pushed("site-north/by-lfs", WRITES),
            )
            by_chunks_came, (shares, first, *refused, trained, loaded) = one.result(), two.result()
    # The hub is closed: nobody is at its address.
    without = Machine(folder / "without", HF_ENDPOINT=hub.url, HF_HOME=by_chunks.environment["HF_HOME"])
    down = without.do(("run", SMALL, ""), *steps(DOWN))
    return Came(
        hub=hub,
        machines={"by-chunks": by_chunks, "by-lfs": by_lfs, "without": without},
        shares=shares,
        first=first,
        pushed={"by-chunks": by_chunks_came, "by-lfs": [trained, loaded]},
        refused=dict(zip(REFUSED, refused, strict=True)),
        cached=down[0],
        down=dict(zip(DOWN, down[1:], strict=True)),
    )


def pushed(repo: str, token: str) -> list[tuple]:
    return [("run", SMALL | {"push-to-hub": repo}, token), ("load", SMALL | {"model": repo}, token)]


def test_participants_load_their_shares_of_the_default_dataset(came):
    told = came.shares["came"]
    (train, held_out), (others, _) = told["rows"]
    assert (len(train), len(held_out)) == (32, 8)
    assert not {text for text, _ in train + held_out} & {text for text, _ in others}
    assert told["label"] == "ClassLabel(names=['neg', 'pos'])"
    reviews = offline.reviews()["train"]
    assert {tuple(row) for row in train} <= set(zip(reviews["text"], reviews["label"], strict=True))


TRAINED, EVALUATED = ["num-examples", "train_accuracy", "train_loss"], ["eval_accuracy", "eval_loss", "num-examples"]


def trains(figures: list[dict]) -> None:
    """Two participants have trained, and then evaluated."""
    assert [sorted(one) for one in figures] == [TRAINED, TRAINED, EVALUATED, EVALUATED]
    assert [one["num-examples"] for one in figures] == [32, 32, 8, 8]
    assert all(0.4 < one.get("train_loss", one.get("eval_loss")) < 1 for one in figures)


HOW = pytest.mark.parametrize("how", ["by-chunks", "by-lfs"])


@HOW
def test_the_default_model_is_trained_and_evaluated(came, how):
    trains(came.pushed[how][0]["came"])


@HOW
def test_the_final_model_is_pushed_and_loads_again(came, how):
    repo, folder = came.hub.repos["models"][f"site-north/{how}"], came.machines[how].folder / "final_model"
    assert repo.private
    there = {path: data for path, data in repo.files.items() if path != ".gitattributes"}
    assert there == {path.name: path.read_bytes() for path in folder.iterdir()}
    words = "bert.embeddings.word_embeddings.weight"
    final = load_file(folder / "model.safetensors")[words]
    first = torch.load(io.BytesIO(came.hub.repos["models"]["prajjwal1/bert-tiny"].files["pytorch_model.bin"]))[words]
    assert 0 < (final - first).abs().max() < 0.01  # trained on, from the weights of the hub
    again = came.pushed[how][1]["came"]
    assert again["words"] == hashlib.sha256(final.numpy().tobytes()).hexdigest()
    assert again["ids"] == offline.tokenizer()("a dull film.")["input_ids"]


def test_what_is_public_needs_no_token(came):
    anonymous = {s.target.split("?")[0] for s in came.hub.seen if not s.headers.get("Authorization")}
    assert "/datasets/stanfordnlp/imdb/resolve/main/README.md" in anonymous
    assert "/prajjwal1/bert-tiny/resolve/main/config.json" in anonymous
    assert came.first["came"]["ids"] == offline.tokenizer()("a dull film.")["input_ids"]


def test_files_come_and_go_as_the_hub_has_them(came):
    """Chunks where the client has Xet; else the storage, another host, which gets no token of the hub's."""
    asked = {(s.method, re.sub(r"[0-9a-f]{40,64}", "#", s.target)) for s in came.hub.seen}
    for kind in ("models/prajjwal1/bert-tiny", "datasets/stanfordnlp/imdb", "models/site-north/by-chunks"):
        assert ("GET", f"/api/{kind}/xet-read-token/#") in asked
    assert ("GET", "/api/models/site-north/by-chunks/xet-write-token/main") in asked
    for how in ("by-chunks", "by-lfs"):
        assert ("POST", f"/api/models/site-north/{how}/commit/main") in asked
    assert ("POST", "/site-north/by-lfs.git/info/lfs/objects/batch") in asked
    stored = [s for s in came.hub.seen if s.target.startswith("/stored/")]
    assert {s.method for s in stored} == {"GET", "PUT"}
    assert all(s.host.startswith("localhost:") and "Authorization" not in s.headers for s in stored)


def test_nobody_is_asked_to_convert_the_weights(came):
    """transformers would look for its converter's pull request, and then ask a Space, whatever HF_ENDPOINT says."""
    assert not [s.target for s in came.hub.seen if "/commits/" in s.target or "/discussions" in s.target]


def test_a_token_is_in_no_log_and_no_address(came):
    sent = {s.headers.get("Authorization") for s in came.hub.seen}
    assert sent == {None} | {f"Bearer {token}" for token in (WRITES, READS, WRONG)}
    said = came.logs + json.dumps([came.refused, came.down])
    for token in (WRITES, READS, WRONG):
        assert token not in said
        for s in came.hub.seen:
            others = [value for name, value in s.headers.items() if name.lower() != "authorization"]
            assert token not in s.target + str(others) and token.encode() not in s.body


def test_the_log_has_rounds_and_nothing_of_downloads(came):
    """A round for each run that was let begin: a push that would be refused is refused before."""
    assert came.logs.count("[ROUND 1/1]") == 3
    assert "%|" not in came.logs
    assert "Retrying" not in came.logs


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_ends_at_once_with_cause_and_remedy(came, what):
    explained(came.refused[what], REFUSED[what].says, within=WAIT + 3)


@pytest.mark.parametrize("what", DOWN)
def test_a_hub_that_is_down_ends_at_once_with_cause_and_remedy(came, what):
    explained(came.down[what], DOWN[what].says, within=3)


def explained(told: dict, parts: Iterable[str], *, within: float) -> None:
    assert told["error"].startswith("HubError: ")
    assert not [part for part in parts if part not in told["error"]], told["error"]
    assert told["seconds"] < within


def test_what_is_in_the_cache_is_trained_without_a_hub(came):
    trains(came.cached["came"])


def test_the_stand_in_says_that_it_is_one(came):
    with Hub({}, {}, {}, "", lambda oid: None) as hub, urllib.request.urlopen(hub.url) as reply:
        assert "not the Hugging Face hub" in reply.headers["Server"]
        assert b"not the Hugging Face hub" in reply.read()
