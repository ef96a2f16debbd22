"""The packing rules of the EndpointSlice controller on numbers: which slices are written."""

from hypothesis import given
from hypothesis import strategies as st

from switchboard.controllers._endpoints import Group
from switchboard.controllers._packing import pack

PORTS = [{"name": "", "port": 80, "protocol": "TCP"}]
OTHER = [{"name": "", "port": 81, "protocol": "TCP"}]


def endpoint(number, ready=True):
    return {"addresses": [f"10.0.0.{number}"], "ready": ready, "targetRef": {"uid": str(number)}}


def piece(name, numbers, ports=PORTS):
    return {"name": name, "ports": ports, "endpoints": [endpoint(n) for n in numbers]}


def make(old, ports, endpoints):
    if old is not None and (old["ports"], old["endpoints"]) == (ports, endpoints):
        return old
    return {"name": old["name"] if old else None, "ports": ports, "endpoints": endpoints}


def run(existing, numbers, capacity=4, ports=PORTS):
    return pack(existing, [Group(ports, [endpoint(n) for n in numbers])], make, capacity)


def sizes(slices):
    return sorted((s["name"], len(s["endpoints"])) for s in slices)


def test_new_endpoints_fill_the_unchanged_slice_that_becomes_fullest():
    existing = [piece("a", [1]), piece("b", [2, 3])]
    done = run(existing, [1, 2, 3, 4])
    assert (sizes(done.update), done.create, done.delete) == ([("b", 3)], [], [])


def test_a_slice_that_is_written_anyway_takes_them_first():
    existing = [piece("a", [1, 9]), piece("b", [2, 3])]
    done = run(existing, [1, 2, 3, 4])
    assert (sizes(done.update), done.create, done.delete) == ([("a", 2)], [], [])


def test_what_fits_nowhere_makes_new_slices():
    existing = [piece("a", [1, 2, 3])]
    done = run(existing, [1, 2, 3, 4, 5, 6, 7, 8, 9])
    # Six are left: four in a full new slice, then two, which do not fit beside three.
    assert (sizes(done.update), [len(s["endpoints"]) for s in done.create]) == ([], [4, 2])


def test_half_empty_slices_are_not_joined():
    existing = [piece("a", [1]), piece("b", [2])]
    done = run(existing, [1, 2])
    assert (done.create, done.update, done.delete) == ([], [], [])


def test_a_slice_to_be_deleted_becomes_the_one_to_be_created():
    done = run([piece("a", [1, 2], OTHER)], [1, 2])
    assert (sizes(done.update), done.create, done.delete) == ([("a", 2)], [], [])
    assert done.update[0]["ports"] == PORTS


def test_the_last_emptied_slice_becomes_the_placeholder():
    done = run([piece("a", [1]), piece("b", [2])], [])
    assert (sizes(done.update), len(done.delete)) == ([("b", 0)], 1)
    placeholder = piece("c", [], [])
    done = run([placeholder], [])
    assert (done.create, done.update, done.delete) == ([], [], [])


numbers = st.sets(st.integers(1, 60))


@given(st.lists(numbers, max_size=4), st.integers(1, 6))
def test_packing_keeps_every_endpoint_once_within_capacity_and_then_rests(history, capacity):
    slices, serial = [], 0
    for wanted in history:
        halves = ((PORTS, 0), (OTHER, 1))
        groups = [Group(ports, [endpoint(n) for n in sorted(wanted) if n % 2 == odd]) for ports, odd in halves]
        groups = [group for group in groups if group.endpoints]
        done = pack(slices, groups, make, capacity)
        gone = {s["name"] for s in (*done.delete, *done.update)}
        slices = [s for s in slices if s["name"] not in gone] + done.update
        for created in done.create:
            serial += 1
            slices.append({**created, "name": str(serial)})
        found = sorted(int(e["targetRef"]["uid"]) for s in slices for e in s["endpoints"])
        assert found == sorted(wanted)
        assert all(len(s["endpoints"]) <= capacity for s in slices)
        assert slices
        again = pack(slices, groups, make, capacity)
        assert (again.create, again.update, again.delete) == ([], [], [])
