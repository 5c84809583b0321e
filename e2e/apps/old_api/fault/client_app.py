"""A NumPyClient of the older API."""

import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context


class Client(NumPyClient):
    def __init__(self, partition: int) -> None:
        self.partition = partition

    def fit(self, parameters, config):
        return [p + 1.0 for p in parameters], 10 + self.partition, {"fit_score": 0.25 * (self.partition + 1)}

    def evaluate(self, parameters, config):
        level = float(np.mean(parameters[0]))
        return 1.0 / (1.0 + level + self.partition), 10 + self.partition, {"accuracy": 0.5 + 0.1 * self.partition}


def client_fn(context: Context):
    return Client(int(context.node_config["partition-id"])).to_client()


app = ClientApp(client_fn=client_fn)
