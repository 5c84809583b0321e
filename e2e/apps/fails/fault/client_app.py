"""A ClientApp that fails in the way that the config names, but for a partition that is spared."""

import httpx
import numpy as np
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


def key(partition: int) -> float:
    table = {"weight": 1.0}
    return table["age"]


def array(partition: int) -> float:
    return float(np.average(np.zeros(3), weights=np.zeros(3)))


def file(partition: int) -> float:
    return float(np.load(f"/nowhere/of/site{partition}/part-{partition}.npy").sum())


def hub(partition: int) -> float:
    return float(httpx.get("https://data.example.invalid/set.csv", timeout=5).status_code)


def flower(partition: int) -> float:
    from flwr.common import ndarrays_to_nothing

    return ndarrays_to_nothing(partition)


def mixed(partition: int) -> float:
    return [key, array][partition % 2](partition)


@app.train()
def train(message: Message, context: Context) -> Message:
    partition = int(context.node_config["partition-id"])
    value = 1.0
    if partition != int(context.run_config["spare"]):
        value = globals()[context.run_config["how"]](partition)
    return Message(RecordDict({"metrics": MetricRecord({"loss": value})}), reply_to=message)
