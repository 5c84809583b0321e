"""A server_fn of the older API."""

import numpy as np
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg


def server_fn(context: Context) -> ServerAppComponents:
    nodes = int(context.run_config["min-nodes"])
    strategy = FedAvg(
        min_available_clients=nodes,
        min_fit_clients=nodes,
        min_evaluate_clients=nodes,
        initial_parameters=ndarrays_to_parameters([np.zeros((4, 4))]),
    )
    return ServerAppComponents(
        strategy=strategy, config=ServerConfig(num_rounds=int(context.run_config["num-server-rounds"]))
    )


app = ServerApp(server_fn=server_fn)
