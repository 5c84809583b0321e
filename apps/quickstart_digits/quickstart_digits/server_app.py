"""The federation's side: averages what the participants learned and checks it on held-out data."""

import numpy as np
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from quickstart_digits.task import evaluate, initial_weights, load_split

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run all rounds, then write the final model into the working directory."""
    config = context.run_config
    nodes = int(config["min-nodes"])
    strategy = FedAvg(min_available_nodes=nodes, min_train_nodes=nodes, min_evaluate_nodes=nodes)
    _, (samples, labels) = load_split()

    def central(_: int, arrays: ArrayRecord) -> MetricRecord:
        loss, accuracy = evaluate(arrays.to_numpy_ndarrays(), samples, labels)
        return MetricRecord({"loss": loss, "accuracy": accuracy})

    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(initial_weights()),
        num_rounds=int(config["num-server-rounds"]),
        evaluate_fn=central,
    )
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    np.savez("final_model.npz", **dict(zip(names, result.arrays.to_numpy_ndarrays(), strict=True)))
