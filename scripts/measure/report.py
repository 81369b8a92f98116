"""Tables for people, and the drawing of cost against MACs."""

WORDS = {
    "vlan-vxlan": "VLAN → VXLAN",
    "vxlan-vlan": "VXLAN → VLAN",
    "vlan-geneve": "VLAN → Geneve",
    "geneve-vlan": "Geneve → VLAN",
}
PEERS = {"causeway": "Causeway", "ovs": "Open vSwitch (DPDK)", "testpmd macswap": "testpmd macswap (the devices' limit)"}


def find(results, cell, contestant):
    """The result of a contestant in a cell, if it was measured."""
    for entry in results:
        if (entry["job"], entry["size"], entry["macs"]) == cell and entry["contestant"] == contestant:
            return entry if "mpps" in entry else None
    return None


def cells_of(results):
    """All cells, in the order of the tables."""
    cells = {(entry["job"], entry["size"], entry["macs"]) for entry in results}
    return sorted(cells, key=lambda cell: (cell[1], list(WORDS).index(cell[0]), cell[2]))


def count(number):
    """1 000 000 as '1 M'."""
    for step, unit in ((1_000_000, " M"), (1_000, " k")):
        if number >= step and number % step == 0:
            return f"{number // step}{unit}"
    return str(number)


def frame_name(size):
    return "IMIX" if size == "imix" else f"{size} B"


def rate(entry):
    """Median and spread of a rate."""
    return "–" if entry is None else f"{entry['mpps']:.1f} ({entry['mpps_min']:.1f}–{entry['mpps_max']:.1f})"


def ratio(ours, theirs, digits=2):
    return "–" if ours is None or theirs is None else f"{ours['mpps'] / theirs['mpps']:.{digits}f}"


