"""A ClientApp that sends an array of another shape, on one partition and from one round on."""

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    which = int(context.run_config["odd-partition"])  # below 0: all
    odd = which < 0 or which == int(context.node_config["partition-id"])
    odd = odd and int(message.content["config"]["server-round"]) >= int(context.run_config["odd-round"])
    rows = int(context.run_config["rows"]) if odd else 10
    arrays = {"layer.bias": np.ones(10), "layer.weight": np.ones((rows, 64)), "head.weight": np.ones((4, rows))}
    content = {
        "arrays": ArrayRecord({name: Array(a) for name, a in arrays.items()}),
        "metrics": MetricRecord({"loss": 1.0, "num-examples": 10}),
    }
    return Message(RecordDict(content), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    return Message(RecordDict({"metrics": MetricRecord({"loss": 1.0, "num-examples": 10})}), reply_to=message)
