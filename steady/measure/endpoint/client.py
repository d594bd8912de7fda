"""Send requests to a server, several at a time, and again where that helps; what was answered goes to the cache at once."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from steady.errors import SteadyError
from steady.measure.endpoint.cache import Cache
from steady.measure.endpoint.protocol import Reply, Request, read_reply

LONGEST_DELAY = 60.0  # seconds between two tries, unless the server says how long
LONGEST_WAIT = 600.0  # seconds that a server may make a request wait
LARGEST_BODY = 2**26
NOT_FOUND = 404
SHOWN_BODY = 80  # characters of what is no completion
AGAIN = {408, 409, 425, 429}
# Statuses of a request that is at fault itself, such as one with a prompt too long for the model
REFUSED = {400, 413, 422}


@dataclass(frozen=True)
class Endpoint:
    """A server and how it is treated.

    `url` ends before `/chat/completions`; `key_variable` names the environment variable that holds the key; `timeout` is the
    seconds that one try may take, body included; `backoff` the seconds before the second try, doubled for each further one.
    """

    url: str
    key_variable: str = "STEADY_API_KEY"
    concurrency: int = 8
    tries: int = 8
    timeout: float = 120.0
    backoff: float = 0.5


class _PassingError(Exception):
    """A fault that may pass; `after` is the least seconds to wait."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class _RefusedError(Exception):
    """The request itself is at fault."""


