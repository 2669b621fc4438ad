"""The live stream: each committed message once more, as an event of its own for outside tools; derived, never waited for."""

from __future__ import annotations

import contextlib

from nats.errors import Error

from core.messages import Position
from gateway.journal import cloudevents
from gateway.journal.nats_log import NatsLog


async def split(log: NatsLog, after: int) -> None:
    """Publish everything behind `after`, and go on until cancelled; what cannot be sent at once is left out.

    Raises:
        Damaged: the journal cannot be read on.
    """
    async for record in log.read(after):
        for index, message in enumerate(record.messages):
            headers = cloudevents.headers(message, Position(record.seq, index))
            with contextlib.suppress(Error, OSError):
                await log.link.nc.publish(cloudevents.subject(message), cloudevents.data(message), headers=headers)
