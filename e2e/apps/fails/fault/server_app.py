"""A ServerApp that expects that replies are good."""

import importlib

import httpx
import numpy as np
from flwr.app import Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


def mean(losses: list[float]) -> float:
    return sum(losses) / len(losses)


def library(losses: list[float]) -> float:
    return float(np.average(losses, weights=np.zeros(len(losses))))


def chained(losses: list[float]) -> float:
    try:
        return {"weight": 1.0}["age"]
    except KeyError as err:
        raise RuntimeError("no table") from err


def group(losses: list[float]) -> float:
    raise ExceptionGroup("parts failed", [ValueError("first"), TypeError("second")])


def hub(losses: list[float]) -> float:
    return float(httpx.get("https://data.example.invalid/set.csv", timeout=5).status_code)


def flower(losses: list[float]) -> float:
    return importlib.import_module("flwr.server.strategy.fednothing").value


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes: list[int] = []
    while len(nodes) < int(context.run_config["min-nodes"]):
        nodes = list(grid.get_node_ids())
    messages = [Message(RecordDict(), dst_node_id=n, message_type=MessageType.TRAIN, group_id="1") for n in nodes]
    replies = list(grid.send_and_receive(messages))
    losses = [r.content["metrics"]["loss"] for r in replies if not r.has_error()]
    print("LOSS", globals()[context.run_config["server"]](losses), flush=True)
