"""What schedule formats share: the shape of a translation, its messages, bounded archives, and the wall-clock rule."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from core.messages import Body, Message, Physical, compose, identify
from core.messages.evidence import EvidenceQuarantined
from core.messages.work import AssignmentStated, Block, ScheduleReceived, WorkStated

MAX_MEMBERS = 500
MAX_BYTES = 256 * 1024 * 1024
MAX_RATIO = 200
MAX_QUARANTINED = 500
"""So many set-aside items become evidence of their own; the count names all."""
MAX_ITEM = 4096
DAY_S = 86_400
_INSTANT = timedelta(microseconds=1)

Format = Literal["vdv452", "table", "assignments", "hand"]
Days = tuple[date, date]


class BadFeed(Exception):
    """A feed that cannot be used at all: `reason` is a code, the text says what is wrong and what to do."""

    def __init__(self, reason: str, detail: str, item: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.item = item


class Quarantined(NamedTuple):
    """What was set aside: the item, a reason code, and what is wrong in words."""

    item: str
    reason: str
    detail: str


class Assignment(NamedTuple):
    """This vehicle runs this block on this operating day (None: nobody any more)."""

    operating_day: date
    block: str
    vehicle: str | None


@dataclass(frozen=True, slots=True)
class Translation:
    """A feed as neutral data, whatever its format; what could not be used stands beside it."""

    feed: str
    format: Format
    content: str
    """SHA-256 of the file."""
    blocks: tuple[Block, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    warnings: tuple[Quarantined, ...] = ()
    """Used, but worth a look."""
    covers_from: date | None = None
    covers_until: date | None = None
    """Operating days for which it is complete; None: it only adds."""
    kept: tuple[str, ...] = ()
    """Works whose rows were set aside: they must not be withdrawn for it."""
    taken_back: tuple[str, ...] = ()
    """Works that it withdraws one by one."""


def import_id(site: str, feed: str, content: str) -> str:
    """The identity of an import: the same file for the same feed and site is the same import."""
    return identify("import", site, feed, content)


def refused(feed: str, format: Format, content: str, error: BadFeed, before: Iterable[Quarantined] = ()) -> Translation:
    """The translation of a feed that cannot be used at all; `before` was set aside earlier and may be the cause."""
    last = Quarantined(error.item or feed, error.reason, error.detail)
    return Translation(feed, format, content, quarantined=(*before, last))


def messages(
    translation: Translation,
    import_id: str,
    source: str,
    site: str,
    recorded: datetime,
    evidence_id: str,
    *,
    who: str = "",
    why: str = "",
) -> list[Message]:
    """The facts of an import: what was set aside, every row, and `schedule.received` last; all cite the evidence."""
    said = translation
    received = ScheduleReceived(
        import_id=import_id,
        feed=said.feed,
        format=said.format,
        content=said.content,
        covers_from=said.covers_from,
        covers_until=said.covers_until,
        stated=len(said.blocks) + len(said.assignments),
        quarantined=len(said.quarantined),
        kept=said.kept,
        taken_back=said.taken_back,
        who=who,
        why=why,
    )
    return [
        compose(
            body,
            id=identify(import_id, evidence_id, index),
            time=recorded,
            recorded=recorded,
            source=source,
            site=site,
            at=_where(body, said.feed),
            causes=[evidence_id],
        )
        for index, body in enumerate((*_rows(said, import_id), received))
    ]


def _rows(said: Translation, import_id: str) -> Iterator[Body]:
    for item, reason, detail in said.quarantined[:MAX_QUARANTINED]:
        yield EvidenceQuarantined(
            protocol=said.format, peer=said.feed, reason=reason, detail=detail, item=item[:MAX_ITEM]
        )
    for block in said.blocks:
        yield WorkStated(import_id=import_id, block=block)
    for day, name, vehicle in said.assignments:
        yield AssignmentStated(import_id=import_id, operating_day=day, block=name, vehicle=vehicle)


def _where(body: Body, feed: str) -> Physical:
    if isinstance(body, WorkStated):
        block = body.block
        return Physical(
            path=feed,
            work=block.work,
            block=block.block,
            route=block.route,
            duty=block.duty,
            vehicle=block.vehicle,
            begins=block.departs,
            ends=block.returns,
        )
    if isinstance(body, AssignmentStated):
        return Physical(path=feed, block=body.block, vehicle=body.vehicle)
    return Physical(path=feed)


def wall_clock(day: date, seconds: int, zone: ZoneInfo, after: datetime | None = None) -> datetime:
    """UTC of a feed time `seconds` after 0:00 of the operating day, read as the wall clock shows it.

    Where the clock repeats an hour the first pass is meant, unless `after` (the predecessor) is later already; where
    it skips an hour the time is shifted by the gap.
    """
    moment = datetime.combine(day + timedelta(days=seconds // DAY_S), time(0)) + timedelta(seconds=seconds % DAY_S)
    first = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return second if after is not None and first < after <= second else first


def next_wall_clock(seconds: int, zone: ZoneInfo, now: datetime) -> datetime:
    """The next moment after `now` at which the wall clock shows `seconds` after 0:00; in a repeated hour also its second pass."""
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=offset) for offset in (0, 1, 2))
    return next(found for day in days if (found := wall_clock(day, seconds, zone, after=now + _INSTANT)) > now)


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents, whatever the order of the files."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\x1f{len(files[name])}\x1f".encode())
        total.update(files[name])
    return total.hexdigest()


def unpack(data: bytes | Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a feed by base name: a ZIP is opened within bounds, a folder is taken as it is.

    Raises:
        BadFeed: not a ZIP, encrypted, damaged, too many members, too large, or packed suspiciously tight.
    """
    if not isinstance(data, bytes):
        return _bounded((PurePosixPath(name.replace("\\", "/")).name, content) for name, content in data.items())
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            _check_members(members)
            return _bounded((PurePosixPath(item.filename).name, archive.read(item)) for item in members)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise BadFeed("archive_broken", f"the ZIP cannot be opened ({error})") from error


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise BadFeed("file_too_large", f"the ZIP has {len(members)} files; at most {MAX_MEMBERS} are read")
    total = sum(item.file_size for item in members)
    if total > MAX_BYTES:
        raise BadFeed("file_too_large", f"the ZIP holds {total} bytes; at most {MAX_BYTES} are read")
    for item in members:
        if item.file_size > MAX_RATIO * max(item.compress_size, 1024):
            detail = f"{item.filename} is packed more than {MAX_RATIO} to 1"
            raise BadFeed("file_too_large", detail, item.filename)


def _bounded(files: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    total = 0
    for name, content in files:
        total += len(content)
        if total > MAX_BYTES or len(found) >= MAX_MEMBERS:
            raise BadFeed("file_too_large", f"more than {MAX_BYTES} bytes or {MAX_MEMBERS} files in one feed")
        found[name] = content
    return found
