"""A ServerApp that averages arrays, or stacks them, or holds the average against a model of its own."""

import numpy as np
from flwr.app import Array, ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


class Stacking(FedAvg):
    def aggregate_train(self, server_round, replies):
        replies = [r for r in replies if r.has_content()]
        np.stack([r.content["arrays"]["layer.weight"].numpy() for r in replies])
        return super().aggregate_train(server_round, replies)


class Holding(FedAvg):
    def aggregate_train(self, server_round, replies):
        arrays, metrics = super().aggregate_train(server_round, replies)
        print(np.zeros((10, 64)) + arrays["layer.weight"].numpy(), flush=True)
        return arrays, metrics


@app.main()
def main(grid: Grid, context: Context) -> None:
    nodes = int(context.run_config["min-nodes"])
    kind = {"average": FedAvg, "stack": Stacking, "hold": Holding}[str(context.run_config["how"])]
    strategy = kind(min_available_nodes=nodes, min_train_nodes=nodes, min_evaluate_nodes=nodes)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord({"layer.weight": Array(np.ones((10, 64)))}),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
    print("MISFIT DONE", flush=True)
