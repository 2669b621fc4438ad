"""Rows and files of schedules that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from core.messages.reasons.reason import FEED, Reason

SCHEDULES: Mapping[str, Reason] = {
    "format_differs": FEED.medium(
        "{feed} is not what it was sent as[: {detail}].",
        "send it as what it is, or leave the format out.",
    ),
    "format_unknown": FEED.medium(
        "{feed} is in no format that this hub reads.",
        "name the format: `busbar import FILE --format NAME`, or send what docs/schedules.md lists.",
    ),
    "file_too_large": FEED.medium("{feed} is larger than is taken.", "send one period at a time, or unpacked."),
    "archive_broken": FEED.high("The archive {feed} cannot be opened[: {detail}].", "pack it again."),
    "vehicle_unknown": FEED.medium(
        "Row {row} names vehicle {vehicle}, which is not declared.", "correct the row, or declare the vehicle."
    ),
    "distance_unknown": FEED.low("Block {block} has no distance; it was estimated.", "state distances in the feed."),
    "row_malformed": FEED.low(
        "Row {row} of {feed} cannot be read[: {detail}]. The other rows were used.",
        "correct the row and import it again.",
    ),
    "row_duplicate": FEED.low(
        "Row {row} of {feed} states again what an earlier row says; the first holds.", "keep one of them."
    ),
    "column_unknown": FEED.low(
        "{feed} has a column that means nothing here[: {field}]; it was passed over.",
        "correct its name, or leave it out.",
    ),
    "outside_horizon": FEED.low(
        "{feed} has departures on days that are long over or too far ahead; they were passed over.",
        "correct the day, or import it again when it comes nearer.",
    ),
    "table_missing": FEED.high(
        "{feed} lacks a table that it needs[: {detail}]. The last good schedule holds.",
        "export that table too and import again.",
    ),
    "table_too_long": FEED.medium("{feed} has more rows than are taken.", "split the file by operating day."),
    "not_a_table": FEED.medium("{feed} is no table[: {detail}].", "send CSV or JSON as the documentation shows."),
    "feed_truncated": FEED.high(
        "{feed} ends too early[: {detail}]. Nothing of it was used; the last good schedule holds.",
        "send the whole file again.",
    ),
    "file_incomplete": FEED.medium("A file of {feed} holds fewer rows than it states[: {detail}].", "export it again."),
    "wrong_encoding": FEED.medium(
        "{feed} is not in the encoding that it states[: {detail}].",
        "save it as UTF-8, or as its head says, and import it again.",
    ),
    "block_broken": FEED.medium(
        "A block of {feed} does not hang together and was set aside[: {detail}].",
        "correct it in the planning system and export again.",
    ),
    "outside_span": FEED.medium("No operating day of {feed} lies in the days asked for.", "export the coming days."),
    "day_missing": FEED.low("Row {row} of {feed} has a time without a day.", "add a column operating_day."),
    "day_invalid": FEED.low(
        "Row {row} of {feed} has a day that cannot be read[: {detail}].", "write it as 2026-11-25."
    ),
    "time_invalid": FEED.low(
        "Row {row} of {feed} has a time that cannot be read[: {detail}].", "write it as 06:20 or 2026-11-25T06:20."
    ),
    "number_invalid": FEED.low(
        "Row {row} of {feed} has a number that cannot be used[: {detail}].", "correct it and import the file again."
    ),
    "arrival_before_departure": FEED.low("Row {row} of {feed} returns before it leaves.", "correct the times."),
    "times_overlap": FEED.low(
        "Trips of a block in {feed} overlap[: {detail}]; it was used as it is.", "correct it in the planning system."
    ),
    "return_estimated": FEED.low(
        "{vehicle} has {block} and {other}; the first states no arrival, is estimated to end at {back:time}, and the other begins at {departs:time}: they count as one departure.",
        "if it is back before that, import {block} in a table with its arrival.",
    ),
    "need_missing": FEED.low("Row {row} of {feed} states no distance, energy or target.", "fill one of the three."),
    "subject_missing": FEED.low("Row {row} of {feed} names neither vehicle nor block.", "fill one of the two."),
    "departure_in_past": FEED.low(
        "A departure of {feed} is over already and was not taken[: {detail}].", "correct the day, if it is one to come."
    ),
    "work_not_known_yet": FEED.medium(
        "An assignment of {feed} names a block that no schedule holds yet[: {detail}].",
        "import the schedule; the assignment then takes effect.",
    ),
}