def markdown(document):
    """The tables and what stands below them."""
    results = document["results"]
    lines = [
        "| job | frames | MACs | Causeway Mpps | cycles a frame | Open vSwitch Mpps | cycles | to Open vSwitch | to testpmd macswap |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for cell in cells_of(results):
        job, size, macs = cell
        ours, ovs = find(results, cell, "causeway"), find(results, cell, "ovs")
        swap = find(results, cell, "testpmd macswap")
        cycles = ["–" if entry is None else f"{entry['cycles']:.0f}" for entry in (ours, ovs)]
        times = ratio(ours, ovs)
        lines.append(
            f"| {WORDS[job]} | {frame_name(size)} | {count(macs)} | {rate(ours)} | {cycles[0]} | {rate(ovs)} | "
            f"{cycles[1]} | {times + ' ×' if times != '–' else times} | {ratio(ours, swap)} |"
        )
    lines += ["", "What the devices allow (testpmd, Mpps):", ""]
    lines += ["| frames of | size | MACs | rxonly | io | macswap |", "|---|---|---:|---:|---:|---:|"]
    for cell in cells_of(results):
        modes = [find(results, cell, f"testpmd {mode}") for mode in ("rxonly", "io", "macswap")]
        if any(modes):
            rates = " | ".join(rate(entry) for entry in modes)
            lines.append(f"| {WORDS[cell[0]]} | {frame_name(cell[1])} | {count(cell[2])} | {rates} |")
    extra = document.get("memif")
    if extra and "mpps" in extra:
        lines += [
            "",
            f"Between two processes over memif (testpmd on one core sends and receives, the gateway on another does "
            f"{WORDS[extra['job']]}, 64 B): {rate(extra)} Mpps through the gateway.",
        ]
    workers = workers_line(document)
    lines += ["", workers] if workers else []
    lines += latency_lines(document)
    gaps = missing(document)
    if gaps:
        lines += ["", "Not measured:", ""] + [f"- {line}" for line in gaps]
    for entry in results:
        if "note" in entry:
            where = f"{WORDS[entry['job']]}, {frame_name(entry['size'])}, {count(entry['macs'])} MACs"
            lines += ["", f"{where}: {PEERS.get(entry['contestant'], entry['contestant'])}: {entry['note']}."]
    return "\n".join(lines) + "\n"


def workers_line(document):
    """Two workers against one, in a sentence."""
    measured = document.get("workers", {})
    if "times" not in measured:
        return None
    one, two = rate(measured["one"]), rate(measured["two"])
    return f"Two workers with a queue each: {two} Mpps, one: {one} Mpps, so {measured['times']:.2f} times as much."


def latency_lines(document):
    """What 'causeway bench' found, as lines of a table."""
    measured = document.get("latency", {})
    results = measured.get("results", [])
    if not results or "why" in measured:
        return []
    head = "".join(f" {name} |" for name, _ in QUANTILES)
    lines = [
        "",
        "Latency through the gateway in µs, from `causeway bench` (its generator on one core, memif between):",
        "",
        f"| job | no-drop Mpps | load | of a |{head}",
        "|---|---:|---:|---|" + "---:|" * len(QUANTILES),
    ]
    notes = []
    for entry in results:
        best = entry["no_drop"]
        mpps = "–" if best is None else f"{best['mpps']:.2f}"
        for load in entry["loads"]:
            for what in ("frame", "burst"):
                times = load[f"{what}_latency"]
                cells = "".join(f" {times[name] / 1000:.0f} |" for _, name in QUANTILES)
                lines.append(f"| {WORDS[entry['job']]} | {mpps} | {load['load']} | {what} |{cells}")
        notes += ["", *(f"{WORDS[entry['job']]}: {note}" for note in entry["notes"])] if entry["notes"] else []
    return lines + notes


QUANTILES = [("p50", "p50_ns"), ("p99", "p99_ns"), ("p99.9", "p99_9_ns"), ("max", "max_ns")]


def missing(document):
    """Everything that was not measured, with its reason."""
    gaps = {}
    for entry in document["results"]:
        if "why" in entry:
            text = f"{entry['contestant']}: {entry['why']}"
            gaps.setdefault(text, []).append(f"{entry['job']} {frame_name(entry['size'])} {count(entry['macs'])}")
    lines = [f"{text} ({', '.join(where)})" for text, where in gaps.items()]
    for name in ("memif", "workers", "latency"):
        if "why" in document.get(name, {}):
            lines.append(f"{name}: {document[name]['why']}")
    return lines + [f"{name}: {why}" for name, why in document.get("not_measured", {}).items()]


def method(document):
    """How and on what, in sentences."""
    host, how = document["machine"], document["method"]
    where = "a virtual machine" if host["virtual"] else "a machine"
    noisy = [entry["cpu_share"] for entry in document["results"] if "cpu_share" in entry]
    share = f"{min(noisy):.0%} to {max(noisy):.0%}" if noisy else "none"
    ovs = f", Open vSwitch {host['ovs']}" if host["ovs"] else ""
    return (
        f"{host['cpu']} ({host['cores']} cores of {where}, counter at {host['tsc_mhz']} MHz), Linux {host['kernel']}, "
        f"DPDK {host['dpdk']}{ovs}; {document['date']}, commit {document['commit']}. "
        f"One core polls; {how['windows']} windows of {how['seconds']:g} s each, everyone in turn, the others stopped; "
        f"median (least–most). Rates are by the CPU time that the polling core had, {share} of the windows. "
        f"{pages(document['results'])}\n"
    )


def pages(results):
    """Where packets lay."""
    ordinary = sorted({f"{WORDS[e['job']]}, {frame_name(e['size'])}, {count(e['macs'])} MACs" for e in results if not e["huge"]})
    if not ordinary:
        return "Packet memory in huge pages."
    if all(not entry["huge"] for entry in results):
        return "Packet memory in ordinary pages: the kernel gave no huge ones."
    return f"Packet memory in huge pages; in ordinary ones, because the kernel gave too few: {'; '.join(ordinary)}."


# ---- the drawing ----

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 24, 76, 48
LOOKS = {"causeway": ("#0b6e4f", ""), "ovs": ("#b5482a", ""), "testpmd macswap": ("#667085", "4 3")}


def drawing(results, size="64"):
    """An SVG of nanoseconds a frame against MACs; none when fewer than two numbers of MACs were measured."""
    jobs = [job for job in ("vlan-vxlan", "vxlan-vlan") if any(entry["job"] == job for entry in results)]
    lines = {}
    for who in LOOKS:
        for job in jobs:
            points = [
                (entry["macs"], entry["ns"])
                for entry in results
                if (entry["contestant"], entry["job"], entry["size"]) == (who, job, size) and "ns" in entry
            ]
            if len(points) > 1:
                lines[who, job] = sorted(points)
    if not lines:
        return None
    steps = sorted({macs for points in lines.values() for macs, _ in points})
    highest = max(cost for points in lines.values() for _, cost in points) * 1.1

    def x(macs):
        return LEFT + (WIDTH - LEFT - RIGHT) * steps.index(macs) / (len(steps) - 1)

    def y(cost):
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * cost / highest

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="15">Nanoseconds a frame on one core, {frame_name(size)}, by number of MACs</text>',
    ]
    step = next(unit for unit in (5, 10, 20, 50, 100, 200, 500, 1000, 1 << 30) if highest / unit <= 8)
    for mark in range(0, int(highest) + 1, step):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#e4e7ec"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark}</text>')
    for macs in steps:
        out.append(f'<text x="{x(macs):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{count(macs)}</text>')
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">MACs on each side</text>')
    for (who, job), points in lines.items():
        colour, dashes = LOOKS[who]
        if who != "testpmd macswap" and job == "vxlan-vlan":
            dashes = "8 3"
        path = " ".join(f"{x(macs):.1f},{y(cost):.1f}" for macs, cost in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>')
        for macs, cost in points:
            out.append(f'<circle cx="{x(macs):.1f}" cy="{y(cost):.1f}" r="3" fill="{colour}"><title>{PEERS[who]}, '
                       f"{WORDS[job]}, {count(macs)} MACs: {cost:.1f} ns</title></circle>")
    place = LEFT
    for who, (colour, _) in LOOKS.items():
        if any(name == who for name, _ in lines):
            out.append(f'<rect x="{place}" y="30" width="10" height="10" fill="{colour}"/>')
            out.append(f'<text x="{place + 15}" y="39">{PEERS[who]}</text>')
            place += 40 + 7 * len(PEERS[who])
    out.append(f'<text x="{LEFT}" y="58">whole lines: VLAN → VXLAN; long dashes: VXLAN → VLAN</text>')
    return "\n".join(out + ["</svg>"]) + "\n"


def readme(text, document, drawing_path):
    """README with its measured part made anew, between its two marks."""
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
    before, rest = text.split(begin)
    _, after = rest.split(end)
    picture = f"\n![Cost of a frame by number of MACs]({drawing_path})\n" if drawing_path else ""
    return before + begin + markdown(document) + picture + "\n" + method(document) + end + after
