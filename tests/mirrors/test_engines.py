"""A mirror whose work is done in containers of this machine's Docker: on its own network, where the forge is on its loopback, or
on one apart."""

import ipaddress
import json
import os
import subprocess

import pytest

from mirrors.docker import docker, needs_docker
from programs import STATIC


def mirrored_by_containers(world, objects, network):
    """Two containers on this network do all of it, and are gone then."""
    target = world.target(hook=True)
    mine = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    ran = world.mirror(target, "--on", "docker", "--network", network, "--containers", "2", HF2MS_STATIC_WORKER=str(STATIC), **mine).ended(0)
    assert ran.report()["moved"] == 3
    world.is_mirrored(target, objects)
    assert docker("ps", "-aq", "--filter", f"label=hf2ms.run={ran.report()['run']}") == ""


@needs_docker
def test_containers_scan_copy_and_push(history):
    mirrored_by_containers(*history, "host")


@pytest.fixture
def network():
    """A Docker network of its own: its name, the address of this machine in it, and its addresses."""
    name = f"hf2ms-test-mirror-{os.getpid()}"
    docker("network", "create", "--label", "hf2ms.test", name)
    about = json.loads(docker("network", "inspect", name))[0]["IPAM"]["Config"][0]
    yield name, about["Gateway"], ipaddress.ip_network(about["Subnet"])
    docker("network", "rm", name)


@needs_docker
def test_containers_on_a_network_of_their_own_do_it_too(history, network):
    world, objects = history
    name, gateway, addresses = network
    with world.host.known_at(gateway):
        mirrored_by_containers(world, objects, name)
    is_container = lambda seen: ipaddress.ip_address(seen.peer) in addresses and seen.peer != gateway
    by_workers = [seen for seen in world.host.seen if seen.method == "PUT" or seen.path.endswith(("/git-receive-pack", "/git-upload-pack"))]
    pushed = next(n for n, seen in enumerate(by_workers) if seen.path.endswith("/git-receive-pack"))
    assert all(map(is_container, by_workers[: pushed + 1])), "nothing passed this machine's own processes"
