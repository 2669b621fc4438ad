"""The thin client of the hub's API: finds the running hub, asks it, else opens its data folder for reading."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.cli.errors import NO, UNREACHABLE, USAGE, CliError, Many, plain
from gateway.cli.options import data_folder
from gateway.cli.progress import working

API = "/api/v1"
WITHIN_S = 40.0
WRONG = frozenset({400, 401, 403, 405, 413, 415, 422})
"""Answers that say that the question was wrong, not that the answer is no."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which hub is meant, as the options say."""

    data: Path | None = None
    config: Path | None = None
    url: str | None = None
    token_file: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub answered to a write; `position` is its place in the journal, for `?after=`."""

    status: int
    data: Any
    position: str | None


class Source(Protocol):
    """Whatever answers reads: the running hub, or its data folder opened in process."""

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON document at `/api/v1` + path.

        Raises:
            CliError: it says no, or cannot be reached.
        """


class Hub:
    """A running hub over HTTP."""

    def __init__(self, url: str, token: str | None, ca: Path | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise CliError("not the address of a hub", url, "write it as https://HOST:PORT")
        self.url = url.rstrip("/")
        self._token = token
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        self._opener = build_opener(HTTPSHandler(context=context), ProxyHandler({}) if _local(url) else ProxyHandler())

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON document at `/api/v1` + path; parameters that are None are left out."""
        found = self._ask("GET", _with(path, params), None, {}).data
        if not isinstance(found, dict | list):
            step = "name the address that `busbar serve` said"
            raise CliError("something answers there, but no hub", self.url, step, UNREACHABLE)
        return found

    def post(
        self,
        path: str,
        body: Any,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        within_s: float = WITHIN_S,
    ) -> Answer:
        """Write: `body` is bytes as they are, else JSON."""
        plain = dict(headers or {})
        if isinstance(body, bytes):
            content, kind = body, "application/octet-stream"
        else:
            content, kind = json.dumps(body).encode(), "application/json"
        return self._ask("POST", _with(path, params), content, {"Content-Type": kind} | plain, within_s)

    def lives(self) -> bool:
        """Whether something answers there at all."""
        try:
            with self._opener.open(self._request("GET", "/live"), timeout=3):
                return True
        except HTTPError:
            return True
        except (URLError, OSError) as error:
            return _untrusted(error) is not None

    def waits_for(self) -> dict[str, str]:
        """What keeps it from being ready, by part; empty where it is ready or does not say."""
        try:
            with self._opener.open(self._request("GET", "/ready"), timeout=3):
                return {}
        except HTTPError as error:
            told = _json(error.read())
        except (URLError, OSError):
            return {}
        waiting = told.get("waiting") if isinstance(told, dict) else None
        return {str(part): str(what) for part, what in waiting.items()} if isinstance(waiting, dict) else {}

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Request:
        said = {"Accept": "application/json", **(headers or {})}
        if self._token:
            said["Authorization"] = f"Bearer {self._token}"
        return Request(self.url + path, data=body, method=method, headers=said)  # noqa: S310 because: the constructor took http and https only

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], within_s: float = WITHIN_S
    ) -> Answer:
        url = f"{self.url}{API}{path}"
        request = self._request(method, API + path, body, headers)
        try:
            with self._opener.open(request, timeout=within_s) as reply:
                return Answer(reply.status, _json(reply.read()), reply.headers.get("Busbar-Position"))
        except HTTPError as error:
            raise _refusal(error, f"{method} {url}") from None
        except (URLError, OSError) as error:
            if untrusted := _untrusted(error):
                step = "name the hub as its certificate does, --url https://NAME:PORT, with its root (--ca) and a token (--token-file)"
                raise CliError(f"the hub's certificate is not trusted: {untrusted}", url, step) from None
            raise CliError(
                f"the hub does not answer: {getattr(error, 'reason', error)}",
                url,
                "see that it runs: `busbar serve`",
                UNREACHABLE,
            ) from None


def _untrusted(error: OSError) -> str | None:
    """Why who answers is not trusted to be the hub; None where nobody answers."""
    reason = getattr(error, "reason", error)
    return str(reason.verify_message) if isinstance(reason, ssl.SSLCertVerificationError) else None


def _with(path: str, params: Mapping[str, Any] | None) -> str:
    asked = {k: v for k, v in (params or {}).items() if v is not None}
    return f"{path}?{urlencode(asked)}" if asked else path


def _local(url: str) -> bool:
    return any(f"//{name}" in url for name in ("127.", "localhost", "[::1]"))


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")


def _refusal(error: HTTPError, where: str) -> CliError:
    """The hub's problem document as an error of ours: 4xx about access or usage is 2, a plain no is 1, the rest 3."""
    document = _json(error.read())
    told = document if isinstance(document, dict) else {}
    what = told.get("detail") or told.get("title") or f"HTTP {error.code}"
    code = UNREACHABLE if error.code >= 500 or error.code == 429 else USAGE if error.code in WRONG else NO
    step = str(told.get("next") or "see docs/reference/api.md")
    if problems := items(told.get("problems")):
        return Many(problems, code, f"{told.get('title')}; next: {step}")
    return CliError(str(what), where, step, code)


def running(where: Where) -> Hub | None:
    """The running hub that is meant, or None: by `--url`, else by `<data>/hub.json`, if it answers."""
    if where.url is not None:
        return Hub(where.url, _token(where.token_file), where.ca)
    note = data_folder(where.data, where.config) / "hub.json"
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        token_file = where.token_file or (Path(told["token_file"]) if told.get("token_file") else None)
        ca = where.ca or (Path(told["ca"]) if told.get("ca") else None)
        hub = Hub(str(told["url"]), _token(token_file), ca)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise CliError("not a hub's note", str(note), "remove it and start the hub again", UNREACHABLE) from error
    except OSError as error:
        step = "run this as the hub's user, or name another hub with --data or --url"
        raise CliError(f"the hub's note cannot be read: {plain(error)}", "", step, UNREACHABLE) from None
    return hub if hub.lives() else None


def need(where: Where) -> Hub:
    """The running hub, for verbs that change something.

    Raises:
        CliError: none runs.
    """
    hub = running(where)
    if hub is None:
        folder = data_folder(where.data, where.config)
        raise CliError(
            "this needs a running hub, and none answers", str(folder), "`busbar serve --config FILE`", UNREACHABLE
        )
    return hub


@contextmanager
def source(where: Where) -> Iterator[Source]:
    """Whoever answers reads: the running hub, else its data folder opened in process, where nothing is appended."""
    hub = running(where)
    if hub is not None:
        yield hub
        return
    folder = data_folder(where.data, where.config)
    if not folder.is_dir():
        raise CliError("no hub runs, and there is no data folder", str(folder), "name another with --data", UNREACHABLE)
    from gateway import offline

    with ExitStack() as stack:
        with working("opening the journal"):
            opened = stack.enter_context(offline.open(folder))
        yield opened


def only_site(hub: Source, given: str | None) -> str:
    """The site meant: the option, else the only one that the hub has.

    Raises:
        CliError: there are several, or none.
    """
    if given:
        return given
    sites = [str(s["id"]) for s in items(hub.get("/sites"))]
    if len(sites) == 1:
        return sites[0]
    raise CliError("which site?", f"this hub has: {', '.join(sites) or 'none'}", "name one with --site")


def items(document: Any) -> list[dict[str, Any]]:
    """The rows of a list answer: `{"items": [...]}`, or the list itself."""
    found = document.get("items", []) if isinstance(document, dict) else document
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def everything(hub: Source, path: str, params: Mapping[str, Any], at_most: int) -> list[dict[str, Any]]:
    """All pages of a list answer, by its cursor `next`, up to `at_most` rows."""
    rows: list[dict[str, Any]] = []
    asked = dict(params)
    while len(rows) < at_most:
        document = hub.get(path, asked)
        rows += items(document)
        cursor = document.get("next") if isinstance(document, dict) else None
        if not cursor:
            break
        asked["cursor"] = cursor
    return rows[:at_most]


def zones(hub: Source) -> dict[str, tzinfo]:
    """The zone of each site, for times that people read."""
    found: dict[str, tzinfo] = {}
    for site in items(hub.get("/sites")):
        with suppress(ZoneInfoNotFoundError, ValueError):
            found[str(site["id"])] = ZoneInfo(str(site.get("zone") or "UTC"))
    return found


def station_known(hub: Source, station: str) -> bool:
    """Whether the hub knows a station of that name, connected or not."""
    return bool(items(hub.get("/stations", {"station": station})))


def part(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise CliError(
            f"the token cannot be read: {error.strerror}", str(path), "name another with --token-file"
        ) from error
