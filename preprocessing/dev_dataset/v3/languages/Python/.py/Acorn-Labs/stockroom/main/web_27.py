"""A WSGI application with a handful of JSON routes.

    GET  /articles                 every article with its count
    GET  /articles/AB-1234         one of them
    POST /articles/AB-1234/moves   {"kind": "shipped", "quantity": 3}
"""

from __future__ import annotations

import datetime
import json
import re
from http import HTTPStatus
from typing import Any, Callable, Dict, Iterable, List, Pattern, Tuple

from stockroom.ledger import NotEnoughStock
from stockroom.models import Movement, MovementKind
from stockroom.store import Store

Handler = Callable[..., Tuple[HTTPStatus, Any]]


class HttpError(Exception):
    """Ends the handling of a request with a status and a message."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Application:
    """Routes requests to methods; one instance serves one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._routes: List[Tuple[str, Pattern[str], Handler]] = [
            ("GET", re.compile(r"^/articles$"), self.list_articles),
            ("GET", re.compile(r"^/articles/(?P<number>[\w-]+)$"), self.show_article),
            ("POST", re.compile(r"^/articles/(?P<number>[\w-]+)/moves$"), self.add_movement),
        ]

    def __call__(self, environ: Dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        try:
            status, payload = self._dispatch(environ)
        except HttpError as error:
            status, payload = error.status, {"error": str(error)}
        body = json.dumps(payload, indent=1).encode("utf-8")
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    def _dispatch(self, environ: Dict[str, Any]) -> Tuple[HTTPStatus, Any]:
        path, method = environ.get("PATH_INFO", "/"), environ["REQUEST_METHOD"]
        allowed = set()
        for route_method, pattern, handler in self._routes:
            match = pattern.match(path)
            if match is None:
                continue
            if route_method == method:
                return handler(_read_json(environ), **match.groupdict())
            allowed.add(route_method)
        if allowed:
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "use " + " or ".join(sorted(allowed)))
        raise HttpError(HTTPStatus.NOT_FOUND, f"nothing at {path}")

    def list_articles(self, _body: Any) -> Tuple[HTTPStatus, Any]:
        counts = self._store.load_ledger().counts()
        rows = []
        for article in self._store.articles():
            rows.append({**article.to_json(), "count": counts.get(article.number, 0)})
        return HTTPStatus.OK, rows

    def show_article(self, _body: Any, number: str) -> Tuple[HTTPStatus, Any]:
        article = self._store.find_article(number)
        if article is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"no article {number}")
        return HTTPStatus.OK, {
            **article.to_json(),
            "count": self._store.load_ledger().count(number),
        }

    def add_movement(self, body: Any, number: str) -> Tuple[HTTPStatus, Any]:
        if self._store.find_article(number) is None:
            raise HttpError(HTTPStatus.NOT_FOUND, f"no article {number}")
        now = datetime.datetime.now(datetime.timezone.utc)
        try:
            kind = MovementKind(body["kind"])
            movement = Movement(number, kind, int(body["quantity"]), now, body.get("note", ""))
            count = self._store.load_ledger().record(movement)
        except NotEnoughStock as error:
            raise HttpError(HTTPStatus.CONFLICT, str(error)) from error
        except (KeyError, TypeError, ValueError) as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"bad movement: {error}") from error
        self._store.append(movement)
        return HTTPStatus.CREATED, {"number": number, "count": count}


def _read_json(environ: Dict[str, Any]) -> Any:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length == 0:
        return None
    try:
        return json.loads(environ["wsgi.input"].read(length))
    except json.JSONDecodeError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, f"body is not JSON: {error}") from error
