"""The last step of a plan: where a battery takes less than was planned, its energies are laid anew into what is free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from core.allocation.frame import Frame
from core.allocation.network import Network
from core.allocation.problem import Demand
from core.allocation.solve import Plan, with_energy
from core.allocation.stays import Bay, SiteProblem
from core.battery import power_at, soc_after
from core.messages.allocation import Step


def relay(site: SiteProblem, plan: Plan, names: Iterable[str]) -> Plan:
    """The plan where each of these follows its battery's curve: first after its planned slots, else from now on.

    The missed make room and get what is left after; the others keep what they have, so every limit still holds.
    """
    net = Network(site.problem)
    energy = np.array([plan.energy[d.id] for d in site.problem.demands], np.int64).reshape(
        len(site.bays), site.problem.slots
    )
    demands = site.problem.demands
    missed = np.array([not d.counted or d.id not in plan.met for d in demands], np.bool_)
    energy[missed] = 0
    for i in sorted((net.index[name] for name in names), key=lambda i: (demands[i].deadline_slot, demands[i].id)):
        energy[i] = 0
        room = (net.caps - net.loads(energy))[net.chains[int(net.leaf[i])]].min(axis=0).tolist()
        energy[i] = _best(site.frame, demands[i], site.bays[demands[i].id], plan.energy[demands[i].id], room)
    energy = net.augment(energy, np.where(missed, net.needs, 0))
    return with_energy(site.problem, plan, energy)


def _best(frame: Frame, demand: Demand, bay: Bay, old: Sequence[int], room: Sequence[int]) -> list[int]:
    most = [min(cap, free) for cap, free in zip(demand.cap_wh, room, strict=True)]
    last = max((slot for slot, wh in enumerate(old) if wh), default=-1)
    longer = [wh if slot <= last else most[slot] for slot, wh in enumerate(old)]
    tries = [_walk(frame, demand, bay, offer) for offer in (longer, most)]
    return next((energies for soc, energies in tries if soc >= bay.goal), max(tries, key=lambda found: found[0])[1])


def _walk(frame: Frame, demand: Demand, bay: Bay, offers: Sequence[int]) -> tuple[float, list[int]]:
    """(SoC, energies): through time, in each slot as much of the offer as the battery takes to the slot's very end."""
    assert bay.soc is not None and bay.kind is not None
    curve, eta, soc = bay.kind.curve, bay.kind.eta_battery, bay.soc
    left, energies = demand.need_wh, []
    for slot, offer in enumerate(offers):
        kw = frame.power(min(offer, left), slot)
        given = 0
        if kw > 0 and soc < bay.goal:
            begins, ends = frame.edges[slot], frame.edges[slot + 1]
            end = soc_after(curve, bay.capacity_kwh, eta, soc, [Step(at=begins, kw=kw)], begins, ends)
            kw = frame.power(frame.energy(power_at(curve, end, kw), slot), slot)
            given = frame.energy(kw, slot)
            soc = soc_after(curve, bay.capacity_kwh, eta, soc, [Step(at=begins, kw=kw)], begins, ends)
        left -= given
        energies.append(given)
    return soc, energies
