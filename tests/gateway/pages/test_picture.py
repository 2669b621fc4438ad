"""The night's picture: what it must show, where its labels may stand, how large it may be."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway.pages.picture import key_lines, night_file, night_svg
from gateway.pages.picture.labels import place
from gateway.pages.picture.scale import BASE, PANEL, TOP, Scale, scale
from gateway.pages.picture.stack import bands
from gateway.pages.render import Frame, Renderer
from gateway.pages.steps import grid, merged, sample
from gateway.pages.views import Gap, Limit, NightView, Step
from tests.gateway.pages.nights import ZONE, moment, name_of, night

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = (1, 16, 200)


def tree(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in tree(svg).iter("text")]


def scale_of(view: NightView) -> Scale:
    edges = [m for s in merged(view.limits) for m in (s.begins, s.ends)]
    highest = max(s.kw for s in (*view.limits, *view.imported))  # type: ignore[attr-defined]  # because: both have kw
    return scale(grid(view.begins, view.ends, view.now, edges), highest, view.zone)


def changed_clock(day: date) -> NightView:
    return night(4, day=day, now="05:00")


def with_gap() -> NightView:
    view = night(16)
    begins, ends = moment("20:40"), moment("20:55")
    kept = tuple(s for s in view.imported if s.ends <= begins or s.begins >= ends)
    return replace(view, imported=kept, gaps=(Gap(begins, ends, "no meter values, 15 min"),))


def with_excess() -> NightView:
    view = night(16)
    at = moment("01:00")
    over = Step(at, at + timedelta(seconds=20), 274.0)
    return replace(view, imported=(*(s for s in view.imported if s.begins < at), over), import_kw=None)


def with_fallback() -> NightView:
    view = night(16, now="04:00")
    heard = moment("03:10")
    limits = (
        *view.limits[:1],
        replace(view.limits[1], ends=heard),
        Limit(heard, moment("04:30"), 200, "grid operator, by OSCP", fallback=True, heard=heard),
        view.limits[2],
    )
    return replace(view, limits=limits)


CASES = {
    "one": lambda: night(1),
    "sixteen": lambda: night(16, follow="BUS-142"),
    "two_hundred": lambda: night(200, follow="BUS-142"),
    "longer_night": lambda: changed_clock(date(2026, 10, 24)),
    "shorter_night": lambda: changed_clock(date(2026, 3, 28)),
    "gap": with_gap,
    "excess": with_excess,
    "fallback": with_fallback,
}


@pytest.mark.parametrize("case", CASES)
def test_the_picture_is_as_it_was_looked_at(case: str) -> None:
    svg = night_svg(CASES[case]()).replace("><", ">\n<") + "\n"
    kept = SNAPSHOTS / f"{case}.svg"
    assert svg == kept.read_text("utf-8"), f"{kept.name} changed: look at it, then `python -m {__name__}`"


@pytest.mark.parametrize("count", SIZES)
def test_equal_data_give_equal_bytes(count: int) -> None:
    assert night_svg(night(count)) == night_svg(night(count))


@pytest.mark.parametrize("count", SIZES)
def test_the_picture_stays_below_sixty_kilobytes(count: int) -> None:
    assert len(night_svg(night(count, follow="BUS-142")).encode()) <= 60_000


def test_every_departure_has_one_row_with_a_spoken_link() -> None:
    links = [a.get("aria-label") for a in tree(night_svg(night(16))).iter("a")]
    assert len(links) == len(set(links)) == 16
    assert "BUS-117, departs 07:00, at risk" in links


def test_each_row_has_one_shape_at_its_departure_and_one_for_narrow_pictures() -> None:
    view = night(16)
    for vehicle, link in zip(view.vehicles, tree(night_svg(view)).iter("a"), strict=True):
        shapes = list(link.iter("use"))
        share = (vehicle.departure.departs - view.begins) / (view.ends - view.begins) * 100
        assert [s.get("class") for s in shapes] == [None, "n"]
        assert float((shapes[0].get("x") or "").rstrip("%")) == pytest.approx(share, abs=0.01)


def test_every_departure_of_two_hundred_stands_in_a_column() -> None:
    drawn = [t for t in texts(night_svg(night(200))) if re.fullmatch(r"\d+", t)]
    svg = tree(night_svg(night(200)))
    wide = [g for g in svg.iter("g") if g.get("class") == "m"]
    assert sum(int("".join(t.itertext())) for g in wide for t in g.iter("text")) == 200
    assert drawn


def test_above_forty_only_exceptions_have_rows() -> None:
    view = night(200)
    labels = [a.get("aria-label") or "" for a in tree(night_svg(view)).iter("a")]
    assert len(labels) == 20
    assert all("at risk" in label or "unknown" in label for label in labels)


def test_nothing_measured_is_drawn_after_now() -> None:
    view = night(16)
    liar = replace(view, imported=(*view.imported, Step(moment("03:00"), moment("04:00"), 500.0)))
    assert 'class="ln import" d="' in night_svg(view)
    solid = re.compile(r'class="ln import" d="([^"]*)"')
    assert solid.search(night_svg(view)).group(1) == solid.search(night_svg(liar)).group(1)
    on = grid(view.begins, view.ends, view.now)
    values = sample(liar.imported, on, "most", until=on.now_s)
    assert all(value is None for i, value in enumerate(values) if not on.measured(i))


@pytest.mark.parametrize("count", SIZES)
def test_labels_lie_inside_their_bands_and_apart(count: int) -> None:
    view = night(count, follow="BUS-142")
    on = scale_of(view)
    layers, slots = bands(view, on.grid), len(on.grid.edges) - 1
    floor, boxes = [0.0] * slots, []
    for band in layers:
        top = [floor[i] + band.kw(i) for i in range(slots)]
        for label in place(band.name, band.hue, floor, top, on):
            plot = {"": 182, "m": 454, "l": 794}[label.width]
            half = label.pixels / plot / 2
            covered = [
                i
                for i in range(slots)
                if on.grid.edges[i + 1] / on.grid.span > label.x - half + 1e-9
                and on.grid.edges[i] / on.grid.span < label.x + half - 1e-9
            ]
            assert all(on.y(floor[i]) >= label.y - 0.5 for i in covered)
            assert all(on.y(top[i]) <= label.y - 8 for i in covered)
            boxes.append((label.x - half, label.x + half, label.y - 9, label.y, label.width))
        floor = top
    for a in boxes:
        for b in boxes:
            apart = a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
            assert a is b or apart or a[4] != b[4]


def test_a_limit_that_falls_is_named_with_its_source() -> None:
    drawn = texts(night_svg(night(16)))
    assert "260\u00a0kW grid operator, by OSCP" in drawn
    assert "260 ②" in drawn
    assert "② grid operator, by OSCP, received 23:30" in [text for _, text in key_lines(night(16))]


def test_a_fallback_is_named_with_its_last_sign_of_life() -> None:
    assert any("fallback, no signal since 03:10" in text for _, text in key_lines(with_fallback()))


def test_a_fallback_too_short_for_its_name_is_named_in_the_wall_above_it_clear_of_every_limit() -> None:
    view = with_fallback()
    fallback = view.limits[2]
    back = moment("03:30")
    again = replace(view.limits[1], begins=back, ends=fallback.ends)
    view = replace(view, limits=(*view.limits[:2], replace(fallback, ends=back), again, view.limits[3]))
    on = scale_of(view)
    (name,) = [e for e in tree(night_svg(view)).iter("text") if "fallback" in "".join(e.itertext())]
    assert float(name.attrib["y"]) - 12 > TOP
    assert float(name.attrib["y"]) < on.y(260) - 20
    assert on.x(moment("00:30")) * 100 < float(name.attrib["x"].rstrip("%")) < on.x(moment("04:30")) * 100
    assert "</tspan> fallback</text>" in night_file(view)


def test_import_above_the_limit_is_filled_and_told_in_numbers() -> None:
    svg = night_svg(with_excess())
    assert 'class="over f-miss"' in svg
    assert "14\u00a0kW over, 20\u00a0s" in texts(svg)
    assert "over f-miss" not in night_svg(night(16))


def test_a_reading_from_before_a_fall_is_no_excess() -> None:
    view = night(16)
    fall = moment("00:30")
    reaching = Step(fall - timedelta(seconds=30), fall, 700.0)
    assert "over f-miss" not in night_svg(replace(view, imported=(reaching,)))


def test_missing_values_break_the_line_and_give_their_reason() -> None:
    svg = night_svg(with_gap())
    assert "no meter values, 15\u00a0min".replace("\u00a0", " ") in " ".join(texts(svg)).replace("\u00a0", " ")
    assert re.search(r'class="ln import" d="M[^"]*M', svg)
    assert "offline 40 min" in texts(svg)


def test_the_longer_night_names_the_zone_of_the_hour_that_comes_twice() -> None:
    drawn = texts(night_svg(changed_clock(date(2026, 10, 24))))
    assert {"02 CEST", "02 CET", "clock change"} <= set(drawn)


def test_the_shorter_night_has_no_two_o_clock() -> None:
    drawn = texts(night_svg(changed_clock(date(2026, 3, 28))))
    assert "clock change" in drawn
    assert "02:00" not in drawn
    assert "03:00" in drawn


def test_large_sites_are_told_in_megawatts() -> None:
    assert "MW" in texts(night_svg(night(200)))
    assert "kW" in texts(night_svg(night(16)))


def test_everything_but_the_links_is_silent() -> None:
    svg = tree(night_svg(night(16)))
    assert [child.tag for child in svg] == ["title", "desc", "g", *["a"] * 16]
    assert svg.get("role") == "group"
    assert svg[2].get("aria-hidden") == "true"
    assert "14 of 16" in (svg[1].text or "")


def test_names_are_only_text() -> None:
    view = night(2)
    bad = replace(view.vehicles[0].departure, vehicle='<b onload="x">&')
    svg = night_svg(replace(view, vehicles=(replace(view.vehicles[0], departure=bad), view.vehicles[1])))
    assert "<b" not in svg
    tree(svg)


def test_nothing_in_the_picture_needs_a_style_attribute_or_a_script() -> None:
    for count in SIZES:
        assert not re.search(r'\bstyle=|\bon\w+="|<script|javascript:', night_svg(night(count)))


def test_the_file_brings_its_own_colours_and_shapes() -> None:
    svg = night_file(night(16))
    assert "--band-1:#788A9B" in svg
    assert 'id="s-risk"' in svg
    used = set(re.findall(r'href="#([\w-]+)"', svg)) | set(re.findall(r"url\(#([\w-]+)\)", svg))
    assert used <= set(re.findall(r'id="([\w-]+)"', svg))
    assert not re.search(r"https?://(?!www\.w3\.org)", svg)
    tree(svg)


def test_an_empty_night_is_still_a_picture() -> None:
    view = night(1)
    bare = replace(view, vehicles=(), limits=(), imported=(), import_planned=(), building=(), building_planned=())
    assert "No departures tonight." in night_svg(bare)


def test_a_night_that_is_over_has_no_now() -> None:
    view = night(16)
    assert "now " not in " ".join(texts(night_svg(replace(view, now=view.ends + timedelta(hours=1)))))


def test_powers_lie_within_the_panel() -> None:
    on = scale_of(night(16))
    assert on.y(0) == BASE
    assert on.y(on.top_kw) == TOP
    assert on.top_kw == pytest.approx(880)
    assert [label for _, label in on.ticks()] == ["0", "200", "400", "600", "800"]
    assert PANEL == 270


def test_the_followed_bus_stands_lowest_above_the_building() -> None:
    view = night(16, follow=name_of(10))
    assert [b.name for b in bands(view, scale_of(view).grid)][:3] == ["building", "BUS-142", "BUS-117"]


def write_snapshots() -> None:
    """Run this module to keep the pictures as they are now; look at them first."""
    SNAPSHOTS.mkdir(exist_ok=True)
    for case, build in CASES.items():
        (SNAPSHOTS / f"{case}.svg").write_text(night_svg(build()).replace("><", ">\n<") + "\n", "utf-8")


if __name__ == "__main__":
    write_snapshots()


def test_charging_that_nothing_measures_at_the_grid_stays_within_the_picture() -> None:
    view = night(16)
    low = tuple(replace(limit, kw=limit.kw / 10) for limit in view.limits)
    ticks = re.findall(r'class="sm mut end" dx="-5">([\d,]+)<', night_svg(replace(view, limits=low, imported=())))
    assert max(int(tick.replace(",", "")) for tick in ticks) > 300


def test_the_legend_of_many_buses_speaks_of_feeders() -> None:
    frame = Frame(now=night(1).now, zone=ZONE, site="nord")
    few, many = (Renderer().part("night", "night", frame, view=night(count)) for count in (16, 200))
    assert ("one per bus" in few, "one per feeder" in many) == (True, True)
