"""A stand-in for the Hugging Face hub. It is not the hub, and every reply of it says so.

It speaks the part of the hub's HTTP API that huggingface_hub, transformers, datasets and flwr-datasets use to load a
model and a dataset and to push a folder, with the hub's paths, redirects, headers and refusals, on loopback. Clients
are pointed at it by HF_ENDPOINT. It keeps what it was asked, so that a test can say what went over the wire.

Large files come and go as on the hub: by Xet, in chunks, and by LFS for clients without Xet. The servers that keep the
hub's chunks are left out: in their place clients are sent to a folder that their own Xet library (hf_xet) writes.
"""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit

NAME = "hub-stand-in (a test's, not the Hugging Face hub)"
LARGE = (".bin", ".safetensors", ".parquet")


@dataclass
class Repo:
    """A repository of the hub, at its one commit."""

    files: dict[str, bytes] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    silent: bool = False  # takes requests and never answers them

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(sorted((p, _sha256(b)) for p, b in self.files.items())).encode()).hexdigest()


class User(NamedTuple):
    name: str
    writes: bool


class Seen(NamedTuple):
    """A request as it came."""

    method: str
    host: str
    target: str
    headers: Message
    body: bytes


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Refusal(Exception):
    """What the hub says no with."""

    def __init__(self, status: int, code: str, message: str, **headers: str):
        super().__init__(message)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        code_header = {"X-Error-Code": code} if code else {}
        body = json.dumps({"error": message}).encode()
        self.reply = Reply(
            status, body, {"X-Error-Message": message, "Content-Type": "application/json"} | code_header | more
        )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _json(value, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _entry(path: str, data: bytes) -> dict:
    one = {"type": "file", "path": path, "size": len(data), "oid": _git(data)}
    if path.endswith(LARGE):
        one["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
    return one


class Large(NamedTuple):
    """A large file's content, and the name that it has as chunks."""

    data: bytes
    xet: str


class Hub:
    """The stand-in, serving from `with` on.

    Chunks is the address of the folder for them, and chunked what is in there by the sha256 of the whole.
    """

    def __init__(
        self,
        models: dict[str, Repo],
        datasets: dict[str, Repo],
        tokens: dict[str, User],
        chunks: str,
        chunked: Callable[[str], Large | None],
    ):
        self.repos = {"models": models, "datasets": datasets}
        self.tokens = tokens
        self.chunks, self.chunked = chunks, chunked
        self.stored: dict[str, bytes] = {}  # what was uploaded by LFS, by sha256
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.storage = f"http://localhost:{self.server.server_port}"  # another host, as the hub's storage is

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, seen: Seen) -> Reply:
        """Return what the hub answers to a request."""
        url = urlsplit(seen.target)
        for methods, pattern, action in ROUTES:
            if seen.method in methods and (found := re.fullmatch(pattern, url.path)):
                named = {name: unquote(value) for name, value in found.groupdict(default="").items()}
                try:
                    return action(self, seen, **named)
                except Refusal as no:
                    return no.reply
        return _json({"error": f"{NAME}: {seen.method} {url.path} is not part of it"}, 404)

    # Who may

    def user(self, seen: Seen) -> User | None:
        given = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        if not given:
            return None
        if given not in self.tokens:
            raise Refusal(401, "", "Invalid credentials in Authorization header")
        return self.tokens[given]

    def repo(self, seen: Seen, kind: str, name: str, *, files: bool = False) -> Repo:
        """Return a repository that may be seen; one that may not is, to who asks, not there."""
        repo = self.repos[kind].get(name)
        if repo and repo.silent:
            self.closing.wait()
        if repo and repo.gated and files and not seen.headers.get("Authorization"):
            what = f"Access to {kind[:-1]} {name} is restricted."
            how = "You must have access to it and be authenticated to access it. Please log in."
            raise Refusal(401, "GatedRepo", f"{what} {how}")
        user = self.user(seen)
        if repo is None or repo.private and (user is None or user.name != name.split("/")[0]):
            if user is None:  # the hub does not tell strangers what there is
                raise Refusal(401, "", "Invalid username or password.")
            raise Refusal(404, "RepoNotFound", "Repository not found")
        if repo.gated and files:
            what = f"Access to {kind[:-1]} {name} is restricted and you are not in the authorized list."
            raise Refusal(403, "GatedRepo", f"{what} Visit {self.url}/{name} to ask for access.")
        return repo

    def writable(self, seen: Seen, kind: str, name: str) -> Repo:
        repo = self.repo(seen, kind, name)
        self.may_write(seen, kind, name)
        return repo

    def may_write(self, seen: Seen, kind: str, name: str) -> None:
        user, namespace = self.user(seen), name.split("/")[0]
        if user is None:
            raise Refusal(401, "", "Invalid username or password.")
        if not user.writes or user.name != namespace:
            raise Refusal(
                403, "", f'You don\'t have the rights to create a {kind[:-1]} under the namespace "{namespace}"'
            )

    # Reading

    def resolve(self, seen: Seen, kind: str, name: str, revision: str, path: str) -> Reply:
        """Say what a file is, and where: a small one in the hub's cache, a large one in the storage, another host."""
        kind = kind or "models"
        data, headers = self.file(seen, kind, name, revision, path)
        if not path.endswith(LARGE):
            where = f"/api/resolve-cache/{kind}/{name}/{headers['X-Repo-Commit']}/{quote(path)}"
            return Reply(307, b"", headers | {"Location": where})
        oid = _sha256(data)
        headers["Location"] = f"{self.storage}/stored/{oid}?signature=of-the-stand-in"
        if large := self.chunked(oid):
            by = f"{self.url}/api/{kind}/{name}/xet-read-token/{headers['X-Repo-Commit']}"
            headers |= {"X-Xet-Hash": large.xet, "Link": f'<{by}>; rel="xet-auth"'}
        return Reply(302, b"", headers)

    def cached(self, seen: Seen, kind: str, name: str, revision: str, path: str) -> Reply:
        data, headers = self.file(seen, kind, name, revision, path)
        return Reply(200, data, headers | {"ETag": headers["X-Linked-ETag"]})

    def file(self, seen: Seen, kind: str, name: str, revision: str, path: str) -> tuple[bytes, dict[str, str]]:
        repo = self.repo(seen, kind, name, files=True)
        if revision not in ("main", repo.commit):
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if path not in repo.files:
            raise Refusal(404, "EntryNotFound", "Entry not found", X_Repo_Commit=repo.commit)
        data = repo.files[path]
        tag = _sha256(data) if path.endswith(LARGE) else _git(data)
        return data, {"X-Repo-Commit": repo.commit, "X-Linked-ETag": f'"{tag}"', "X-Linked-Size": str(len(data))}

    def from_storage(self, _: Seen, oid: str) -> Reply:
        data = self.large(oid)
        return Reply(404) if data is None else Reply(200, data, {"ETag": f'"{oid}"'})

    def large(self, oid: str) -> bytes | None:
        found = self.chunked(oid)
        return found.data if found else self.stored.get(oid)

    def chunk_token(self, seen: Seen, kind: str, name: str, right: str, revision: str) -> Reply:
        """Send a client to the chunks, with a token for them alone."""
        if right == "write":
            self.writable(seen, kind, name)
        else:
            self.repo(seen, kind, name, files=True)
        until = int(time.time()) + 3600
        headers = {
            "X-Xet-Cas-Url": self.chunks,
            "X-Xet-Access-Token": "of-the-chunks",
            "X-Xet-Token-Expiration": str(until),
        }
        reply = _json({"casUrl": self.chunks, "accessToken": "of-the-chunks", "exp": until})
        return reply._replace(headers=reply.headers | headers)

    def info(self, seen: Seen, kind: str, name: str, revision: str = "main") -> Reply:
        repo = self.repo(seen, kind, name)
        if revision not in ("", "main", repo.commit):
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        siblings = [{"rfilename": path} for path in sorted(repo.files)]
        gated = "manual" if repo.gated else False
        more = {
            "sha": repo.commit,
            "private": repo.private,
            "gated": gated,
            "disabled": False,
            "tags": [],
            "siblings": siblings,
        }
        return _json({"_id": _git(name.encode())[:24], "id": name, "downloads": 0, "likes": 0} | more)

    def tree(self, seen: Seen, kind: str, name: str, revision: str, path: str) -> Reply:
        repo = self.repo(seen, kind, name)
        asked = parse_qs(urlsplit(seen.target).query)
        under = f"{path}/" if path else ""
        within = {p: data for p, data in repo.files.items() if p.startswith(under)}
        if not within:
            raise Refusal(404, "EntryNotFound", f'{path} does not exist on "{revision}"', X_Repo_Commit=repo.commit)
        found = {}
        for p, data in within.items():
            *folders, _ = p.removeprefix(under).split("/")
            for depth in range(len(folders)):
                at = under + "/".join(folders[: depth + 1])
                found[at] = {"type": "directory", "path": at, "size": 0, "oid": _git(at.encode())}
            found[p] = _entry(p, data)
        if asked.get("recursive", ["false"])[0].lower() not in ("true", "1"):
            found = {p: one for p, one in found.items() if "/" not in p.removeprefix(under)}
        return _json([found[p] for p in sorted(found)])

    # Pushing

    def create(self, seen: Seen) -> Reply:
        asked = json.loads(seen.body)
        user = self.user(seen)
        namespace = asked.get("organization") or (user.name if user else "")
        kind, name = asked.get("type", "model") + "s", f"{namespace}/{asked['name']}"
        self.may_write(seen, kind, name)
        if name in self.repos[kind]:
            raise Refusal(409, "", "You already created this model repo")
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.repos[kind][name] = Repo(
            {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}, private=private
        )
        return _json({"url": f"{self.url}/{name}", "name": name, "private": private})

    def may(self, seen: Seen, kind: str, name: str) -> Reply:
        self.writable(seen, kind, name)
        return _json({})

    def preupload(self, seen: Seen, kind: str, name: str, revision: str) -> Reply:
        self.writable(seen, kind, name)
        asked = json.loads(seen.body)["files"]
        modes = ({"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular"} for f in asked)
        return _json({"files": [one | {"shouldIgnore": False, "oid": None} for one in modes]})

    def batch(self, seen: Seen, name: str) -> Reply:
        self.writable(seen, "models", name)
        objects = []
        for one in json.loads(seen.body)["objects"]:
            upload = {"href": f"{self.storage}/stored/{one['oid']}?signature=of-the-stand-in"}
            objects.append({"oid": one["oid"], "size": one["size"], "actions": {"upload": upload}})
        return _json({"transfer": "basic", "objects": objects})

    def into_storage(self, seen: Seen, oid: str) -> Reply:
        if _sha256(seen.body) != oid:
            return Reply(400, b"the content has another hash")
        self.stored[oid] = seen.body
        return Reply(200)

    def commit(self, seen: Seen, kind: str, name: str, revision: str) -> Reply:
        repo = self.writable(seen, kind, name)
        for line in seen.body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                data = self.large(value["oid"])
                if data is None:
                    raise Refusal(400, "", "LFS pointer pointed to a file that does not exist")
                repo.files[value["path"]] = data
            elif operation["key"] != "header":
                raise Refusal(400, "", f"{NAME}: {operation['key']} is not part of it")
        where = f"{self.url}/{name}/commit/{repo.commit}"
        return _json({"success": True, "commitOid": repo.commit, "commitUrl": where, "hookOutput": ""})


_READ = ("GET", "HEAD")
_REPO = r"(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)"
ROUTES = [
    (_READ, "/", lambda *_: Reply(200, NAME.encode())),
    (_READ, rf"/api/{_REPO}", Hub.info),
    (_READ, rf"/api/{_REPO}/revision/(?P<revision>[^/]+)", Hub.info),
    (_READ, rf"/api/{_REPO}/tree/(?P<revision>[^/]+)/?(?P<path>.*)", Hub.tree),
    (_READ, rf"/api/{_REPO}/auth-check/write", Hub.may),
    (_READ, rf"/api/{_REPO}/xet-(?P<right>read|write)-token/(?P<revision>[^/]+)", Hub.chunk_token),
    (("POST",), rf"/api/{_REPO}/preupload/(?P<revision>[^/]+)", Hub.preupload),
    (("POST",), rf"/api/{_REPO}/commit/(?P<revision>[^/]+)", Hub.commit),
    (("POST",), r"/api/repos/create", Hub.create),
    (_READ, rf"/api/resolve-cache/{_REPO}/(?P<revision>[^/]+)/(?P<path>.+)", Hub.cached),
    (("POST",), r"/(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch", Hub.batch),
    (_READ, r"/stored/(?P<oid>[0-9a-f]{64})", Hub.from_storage),
    (("PUT",), r"/stored/(?P<oid>[0-9a-f]{64})", Hub.into_storage),
    (_READ, r"/(?:(?P<kind>datasets)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Hub.resolve),
]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    server_version, sys_version = NAME, ""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = Seen(self.command, self.headers.get("Host", ""), self.path, self.headers, body)
        self.hub.seen.append(seen)
        reply = self.hub.answer(seen)
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def log_message(self, *_) -> None:
        pass
