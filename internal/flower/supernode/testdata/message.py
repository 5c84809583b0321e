"""Print a train message as Flower makes it, for a run id and a node id: {"message", "tree", "objects"} in base64."""

import base64
import json
import sys

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.app.message.message import remove_content_from_message
from flwr.common.serde import message_to_proto
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.task_identity import TaskIdentity


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = int(sys.argv[1]), 1, 8
content = RecordDict({"arrays": ArrayRecord([np.arange(20000.0)]), "config": ConfigRecord({"round": 1})})
message = Message(content, dst_node_id=int(sys.argv[2]), message_type="train", group_id="1", ttl=3600.0)
message.metadata.__dict__["_message_id"] = message.object_id
print(
    json.dumps(
        {
            "message": text(message_to_proto(remove_content_from_message(message)).SerializeToString()),
            "tree": text(get_object_tree(message).SerializeToString()),
            "objects": {i: text(o.deflate()) for i, o in get_all_nested_objects(message).items()},
        }
    )
)
