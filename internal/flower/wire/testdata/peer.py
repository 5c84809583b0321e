"""The other side of the contract tests: what the installed flwr says, signs, checks and decodes.

Called with the name of a question; reads its JSON from standard input and writes the answer's to standard output.
Everything is asked of flwr's own code: nothing of its wire is written down a second time here.
"""

import base64
import hashlib
import importlib
import json
import pkgutil
import sys
from types import SimpleNamespace
from typing import get_args, get_type_hints

import flwr.proto
import httpx
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor


def files():
    """Return the descriptors of all of flwr's proto files."""
    for module in pkgutil.iter_modules(flwr.proto.__path__):
        if module.name.endswith("_pb2"):
            yield importlib.import_module(f"flwr.proto.{module.name}").DESCRIPTOR


def kinds():
    """Return the names of field types, as proto files write them."""
    return {v: k[5:].lower() for k, v in vars(FieldDescriptor).items() if k.startswith("TYPE_")}


def describe(message, into):
    """Describe a message and those nested in it."""
    names = kinds()
    fields = {}
    for f in message.fields:
        real = f.containing_oneof is not None and not f.containing_oneof.name.startswith("_")
        fields[f.name] = {
            "number": f.number,
            "type": names[f.type],
            "repeated": f.is_repeated,
            "map": bool(f.message_type and f.message_type.GetOptions().map_entry),
            "optional": f.has_presence and not f.message_type and not real,
            "oneof": f.containing_oneof.name if real else "",
            "message": f.message_type.full_name.removeprefix("flwr.proto.") if f.message_type else "",
        }
    into[message.full_name.removeprefix("flwr.proto.")] = fields
    for nested in message.nested_types:
        describe(nested, into)


def descriptors(_):
    """Answer with every message of flwr."""
    out = {}
    for f in files():
        for message in f.message_types_by_name.values():
            describe(message, out)
    return out


def message_class(name):
    """Return the class of one of flwr's messages."""
    for module in pkgutil.iter_modules(flwr.proto.__path__):
        if module.name.endswith("_pb2"):
            found = getattr(importlib.import_module(f"flwr.proto.{module.name}"), name, None)
            if found is not None:
                return found
    raise LookupError(f"flwr has no message {name}")


def routers():
    """Return flwr's routers, as its SuperLink mounts them."""
    from flwr.supercore.routers.runtime.router import router as runtime
    from flwr.superlink.routers.control.router import router as control
    from flwr.superlink.routers.fleet.router import router as fleet

    return control, fleet, runtime


def routes(_):
    """Answer with the request message of every route."""
    from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES

    return {
        f"{method} {route.path}": PROTOBUF_REQUEST_TYPES[(method, route.path)].__name__
        for router in routers()
        for route in router.routes
        for method in route.methods
    }


def surface(_):
    """Answer with the request and the response message of every route; of a stream, what it consists of."""
    out = {}
    requests = routes(None)
    for router in routers():
        for route in router.routes:
            response = get_type_hints(route.endpoint).get("return")
            parts = get_args(response)
            name = (parts[0] if parts else response).__name__
            for method in route.methods:
                key = f"{method} {route.path}"
                out[key] = {"request": requests[key], "response": name}
    return out


def errors(_):
    """Answer with the body and the status of every error of flwr, as its SuperLink sends them."""
    from flwr.supercore.error import ApiErrorCode, FlowerError
    from flwr.supercore.error.catalog import API_ERROR_MAP

    out = {}
    for code, spec in API_ERROR_MAP.items():
        error = FlowerError(code, "for the SuperLink's log", "what exactly")
        out[ApiErrorCode(code).name] = {
            "code": int(code),
            "status": spec.http_status_code,
            "message": spec.public_message,
            "body": json.dumps(error.to_json(spec.public_message)),
        }
    return out


