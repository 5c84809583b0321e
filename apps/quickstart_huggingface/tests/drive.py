"""Does with the app what standard input says, and prints what came of it.

A process of its own, because the hub's clients read their settings when they are imported.
Input and output are JSON: a list of [action, run config, token], a list of what each returned or how it ended.
"""

import faulthandler
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable

from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from quickstart_huggingface import client_app, data, model, server_app


class OneProcess(Grid):
    """Two SuperNodes with the app's ClientApp, called where they are."""

    def __init__(self, config: dict):
        parts = {node: {"partition-id": node - 1, "num-partitions": 2} for node in (1, 2)}
        self.nodes = {n: Context(1, n, part, RecordDict(), config) for n, part in parts.items()}
        self.figures: list[dict] = []

    def get_node_ids(self) -> Iterable[int]:
        return list(self.nodes)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        replies = [client_app.app(m, self.nodes[m.metadata.dst_node_id]) for m in messages]
        self.figures += [dict(reply.content["metrics"]) for reply in replies]
        return replies

    def _none(self, *_, **__):
        raise NotImplementedError

    run = property(_none)
    set_run = create_message = push_messages = pull_messages = _none


def share(config: dict) -> dict:
    parts = [data.load_share(config, p, 2) for p in (0, 1)]
    rows = [[[*zip(s["text"], s["label"], strict=True)] for s in part] for part in parts]
    return {"rows": rows, "label": str(parts[0][0].features["label"])}


def run(config: dict) -> list[dict]:
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1  # otherwise Flower's process sets them
    grid = OneProcess(config)
    server_app.main(grid, Context(1, 0, {}, RecordDict(), config))
    return grid.figures


def load(config: dict) -> dict:
    net, tokenizer = model.initial_model(config), model.load_tokenizer(config)
    words = net.state_dict()["bert.embeddings.word_embeddings.weight"].numpy().tobytes()
    return {"words": hashlib.sha256(words).hexdigest(), "ids": tokenizer("A DULL film.")["input_ids"]}


def main() -> None:
    faulthandler.dump_traceback_later(170, exit=True)  # a step that hangs says where
    told = []
    for action, config, token in json.load(sys.stdin):
        os.environ.pop("HF_TOKEN", None)
        if token:
            os.environ["HF_TOKEN"] = token
        began = time.monotonic()
        try:
            came = {"came": {"share": share, "run": run, "load": load}[action](config)}
        except Exception as e:
            came = {"error": f"{type(e).__name__}: {e}"}
        told.append(came | {"seconds": time.monotonic() - began})
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
