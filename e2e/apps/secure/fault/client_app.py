"""A NumPyClient of the older API behind secure aggregation, which fails on the partition that the config names."""

import time

from flwr.client import ClientApp, NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.common import Context


class Client(NumPyClient):
    def __init__(self, partition: int, leaves: int, pause: float) -> None:
        self.partition, self.leaves, self.pause = partition, leaves, pause

    def fit(self, parameters, config):
        time.sleep(self.pause)
        if self.partition == self.leaves:
            raise RuntimeError("it leaves")
        return [p + 1.0 for p in parameters], 10, {}

    def evaluate(self, parameters, config):
        return 0.5, 10, {}


def client_fn(context: Context):
    run = context.run_config
    return Client(int(context.node_config["partition-id"]), int(run["leaves"]), float(run["pause"])).to_client()


app = ClientApp(client_fn=client_fn, mods=[secaggplus_mod])
