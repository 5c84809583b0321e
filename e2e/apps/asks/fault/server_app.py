"""A ServerApp that sends queries and collects the replies itself."""

import time

from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Ask, then collect."""
    while len(nodes := sorted(grid.get_node_ids())) < int(context.run_config["min-nodes"]):
        time.sleep(0.2)
    for kind in ("query", "query.means"):
        waiting = set(grid.push_messages([Message(RecordDict(), dst_node_id=n, message_type=kind) for n in nodes]))
        while waiting:
            for reply in grid.pull_messages(list(waiting)):
                waiting.discard(reply.metadata.reply_to_message_id)
                print(f"REPLY {kind} {'error' if reply.has_error() else sorted(reply.content)}", flush=True)
            time.sleep(0.1)