def read_key(variable: str) -> str | None:
    """The key of the environment, None where it is not set; SteadyError, without its value, where it could not be a header."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise SteadyError(f"{variable}: holds characters that no key has, such as a line break. Set it again.")
    return key or None


def checked_url(url: str) -> str:
    """The URL up to the part that names what is asked for; SteadyError where it is no HTTP URL, or could hold a secret."""
    import httpx

    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SteadyError(f"--endpoint: no URL ({error}). Give one such as http://localhost:8000/v1") from error
    # the URL is written into files, and any of these could hold a key
    if parts.userinfo or parts.query or parts.fragment:
        raise SteadyError(
            "--endpoint: a URL without user, password, query or fragment; a key goes into the environment."
        )
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise SteadyError(f"--endpoint {url}: give a URL such as http://localhost:8000/v1")
    return url.rstrip("/").removesuffix("/chat/completions").removesuffix("/completions")


class Client(AbstractContextManager["Client"]):
    """Sends what the cache does not have. A `with` block closes the connections."""

    def __init__(self, endpoint: Endpoint, cache: Cache) -> None:
        import httpx

        self.endpoint, self.cache = endpoint, cache
        self.faults: Counter[str] = Counter()
        """Faults after which a request was sent again."""
        self.read = self.written = 0
        """Tokens that the server counted."""
        self._key = read_key(endpoint.key_variable)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._reached = False
        # one client for all threads: httpx keeps its connections in a pool
        # redirects are not followed: they would take the key to another host
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx.Timeout(endpoint.timeout, connect=min(endpoint.timeout, 20.0)),
            limits=httpx.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency),
        )

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def key(self, request: Request) -> str:
        """The digest of a request to this server."""
        return request.key(self.endpoint.url)

    def reply(self, request: Request) -> Reply:
        """The cached reply to a request."""
        with self._lock:
            return self.cache[self.key(request)]

    def fill(self, requests: Iterable[Request], progress: Callable[[], object] = lambda: None) -> None:
        """Send all requests that were not answered yet; a reply to each, or its refusal, is in the cache afterwards.

        Requests are made as they are sent and replies go to the file, so that memory does not grow with their number. After
        an interrupt or a fault, the requests in flight are waited for and their replies stay too: they are paid for.
        SteadyError where the server cannot be reached, refuses the key, the model or the very first request, or keeps failing.
        """
        self._stopped.clear()
        waiting = self._unanswered(requests)
        flying: set[Future[None]] = set()
        # one request alone, so that a wrong key or field costs no more
        if not len(self.cache) and (first := next(waiting, None)):
            self._ask(first, alone=True)
            progress()
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            try:
                for request in waiting:
                    flying.add(pool.submit(self._ask, request))
                    # no more than that are made at a time, so that memory does not grow
                    if len(flying) == self.endpoint.concurrency:
                        flying = _settled(flying, progress)
                while flying:
                    flying = _settled(flying, progress)
            finally:
                self._stopped.set()

    def _unanswered(self, requests: Iterable[Request]) -> Iterator[Request]:
        sent = set()
        for request in requests:
            key = self.key(request)
            if key not in self.cache and key not in sent:
                sent.add(key)
                yield request

    def _ask(self, request: Request, alone: bool = False) -> None:
        """Send a request until it is answered or refused; `alone`: a refusal is that of every request."""
        fault = _PassingError("not sent")
        for attempt in range(self.endpoint.tries):
            # half of it at random, so that requests that failed together do not come back together
            delay = min(LONGEST_DELAY, self.endpoint.backoff * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
            if attempt and self._stopped.wait(max(delay, fault.after)):
                break
            try:
                reply = self._send(request)
            except _RefusedError as refused:
                if alone:
                    hint = request.hint or " It is the first request: check --model and --request-fields."
                    raise SteadyError(f"{self.endpoint.url}: {request.name}: {refused}{hint}") from refused
                reply = Reply("", refusal=str(refused))
            except _PassingError as again:
                fault = again
                with self._lock:
                    self.faults[str(again).partition(":")[0]] += 1
                continue
            with self._lock:
                self.cache.add(self.key(request), reply)
                self.read += reply.prompt_tokens
                self.written += reply.completion_tokens
            self._reached = True
            return
        kept = "What was answered is kept: run the same command again, perhaps with a lower --concurrency."
        never = "Nothing was answered yet: is the URL that of an OpenAI-compatible server, and is the server well?"
        raise SteadyError(
            f"{self.endpoint.url}: {request.name}: {fault}, after {self.endpoint.tries} tries. "
            f"{kept if len(self.cache) else never}"
        )

    def _send(self, request: Request) -> Reply:
        """One try."""
        import httpx

        deadline = time.monotonic() + self.endpoint.timeout
        content = bytearray()
        try:
            with self._http.stream("POST", self.endpoint.url + request.path, json=request.body) as response:
                # the timeout of httpx is for each piece, and a slow body has many
                for piece in response.iter_bytes():
                    content += piece
                    if time.monotonic() > deadline or len(content) > LARGEST_BODY:
                        raise _PassingError("body too slow or too long")
            if response.status_code == 200:
                return read_reply(bytes(content))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if not self._reached:
                raise SteadyError(
                    f"{self.endpoint.url}: cannot connect ({self._shown(str(error))}). Is it up?"
                ) from error
            raise _PassingError(type(error).__name__) from error
        except httpx.RequestError as error:
            raise _PassingError(type(error).__name__) from error
        except msgspec.MsgspecError as error:
            start = self._shown(bytes(content).decode(errors="replace"))[:SHOWN_BODY]
            # a page where no completion has come from yet is no server that is busy
            if start.startswith("<") and not self._reached:
                raise SteadyError(
                    f"{self.endpoint.url}: answers with a page, not with a completion: {start!r}. Give the URL that ends before "
                    "/chat/completions, mostly with /v1."
                ) from error
            raise _PassingError(f"a body without a completion: {error}, in {start!r}") from error
        raise self._fault(response.status_code, response.headers, bytes(content))

    def _fault(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        """What a status other than 200 means."""
        reason = f"status {status}: {self._shown(content.decode(errors='replace'))}"
        if status in REFUSED:
            return _RefusedError(reason)
        # a server that is busy or broken may be well again
        if status in AGAIN or status >= 500:
            after = _seconds(headers.get("retry-after", ""))
            if after <= LONGEST_WAIT:
                return _PassingError(f"status {status}", after)
            reason = (
                f"{reason} It asks to wait {after:.0f} s. What was answered is kept: run the same command again then."
            )
        hint = " Check --model, and the URL, which ends before /chat/completions." if status == NOT_FOUND else ""
        if status in {401, 403}:
            state = "holds a key that it does not take" if self._key else "is not set"
            hint = f" The environment variable {self.endpoint.key_variable} {state}."
        if 300 <= status < 400:
            hint = " Redirects are not followed, for they would get the key: give the URL that this one leads to."
        return SteadyError(f"{self.endpoint.url}: {reason}{hint}")

    def _shown(self, text: str) -> str:
        """A text of the server for a message: short, on one line, without the key, which some servers repeat."""
        if self._key:
            text = text.replace(self._key, "[key]")
        return " ".join(text.split())[:300]


def _settled(flying: set[Future[None]], progress: Callable[[], object]) -> set[Future[None]]:
    """What is still in flight once something has ended; SteadyError where a request has failed for good."""
    done, left = wait(flying, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        progress()
    return left


def _seconds(retry_after: str) -> float:
    """Seconds that `Retry-After` asks for: a number or a date; 0 where it is neither."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
