"""A ServerApp that tries to get out, lets a ClientApp try, and prints what came of both."""

import json
import time

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

from fault.takes import take
from fault.ways import tried

app = ServerApp()


def tell(who: str, told: dict[str, str]) -> None:
    """Print each way on a line of its own: long lines are cut."""
    for way, how in told.items():
        print(f"{who} {json.dumps({way: how})}", flush=True)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Try."""
    config = context.run_config
    attack = str(config["attack"])
    if attack.startswith("server"):
        take(attack)
    targets = json.loads(str(config["targets"]))
    tell("SERVERAPP", tried(targets))
    while len(ids := sorted(grid.get_node_ids())) < int(config["nodes"]):
        time.sleep(0.2)
    content = RecordDict({"config": ConfigRecord({"targets": json.dumps(targets), "attack": attack})})
    messages = [Message(content, dst_node_id=node, message_type=MessageType.TRAIN, group_id="1") for node in ids]
    for reply in grid.send_and_receive(messages, timeout=60):
        if reply.has_error():
            print(f"ERROR {reply.error.code} {reply.error.reason}", flush=True)
        else:
            tell("CLIENTAPP", json.loads(str(reply.content["told"]["ways"])))
