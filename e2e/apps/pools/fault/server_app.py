"""A ServerApp that works in pools of processes, and has its participants do so."""

import time

from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

from fault.pools import work

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Work."""
    print("SERVERAPP worked with " + work(), flush=True)
    while len(ids := sorted(grid.get_node_ids())) < int(context.run_config["nodes"]):
        time.sleep(0.2)
    content = RecordDict({"config": ConfigRecord({"server-round": 1})})
    messages = [Message(content, dst_node_id=node, message_type=MessageType.TRAIN, group_id="1") for node in ids]
    for reply in grid.send_and_receive(messages, timeout=120):
        if reply.has_error():
            print(f"ERROR {reply.error.code} {reply.error.reason}", flush=True)
        else:
            print("CLIENTAPP worked with " + str(reply.content["told"]["work"]), flush=True)
