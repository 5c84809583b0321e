"""A ServerApp with a loop of its own: no group, no round in a config, no word in the log."""

import time

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    while len(ids := sorted(grid.get_node_ids())) < 2:
        time.sleep(0.2)
    for _ in range(int(context.run_config["num_rounds"])):
        for kind in (MessageType.TRAIN, MessageType.EVALUATE):
            content = RecordDict({"config": ConfigRecord({"momentum": 0.9})})
            grid.send_and_receive([Message(content, message_type=kind, dst_node_id=i) for i in ids], timeout=120)
