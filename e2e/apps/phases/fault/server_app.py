"""A ServerApp that asks all SuperNodes, phase by phase, and prints how long their replies took.

A message has 12 objects.
"""

import time

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()
LAYERS = 4
VALUES = 256


@app.main()
def main(grid: Grid, context: Context) -> None:
    wanted = int(context.run_config["min-nodes"])
    while len(nodes := list(grid.get_node_ids())) < wanted:
        time.sleep(1)
    for phase in range(int(context.run_config["phases"])):
        layers = [np.full(VALUES, phase + i / 10, dtype=np.float32) for i in range(LAYERS)]
        content = RecordDict({"arrays": ArrayRecord(layers), "config": MetricRecord({"phase": phase})})
        began = time.monotonic()
        replies = list(
            grid.send_and_receive([Message(content, node, "train", group_id=str(phase)) for node in nodes], timeout=300)
        )
        seconds = time.monotonic() - began
        good = 0
        for reply in replies:
            if reply.has_error():
                print(f"ERROR {reply.error.reason}", flush=True)
                continue
            arrays = reply.content["arrays"].to_numpy_ndarrays()
            good += len(arrays) == LAYERS and all(a.shape == (VALUES,) and np.isfinite(a).all() for a in arrays)
        print(f"PHASE {phase} asked={len(nodes)} good={good} seconds={seconds:.3f}", flush=True)