def decode(calls):
    """Decode requests as flwr's translation of HTTP does."""
    from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES

    out = []
    for call in calls:
        message = PROTOBUF_REQUEST_TYPES[("POST", call["path"])]()
        message.ParseFromString(base64.b64decode(call["body"]))
        out.append(json_format.MessageToDict(message, preserving_proto_field_name=True))
    return out


def encode(messages):
    """Encode answers with flwr's messages."""
    return [
        base64.b64encode(json_format.ParseDict(m["fields"], message_class(m["type"])()).SerializeToString()).decode()
        for m in messages
    ]


def frames(messages):
    """Encode a stream with flwr's framing."""
    from flwr.supercore.protobuf.framing import frame_message

    made = (frame_message(json_format.ParseDict(m["fields"], message_class(m["type"])())) for m in messages)
    return base64.b64encode(b"".join(made)).decode()


def sign_node(_):
    """Sign a request as flwr's SuperNode does."""
    from cryptography.hazmat.primitives import serialization
    from flwr.supercore.primitives.asymmetric import generate_key_pairs
    from flwr.supercore.protobuf.client import ProtobufRequestContext
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    private, public = generate_key_pairs()
    request = httpx.Request("POST", "https://localhost/v1/fleet/pull-messages")
    context = ProtobufRequestContext(rpc_method="", message=None, request=request)
    NodeAuthHttpInterceptor(private, public).intercept(context, lambda _: None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = public.public_bytes(serialization.Encoding.DER, form)
    return {"headers": dict(request.headers), "fingerprint": hashlib.sha256(der).hexdigest()}


def verify_node(headers):
    """Check each of several sets of headers as flwr's SuperLink does."""
    from flwr.proto.fleet_pb2 import RegisterNodeFleetRequest
    from flwr.superlink.routers.fleet.node_auth import authenticate_node

    out = []
    for h in headers:
        key = base64.b64decode(h["Flwr-Public-Key"][0])
        state = SimpleNamespace(protobuf_request=RegisterNodeFleetRequest(public_key=key))
        try:
            authenticate_node(
                SimpleNamespace(headers=httpx.Headers([(k, v) for k, vs in h.items() for v in vs]), state=state)
            )
            out.append("")
        except Exception as e:  # noqa: BLE001
            out.append(repr(e))
    return out


class Nonces:
    """A store of used nonces, as flwr's state is one."""

    def __init__(self):
        self.used = set()

    def reserve_nonce(self, namespace, nonce, expires_at):
        """Take a nonce once."""
        fresh = (namespace, nonce) not in self.used
        self.used.add((namespace, nonce))
        return fresh


def verify_launcher(question):
    """Check each of several calls of a launcher as flwr's SuperLink does, by the dependency of the route itself."""
    from flwr.supercore.dependencies.superexec import authenticate_superexec_request
    from flwr.supercore.protobuf.translation import PROTOBUF_REQUEST_TYPES
    from starlette.datastructures import Headers

    _, _, runtime = routers()
    nonces = Nonces()
    app = SimpleNamespace(state=SimpleNamespace(superexec_auth_secret=base64.b64decode(question["secret"])))
    out = []
    for call in question["calls"]:
        route = next(r for r in runtime.routes if r.path == call["path"])
        guards = [d.call for d in route.dependant.dependencies if type(d.call).__name__ == "SuperExecAuthDependency"]
        (method,) = [v for v in vars(guards[0]).values() if isinstance(v, str)]
        message = PROTOBUF_REQUEST_TYPES[("POST", call["path"])]()
        message.ParseFromString(base64.b64decode(call["body"]))
        headers = Headers(raw=[(k.lower().encode(), v.encode()) for k, vs in call["headers"].items() for v in vs])
        request = SimpleNamespace(app=app, headers=headers, state=SimpleNamespace(protobuf_request=message))
        try:
            authenticate_superexec_request(request, nonces, method)
            out.append("")
        except Exception as e:  # noqa: BLE001
            out.append(repr(e))
    return out


json.dump(globals()[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
