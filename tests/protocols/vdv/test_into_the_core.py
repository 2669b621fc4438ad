"""A VDV 452 export and its assignments, through the core, to a requirement with its lineage."""

from datetime import UTC, datetime

from core import requirements, work
from core.messages.scribe import Scribe
from core.messages.site import Node, SiteConfig, Vehicle, VehicleType
from protocols import table, vdv
from tests.protocols.vdv.export import files, replaced

NOW = datetime(2026, 11, 24, 18, tzinfo=UTC)
SB12 = VehicleType(id="SB12", capacity_kwh=350, curve=((0, 150), (1, 15)), consumption=((-15, 3.0), (15, 1.2)))
CONFIG = SiteConfig(
    id="depot",
    zone="Europe/Berlin",
    nodes=(Node(id="grid", limit_kw=800),),
    vehicle_types=(SB12,),
    vehicles=(Vehicle(id="BUS-142", type="SB12"),),
)
ASSIGNED = b"operating_day,block,vehicle\n2026-11-25,4201,BUS-142\n2026-11-25,4201,BUS-1\n"


class Depot:
    """The parts of the site controller that work needs: one journal, one fold."""

    def __init__(self):
        self.works, self.needs, self.journal, self.seen = work.WorkState(), requirements.RequirementsState(), {}, 0

    def take(self, facts):
        written = self._decide(facts)
        return written[-1].body

    def _decide(self, facts):
        self.seen += 1
        scribe = Scribe("depot", self.seen, NOW)
        self._fold(facts)
        work.decide(self.works, CONFIG, NOW, scribe)
        self._fold(scribe.messages)
        needs = Scribe("depot", self.seen + 1000, NOW)
        ahead = work.departures(self.works, CONFIG, NOW)
        requirements.decide(self.needs, ahead, lambda _: None, CONFIG, NOW, needs, configured="cfg")
        self._fold(needs.messages)
        return scribe.messages

    def _fold(self, facts):
        for fact in facts:
            self.journal[fact.id] = fact
            self.works = work.fold(self.works, fact)
            self.needs = requirements.fold(self.needs, fact)

    def imports(self, adapter, data, upload, feed="vdv"):
        found = adapter.translate(data, feed=feed, zone="Europe/Berlin")
        name = adapter.import_id("depot", feed, found.content)
        return self.take(adapter.messages(found, name, feed, "depot", NOW, upload))

    def lineage(self, message):
        found = {message.type}
        for cause in message.causes:
            found |= self.lineage(self.journal[cause]) if cause in self.journal else {cause}
        return found


def test_the_night_before_gives_a_requirement_that_leads_back_to_the_file():
    depot = Depot()
    outcome = depot.imports(vdv, files(), "evidence-1")
    assert (outcome.new, outcome.refused, outcome.over) == (1, (), 1)
    outcome = depot.imports(table, ASSIGNED, "evidence-2", feed="dispatch")
    assert (outcome.assigned, outcome.quarantined) == (1, 1)
    ((key, message),) = depot.needs.current.items()
    assert key == ("BUS-142", "2026-11-25T05:20:00+00:00")
    assert message.body.works == ("vdv:2026-11-25:4201",)
    kwh_per_km = 1.8
    standing_h = 0
    assert abs(message.body.consumption_kwh - 28.32 * kwh_per_km - standing_h) < 1e-9
    assert {"evidence-1", "evidence-2", "work.planned", "work.assigned", "cfg"} <= depot.lineage(message)


def test_a_reimport_with_a_broken_row_keeps_the_bus_that_it_is_about():
    depot = Depot()
    depot.imports(vdv, files(), "evidence-1")
    outcome = depot.imports(vdv, replaced("REC_FRT", "1; 1001; 24000; 5", "1; 1001; early; 5"), "evidence-2")
    assert (outcome.withdrawn, outcome.quarantined) == (0, 2)
    assert "vdv:2026-11-25:4201" in depot.works.works


def test_a_reimport_that_moves_a_trip_changes_that_block_only():
    depot = Depot()
    depot.imports(vdv, files(), "evidence-1")
    outcome = depot.imports(vdv, replaced("REC_FRT", "1; 1000; 22800", "1; 1000; 22500"), "evidence-2")
    assert (outcome.changed, outcome.withdrawn, outcome.new) == (1, 0, 0)
    assert depot.works.works["vdv:2026-11-25:4201"].block.departs == datetime(2026, 11, 25, 5, 15, tzinfo=UTC)
