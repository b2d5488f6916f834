"""``make bench-kernel``: a lab on the kernel, agreement with it, and sessions beside a browser.

It needs root, and no other lab on the machine: anything that others start or end meanwhile counts
as the bench's. A set-up is compared with its parts: the same number of bare namespaces, made and
removed by ``ip``, and of coturn servers on this machine.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.bars import bar, figure, publish
from bench.beside_browser import beside, played
from bench.calibration import alternated
from bench.upgrades import kernel_upgrades
from jamlab.browsers.installed import BrowserError
from jamlab.measure.connectivity_on_kernel.agreement import disagreements
from jamlab.measure.connectivity_on_kernel.run import measure_agreement
from jamlab.networks.kernel import namespace
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology

SET_UPS = 100
BOXES = 7
"""Namespaces of `WORLD`: four hosts, two routers and the network between them."""
AGREEMENTS = 3
STAYS = "jamlab-stays"
"""Name of the program in a lab whose owner is killed; no other program has it."""
WORLD = Topology(
    (
        HostConfig("stun", addresses=2),
        HostConfig("turn", addresses=2),
        LanConfig("ada-home", (HostConfig("ada"),), (PORT_RESTRICTED,)),
        LanConfig("ben-home", (HostConfig("ben"),), (SYMMETRIC,)),
    )
)
TOOLS = {"turnserver", "ip", "nft", "conntrack", "nsenter", "setpriv", STAYS}


def machine():
    """Return all resources of the machine that a lab could leave behind; zombies do not count."""
    links = namespace.run("ip", "-brief", "link").splitlines()
    tables = namespace.run("nft", "list", "tables").splitlines()
    processes = psutil.process_iter(["name", "status"])
    running = [
        f"{it.info['name']} {it.pid}"
        for it in processes
        if it.info["name"] in TOOLS and it.info["status"] != psutil.STATUS_ZOMBIE
    ]
    held = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):  # the process has just ended
            held.add(link.stat().st_ino)
    files = [path.name for path in Path(tempfile.gettempdir()).glob(f"{namespace.PREFIX}-*")]
    names = [*namespace.names(), *(line.split()[0] for line in links), *files]
    return {*names, *tables, *running, *held}


def set_up():
    """Build the lab with its servers, and remove it."""
    with KernelLab(WORLD) as lab, Coturn(lab.host("stun")), Coturn(lab.host("turn")):
        pass


def set_up_s():
    began_s = time.perf_counter()
    set_up()
    return time.perf_counter() - began_s


def parts_s():
    """Return the wall seconds for the same number of bare namespaces and coturn servers."""
    names = [f"bench-bare-{number}" for number in range(BOXES)]
    began_s = time.perf_counter()
    for name in names:
        namespace.run("ip", "netns", "add", name)
    for name in names:
        namespace.run("ip", "netns", "delete", name)
    for _ in range(2):
        with Coturn():
            pass
    return time.perf_counter() - began_s


def stay():
    """Build the lab, run a program inside and never end, for the parent kills this process."""
    with KernelLab(WORLD) as lab, Coturn(lab.host("turn")) as server:
        program = server.certificate_file.with_name(STAYS)
        program.symlink_to(shutil.which("sleep") or "sleep")
        subprocess.run(lab.host("ada").command(str(program), "1000"))


def killed(spaces):
    """Kill a process that builds a lab, once it has `spaces` namespaces.

    Beyond the lab's members, also wait for a program inside. Return the number of namespaces left.
    """
    with subprocess.Popen([sys.executable, "-m", "bench.kernel", "--stay"]) as owner:
        prefix = f"{namespace.PREFIX}-{owner.pid}-"

        def own():
            return [name for name in namespace.names() if name.startswith(prefix)]

        def busy():
            running = psutil.process_iter(["name", "ppid"])
            return any(it.info == {"name": STAYS, "ppid": owner.pid} for it in running)

        try:
            while len(own()) < spaces or (spaces > len(WORLD.members) and not busy()):
                if owner.poll() is not None:
                    raise RuntimeError(f"the process to be killed ended with {owner.returncode}")
                time.sleep(0.001)
        finally:
            owner.kill()
    return len(own())


def agreement():
    """Try the whole table; return the numbers of its cells and of cells with a disagreement."""
    table = measure_agreement().table
    for words in (found := disagreements(table)):
        print(words, file=sys.stderr)
    return len(table), len(found)


def beside_browser():
    """Return the rows on sessions beside a browser; none without Chromium, and the reason."""
    try:
        return beside(played())
    except BrowserError as error:
        print(f"beside a browser: not run: {error}", file=sys.stderr)
        return []


def main():
    if sys.argv[1:] == ["--stay"]:
        return stay()
    set_up()  # removes the leftovers of earlier runs
    before = machine()
    print(f"{SET_UPS} set-ups", file=sys.stderr)
    set_ups = alternated(set_up_s, parts_s, SET_UPS)
    left = machine() - before
    print(f"left after set-ups: {left or 'nothing'}", file=sys.stderr)

    left_by_killed, swept = [], []
    for spaces in (1, 3, 5, 7):
        left_by_killed.append(killed(spaces))
        set_up()
        swept.append(len(machine() - before))
    print(f"namespaces left by killed processes: {left_by_killed}", file=sys.stderr)

    agreed = []
    for number in range(AGREEMENTS):
        print(f"agreement {number + 1} of {AGREEMENTS}", file=sys.stderr)
        agreed.append(agreement())
    cells = min(count for count, _ in agreed)
    disagreed = sum(found for _, found in agreed)

    print("upgrades", file=sys.stderr)
    upgraded = kernel_upgrades()

    ratios, slowest_s = set_ups.ratios, max(set_ups.measured)
    bars = [
        bar("set-up plus tear-down, coturn twice, over its parts", ratios, "×", "≤", 1.5),
        bar(f"slowest of {SET_UPS}, over its parts", [max(ratios)], "×", "≤", 3),
        bar(f"left behind by {SET_UPS} set-ups", [len(left)], "", "≤", 0),
        bar("left behind by a kill and a new start", swept, "", "≤", 0),
        bar(f"disagreements in {cells} cells, {AGREEMENTS} runs", [disagreed], "", "≤", 0),
        figure("set-up plus tear-down, coturn twice", set_ups.measured, "s"),
        figure(f"slowest of {SET_UPS}", [slowest_s], "s"),
        figure("its parts", set_ups.known, "s"),
        *upgraded,
        *beside_browser(),
    ]
    publish(bars, Path("reports/bench-kernel.json"))
    return None


if __name__ == "__main__":
    main()
