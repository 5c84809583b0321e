"""A ClientApp that lacks a module on one machine alone."""

import importlib
import time

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


def numbers(kind: str, message: Message, context: Context) -> MetricRecord:
    time.sleep(float(context.run_config["pause"]))
    partition = int(context.node_config["partition-id"])
    if partition == 1:
        importlib.import_module("not_installed_here")
    server_round = int(message.content["config"]["server-round"])
    value = 1.0 / (server_round + partition + 1)
    return MetricRecord({f"{kind}_loss": value, f"{kind}_score": 1.0 - value / 3.0, "num-examples": 10 + partition})


@app.train()
def train(message: Message, context: Context) -> Message:
    arrays = ArrayRecord([a + 1.0 for a in message.content["arrays"].to_numpy_ndarrays()])
    return Message(RecordDict({"arrays": arrays, "metrics": numbers("train", message, context)}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    return Message(RecordDict({"metrics": numbers("eval", message, context)}), reply_to=message)
