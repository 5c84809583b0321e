"""A Runtime API with the first training message of quickstart_digits for each ClientApp that asks.

Usage: runtime.py FAB FAB_ID FAB_VERSION. It prints its port, and when each ClientApp asked for its task and
replied.
"""

import hashlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, Metadata, RecordDict
from flwr.app.message.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.proto.fab_pb2 import Fab
from flwr.proto.message_pb2 import (
    ConfirmMessageReceivedResponse,
    Context,
    PullObjectRequest,
    PullObjectResponse,
    PushObjectResponse,
)
from flwr.proto.run_pb2 import Run
from flwr.proto.runtime_pb2 import (
    PullAppMessagesResponse,
    PullTaskInputResponse,
    PushAppMessagesRequest,
    PushAppMessagesResponse,
    PushTaskOutputResponse,
    SendTaskHeartbeatResponse,
)
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.task_identity import TaskIdentity

NODE, RUN = 7, 9
FAB = Path(sys.argv[1]).read_bytes()
WEIGHTS = [np.zeros((64, 32)), np.zeros(32), np.zeros((32, 10)), np.zeros(10)]


def message() -> Message:
    """Return the message."""
    metadata = Metadata(
        run_id=RUN,
        message_id="",
        src_node_id=1,
        dst_node_id=NODE,
        reply_to_message_id="",
        group_id="1",
        created_at=time.time(),
        ttl=3600.0,
        message_type="train",
    )
    content = RecordDict({"arrays": ArrayRecord(WEIGHTS), "config": ConfigRecord({"server-round": 1})})
    TaskIdentity.run_id = RUN
    TaskIdentity.node_id = 1
    TaskIdentity.task_id = 1
    made = Message(content, dst_node_id=NODE, message_type="train")
    made.__dict__["_metadata"] = metadata
    made.metadata.__dict__["_message_id"] = made.object_id
    return made


MESSAGE = message()
OBJECTS = {key: value.deflate() for key, value in get_all_nested_objects(MESSAGE).items()}
TREE = get_object_tree(MESSAGE)


def task_input() -> PullTaskInputResponse:
    """Return what a task needs apart from its message."""
    run = Run(run_id=RUN, fab_id=sys.argv[2], fab_version=sys.argv[3], fab_hash=hashlib.sha256(FAB).hexdigest())
    context = Context(run_id=RUN, node_id=NODE)
    context.node_config["partition-id"].sint64 = 0
    context.node_config["num-partitions"].sint64 = 2
    for key, value in {"local-epochs": 1, "batch-size": 16}.items():
        context.run_config[key].sint64 = value
    context.run_config["learning-rate"].double = 0.3
    context.run_config["optimizer"].string = "sgd"
    context.run_config["shuffle"].bool = True
    return PullTaskInputResponse(context=context, run=run, fab=Fab(hash_str=run.fab_hash, content=FAB), task_id=1)


class Handler(BaseHTTPRequestHandler):
    """Answers one ClientApp after the other."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:  # noqa: N802
        """Answer a call."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = self.path.rsplit("/", 1)[1]
        now = time.time_ns()
        if call == "pull-task-input":
            answer = task_input()
            print("asked", now, flush=True)
        elif call == "pull-messages":
            answer = PullAppMessagesResponse(
                messages_list=[message_to_proto(remove_content_from_message(MESSAGE))], message_object_trees=[TREE]
            )
        elif call == "pull-object":
            key = PullObjectRequest.FromString(body).object_id
            answer = PullObjectResponse(object_found=True, object_available=True, object_content=OBJECTS[key])
        elif call == "push-messages":
            asked = PushAppMessagesRequest.FromString(body)
            print("replied", now, asked.messages_list[0].HasField("error"), flush=True)
            answer = PushAppMessagesResponse(message_ids=["m"])
        else:
            answer = {
                "send-task-heartbeat": SendTaskHeartbeatResponse(success=True),
                "confirm-message-received": ConfirmMessageReceivedResponse(),
                "push-object": PushObjectResponse(stored=True),
                "push-task-output": PushTaskOutputResponse(),
            }[call]
        text = answer.SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/protobuf")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("port", server.server_port, flush=True)
    server.serve_forever()
