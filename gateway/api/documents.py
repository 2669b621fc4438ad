"""`/openapi.json`, `/asyncapi.json` and the messages' JSON Schemas, generated from the table of endpoints and the models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from core.messages import BODIES, Message, Physical
from core.messages.base import Body
from gateway.api.routes import Endpoint, Query

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "next"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "next": {"type": "string", "description": "What to do now."},
    },
}
ROWS = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {"type": "array", "items": {"type": "object"}},
        "next": {"type": "string", "description": "The cursor of the next page; missing on the last one."},
    },
}
_ATTRIBUTES = ("id", "source", "time", "recorded", "site", "causes", "position", *Physical.model_fields)
_PARAMETER = re.compile(r"{(\w+)(?:\.\.\.)?}")


def openapi(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM, "Rows": ROWS}
    for endpoint in endpoints:
        paths.setdefault(endpoint.full, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Busbar",
            "version": version,
            "description": "Facts in, read models out. Every `not ok` carries a reason and the next step.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    named = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    found: dict[str, Any] = {
        "summary": endpoint.says,
        "operationId": _operation_id(endpoint),
        "parameters": [*named, *(_query(query) for query in endpoint.query)],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": _answer(endpoint)}}},
            "default": {
                "description": "It says no, and what to do next.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if endpoint.body is not None:
        found["requestBody"] = {"required": True, "content": _content(endpoint, schemas)}
    return found


def _answer(endpoint: Endpoint) -> dict[str, Any]:
    is_list = any(query.name == "cursor" for query in endpoint.query)
    return {"$ref": "#/components/schemas/Rows"} if is_list else {"type": "object"}


def _operation_id(endpoint: Endpoint) -> str:
    return "_".join([endpoint.method.lower(), *re.findall(r"\w+", endpoint.full)])


def _query(query: Query) -> dict[str, Any]:
    return {"name": query.name, "in": "query", "description": query.says, "schema": {"type": query.type}}


def _content(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    if isinstance(endpoint.body, str):
        return {endpoint.body: {"schema": {"type": "string", "format": "binary"}}}
    assert endpoint.body is not None
    return {"application/json": {"schema": _model(endpoint.body, schemas)}}


def _model(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the model's schema, which is kept with all that it refers to."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def asyncapi(version: str) -> dict[str, Any]:
    """The AsyncAPI 3 document of the live stream: one channel per concept, one message per type."""
    schemas: dict[str, Any] = {}
    concepts: dict[str, list[str]] = {}
    for type, body in sorted(BODIES.items()):
        concepts.setdefault(type.partition(".")[0], []).append(type)
        _model(body, schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Busbar events",
            "version": version,
            "description": "Each committed fact once more as a CloudEvents 1.0 message in NATS binary mode.",
        },
        "channels": {concept: _channel(concept, types) for concept, types in concepts.items()},
        "operations": {
            f"receive_{concept}": {"action": "send", "channel": {"$ref": f"#/channels/{concept}"}}
            for concept in concepts
        },
        "components": {"messages": {type: _message(type, BODIES[type]) for type in BODIES}, "schemas": schemas},
    }


def _channel(concept: str, types: Sequence[str]) -> dict[str, Any]:
    evidence = concept == "evidence"
    return {
        "address": "evidence.{protocol}.{site}.{peer}" if evidence else f"event.{concept}.{{site}}.{{fact}}",
        "parameters": {name: {} for name in (("protocol", "site", "peer") if evidence else ("site", "fact"))},
        "messages": {type: {"$ref": f"#/components/messages/{type}"} for type in types},
    }


def _message(type: str, body: type[Body]) -> dict[str, Any]:
    return {
        "name": type,
        "title": (body.__doc__ or type).strip().split("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{body.__name__}"},
        "headers": {
            "type": "object",
            "properties": {
                "ce-type": {"const": type},
                "ce-dataversion": {"const": str(body.VERSION)},
                **{f"ce-{name}": {"type": "string"} for name in _ATTRIBUTES},
            },
        },
    }


def schemas() -> Mapping[str, Any]:
    """The JSON Schema of every message: the header's, and each body's by its type."""
    head = Message.model_json_schema()
    return {"message": head, "bodies": {type: body.model_json_schema() for type, body in sorted(BODIES.items())}}
