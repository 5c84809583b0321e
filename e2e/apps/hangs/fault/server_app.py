"""A ServerApp that asks one SuperNode once, and does not wait for ever."""

import time

from flwr.app import Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    while not (nodes := list(grid.get_node_ids())):
        time.sleep(0.5)
    question = Message(content=RecordDict(), message_type=MessageType.TRAIN, dst_node_id=nodes[0], group_id="1")
    replies = list(grid.send_and_receive([question], timeout=float(context.run_config["patience"])))
    print(f"HANGS got {len(replies)} replies", flush=True)
