"""The Hugging Face hub: whether it gives what the run config names, and what to do where it does not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path

import datasets
import httpx
from huggingface_hub import HfApi, constants, get_hf_file_metadata, get_token, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars
from transformers.utils import logging

# What every repository of a kind has, so that it tells whether the repository can be read.
FIRST_FILE = {"model": "config.json", "dataset": "README.md"}
TOKEN = f"a token, as HF_TOKEN in the app's environment or in {constants.HF_TOKEN_PATH}, where `hf auth login` puts it"

# Reports on every weight and bars for every file do not belong into a run's log.
logging.set_verbosity_error()
logging.disable_progress_bar()
disable_progress_bars()
datasets.disable_progress_bars()
# Where weights are only pickled, transformers would ask a Space to convert them, on another host than HF_ENDPOINT's.
os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"


class HubError(RuntimeError):
    """The hub does not give or take what it should. The message has the cause and what to do."""


@contextmanager
def reading(kind: str, name: str) -> Iterator[None]:
    """Load a model or a dataset within: what the hub has against it becomes a HubError.

    A name that is a folder, or is in this machine's cache, is loaded whether or not there is a hub.
    """
    refusal = None if Path(name).is_dir() or constants.is_offline_mode() else _ask(kind, name)
    if refusal and not _cached(kind, name):
        raise HubError(_explanation(kind, name, refusal)) from refusal
    try:
        with _offline() if refusal else nullcontext():
            yield
    except (HfHubHTTPError, httpx.HTTPError, OSError) as e:
        raise HubError(_explanation(kind, name, refusal or e)) from e


@cache
def _ask(kind: str, name: str) -> Exception | None:
    """Ask once, and briefly, and return what is against it.

    The loading itself would try for half a minute, and for many where a hub is silent, before it says so.
    """
    try:
        url = hf_hub_url(name, FIRST_FILE[kind], repo_type=kind)
        get_hf_file_metadata(url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    except EntryNotFoundError:
        return None  # the repository is there: the loading says what it lacks
    except (HFValidationError, HfHubHTTPError, httpx.HTTPError) as e:
        return e
    return None


def _cached(kind: str, name: str) -> bool:
    try:
        return isinstance(try_to_load_from_cache(name, FIRST_FILE[kind], repo_type=kind), str)
    except HFValidationError:
        return False


@contextmanager
def _offline() -> Iterator[None]:
    """Let the hub's clients take what is in the cache, as HF_HUB_OFFLINE does, which they read only once."""
    places = (constants, datasets.config)
    before = [place.HF_HUB_OFFLINE for place in places]
    try:
        for place in places:
            place.HF_HUB_OFFLINE = True
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


def _explanation(kind: str, name: str, e: Exception) -> str:
    there = f"the hub at {constants.ENDPOINT}"
    what = f"the {kind} {name!r}"
    match e:
        case HFValidationError():
            return f"{kind} is {name!r}: neither a folder on this machine nor a name that the hub can have"
        case GatedRepoError():
            page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{name}"
            return (
                f"{what} is gated: only accounts that its owner has let in may load it. "
                f"Ask for access on {page}, then give {TOKEN}, of the account that has it"
            )
        case HfHubHTTPError() if _missing(e):
            return (
                f"{there} has no {kind} {name!r}, or does not show it to this machine. "
                f"Correct the run config's {kind!r}; a private one needs {TOKEN}"
            )
        case HfHubHTTPError() if e.response.status_code == 401:
            return f"{there} refuses this machine's token. Give {TOKEN}, that is valid, or none where none is needed"
        case HfHubHTTPError() if e.response.status_code == 403:
            return f"{there} gives this machine's token no access to {what}. Give it that right, or another token"
        case HfHubHTTPError():
            return f"{there} answered {e.response.status_code} for {what}. Try again later"
        case httpx.HTTPError():
            return (
                f"{there} cannot be reached from this machine ({type(e).__name__}: {e}), and {what} not in its cache. "
                "Let it through the firewall, or name a proxy in HTTPS_PROXY or a mirror in HF_ENDPOINT; "
                f"or set {kind!r} to a folder that is there on every machine, or offline = true to only try the app"
            )
    return f"{what} could not be loaded: {e}"


def _missing(e: HfHubHTTPError) -> bool:
    """Tell whether the hub does not know a repository: to strangers it says so with the status of a missing sign-in."""
    said = e.response.headers.get("X-Error-Message", "")
    return isinstance(e, RepositoryNotFoundError) or e.response.status_code == 401 and "Invalid credentials" not in said


def token_to_push(config: dict) -> str:
    """Return the token to push with, or nothing where nothing is to be pushed.

    It is never in the run config: that is kept and shown. Called before the first round, and makes the repository, so
    that a run does not train for hours and then may not push.
    """
    repo = str(config["push-to-hub"])
    if not repo:
        return ""
    token = get_token()
    if not token:
        raise HubError(f"push-to-hub is set, but the ServerApp has no token. Give it {TOKEN}, that may write there")
    with _pushing(repo):
        hub = HfApi(token=token)
        hub.create_repo(repo, private=True, exist_ok=True)
        hub.auth_check(repo, write=True)
    return token


def push(folder: Path, repo: str, token: str) -> None:
    """Put the folder into a repository of the hub."""
    with _pushing(repo, f"; the final model is in the folder {folder} of the run"):
        HfApi(token=token).upload_folder(repo_id=repo, folder_path=folder, commit_message="Model of a federated run")


@contextmanager
def _pushing(repo: str, kept: str = "") -> Iterator[None]:
    there = f"the hub at {constants.ENDPOINT}"
    try:
        yield
    except HFValidationError as e:
        raise HubError(f"push-to-hub is {repo!r}, which is no name that the hub can have: your-name/model-name") from e
    except HfHubHTTPError as e:
        status = e.response.status_code
        why = f"{there} answered {status} to the push to {repo!r}"
        if status in (401, 403, 404):
            why = f"{there} does not let the ServerApp's token write to {repo!r} ({status}). Give {TOKEN}, that may"
        raise HubError(why + kept) from e
    except (httpx.HTTPError, OSError, RuntimeError) as e:
        raise HubError(f"the push to {repo!r} on {there} failed: {e}{kept}") from e
