"""`python -m tests.simulation [--seeds N] [--first N]`: run seeds and say what they came to."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.campaign import run_seed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    begun, calls, flips, crashes, broken = time.monotonic(), 0, 0, 0, 0
    for seed in range(options.first, options.first + options.seeds):
        verdict = run_seed(seed)
        calls, flips, crashes = calls + verdict.calls, flips + verdict.flips, crashes + verdict.crashes
        if verdict.complaints:
            broken += 1
            print(f"seed {seed}: {'; '.join(verdict.complaints)}")
    took = time.monotonic() - begun
    print(
        f"{options.seeds} histories, {calls} calls, {flips} flips, {crashes} crashes, {broken} broken, {took:.1f} s"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
