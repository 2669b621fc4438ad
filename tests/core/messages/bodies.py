"""Random bodies, made from what their models declare."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from core.messages import Body

WORDS = st.sampled_from(["", "a", "depot-1", "ä/ö", "x" * 40])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    bool: st.booleans(),
    int: st.integers(0, 9),
    float: st.floats(0.02, 1.0),
    Decimal: st.decimals("-5", "99", places=3),
    date: st.dates(),
    AwareDatetime: MOMENTS,
    time: st.times().map(lambda t: t.replace(microsecond=0, fold=0)),
    Any: st.one_of(st.none(), st.booleans(), WORDS, st.integers(-9, 9)),
    type(None): st.none(),
}
_BOUNDS = (Ge, Gt, Le, Lt)


def bodies(kind: type[Body]) -> st.SearchStrategy[Body]:
    """Any body of that type."""
    return _model(kind)


def _model(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {name: _field(f.annotation, f.metadata) for name, f in kind.model_fields.items()}
    required = {name: s for name, s in fields.items() if kind.model_fields[name].is_required()}
    optional = {name: s for name, s in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional).map(kind.model_validate)


def _field(kind: Any, metadata: Any) -> st.SearchStrategy[Any]:
    bounded = [bound for bound in _flat(metadata) if isinstance(bound, _BOUNDS)]
    if kind is int and bounded:
        least = max((int(b.ge) for b in bounded if isinstance(b, Ge)), default=0)
        most = min((int(b.le) for b in bounded if isinstance(b, Le)), default=least + 9)
        return st.integers(least, most)
    return strategy(kind)


def _flat(metadata: Any) -> list[Any]:
    found: list[Any] = []
    for item in metadata:
        found += getattr(item, "metadata", [item])
    return found


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Values of one annotation."""
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _model(kind)
    return _MAKERS[get_origin(kind)](get_args(kind))


def _annotated(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return _field(args[0], args[1:])


def _tuple(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if args[-1] is Ellipsis:
        return st.lists(strategy(args[0]), max_size=2).map(tuple)
    return st.tuples(*map(strategy, args))


def _dict(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.dictionaries(strategy(args[0]), strategy(args[1]), max_size=2)


def _union(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.one_of(*map(strategy, args))


_MAKERS: Mapping[Any, Callable[[tuple[Any, ...]], st.SearchStrategy[Any]]] = {
    Annotated: _annotated,
    Literal: st.sampled_from,
    Union: _union,
    types.UnionType: _union,
    tuple: _tuple,
    dict: _dict,
}
