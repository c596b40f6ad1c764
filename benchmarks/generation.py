"""How fast, how frugal and how safe generation is, measured on a loopback server in a process of its own.

    python benchmarks/generation.py speed|memory|faults|ceiling|kills|budget [--help]

Each prints a small table and the bar that it is held against. ``benchmarks/README.md`` says what each figure means.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from generation_kills import budget, kills
from generation_speed import memory, speed
from generation_trouble import ceiling, faults


def main() -> None:
    """Run one benchmark in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    rows = parser.add_subparsers(dest="row", required=True)
    for name, samples in (
        ("speed", 10_000),
        ("memory", 20_000),
        ("faults", 10_000),
        ("ceiling", 2_000),
        ("kills", 3_000),
    ):
        row = rows.add_parser(name)
        row.add_argument("--samples", type=int, default=samples, help=f"about so many (default: {samples:,})")
    rows.choices["speed"].add_argument("--repeats", type=int, default=3, help="of each measurement (default: 3)")
    rows.choices["memory"].add_argument("--large", type=int, default=100_000, help="the larger run (default: 100,000)")
    rows.choices["kills"].add_argument("--kills", type=int, default=100, help="at least so many (default: 100)")
    rows.add_parser("budget").add_argument("--runs", type=int, default=100, help="each with a seed (default: 100)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        match options.row:
            case "speed":
                speed(folder, options.samples, options.repeats)
            case "memory":
                memory(folder, options.samples, options.large)
            case "faults":
                faults(folder, options.samples)
            case "ceiling":
                ceiling(folder, options.samples)
            case "kills":
                kills(folder, options.samples, options.kills)
            case "budget":
                budget(folder, options.runs)


if __name__ == "__main__":
    main()
