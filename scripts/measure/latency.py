"""The latency of the gateway, from 'causeway bench': its own generator in a process of its own, over memif."""

import json
import subprocess

from system import huge_pages, last_lines


def latency(options):
    """No-drop rate and latency at 50 % and 90 % of it; a list as 'causeway bench --json' prints it."""
    cores = f"{options.helper},{options.core}"
    command = [options.binary, "bench", "--json", "--cores", cores, "--duration", str(options.seconds)]
    # The gateway and its generator take them where they find them.
    with huge_pages(400):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"why": last_lines(done.stderr, 1)}
    results = json.loads(done.stdout)
    # Trials that others disturbed were made again. What is left of that is told beside the figures; where it is much they
    # say nothing of the gateway: frames wait until its core comes back.
    disturbed = max((entry["core_waited_for"] for entry in results), default=0.0)
    if disturbed > 0.05:
        why = f"others had its cores for up to {disturbed:.0%} of the time; measure on a machine with nothing else to do"
        return {"why": why, "results": results}
    return {"results": results}
