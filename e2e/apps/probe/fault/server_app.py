"""A ServerApp that tells from which package index its package came."""

import numpy as np
from blossomtune_probe import ORIGIN
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    print(f"ORIGIN {ORIGIN}", flush=True)
    strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=1, min_train_nodes=1, min_evaluate_nodes=0)
    strategy.start(grid=grid, initial_arrays=ArrayRecord([np.zeros(2)]), num_rounds=1)
    print("PROBE DONE", flush=True)
