"""A ServerApp of the usual kind."""

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes = int(context.run_config["min-nodes"])
    strategy = FedAvg(min_available_nodes=nodes, min_train_nodes=nodes, min_evaluate_nodes=nodes)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros((4, 4))]),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
