"""A ServerApp that asks all SuperNodes in each round and prints who answered how."""

import time

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Ask, round by round."""
    config = context.run_config
    while len(ids := sorted(grid.get_node_ids())) < int(config["nodes"]):
        time.sleep(0.2)
    size = int(config["megabytes"]) * 1_000_000 // 8
    for number in range(1, int(config["rounds"]) + 1):
        messages = []
        for node in ids:
            content = RecordDict({"config": ConfigRecord({"round": number})})
            if size:
                content["arrays"] = ArrayRecord([np.random.default_rng(number).random(size)])
            messages.append(Message(content, dst_node_id=node, message_type=MessageType.TRAIN, group_id=str(number)))
        began = time.monotonic()
        replies = list(grid.send_and_receive(messages, timeout=float(config["timeout"])))
        errors = [r.error for r in replies if r.has_error()]
        print(
            f"[ROUND {number}/{config['rounds']}] {len(replies) - len(errors)} results, {len(errors)} errors "
            f"in {time.monotonic() - began:.1f} s",
            flush=True,
        )
        for e in errors:
            print(f"ERROR {e.code} {e.reason}", flush=True)
    print("ENDINGS DONE", flush=True)
