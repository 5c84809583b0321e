"""A ServerApp that has seen enough before its last round, as with `should_stop` of Flower 1.43."""

import contextlib

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


class Enough(Exception):
    """The model is good enough."""


class Patience(FedAvg):
    """FedAvg that ends when a round has been evaluated."""

    enough = 0

    def aggregate_evaluate(self, server_round, replies):
        metrics = super().aggregate_evaluate(server_round, replies)
        if server_round == self.enough:
            raise Enough
        return metrics


@app.main()
def main(grid: Grid, context: Context) -> None:
    strategy = Patience(min_available_nodes=1, min_train_nodes=1, min_evaluate_nodes=1)
    strategy.enough = int(context.run_config["enough-after"])
    with contextlib.suppress(Enough):
        strategy.start(
            grid=grid,
            initial_arrays=ArrayRecord([np.zeros(4)]),
            num_rounds=int(context.run_config["num-server-rounds"]),
        )
