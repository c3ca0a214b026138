#!/usr/bin/env python3
"""Scores luong on simulated cases: with confidence, with each part off, and with settings chosen on other scenarios.

    run.py score      --kit KIT [--cases DIR ...] --luong BIN --out DIR
    run.py ablations  ...                 # each switch of [analyser.parts] off, one at a time, and what that costs
    run.py transfer   ... [--grid analyser.congested_probability=0.18,0.25,0.33 ...]

KIT holds score.py and open/; --cases names further folders of cases. A case is a folder with case.json whose name is SCENARIO-SEED.
What was scored is kept in --out and not done again (delete it after a new build). Standard library only.
"""
import argparse
import concurrent.futures
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

# Title, key of score.py, digits, goal, whether more is better, what a case counts for in a pooled mean (None = all alike).
METRICS = [
    ("5-min MAE obs km/h", "speed_mae_5min_kmh_obs", 2, 3.0, False, None),
    ("1-min MAE obs km/h", "speed_mae_kmh_obs", 2, 5.0, False, None),
    ("5-min MAE un km/h", "speed_mae_5min_kmh_unobs", 2, 5.5, False, None),
    ("F1 obs", "cong_f1_obs", 3, 0.88, True, None),
    ("F1 un", "cong_f1_unobs", 3, 0.70, True, None),
    ("LOS", "los_exact", 3, 0.70, True, None),
    ("LOS+-1", "los_within1", 3, 0.92, True, None),
    ("flow WAPE", "flow_wape", 3, 0.20, False, None),
    ("density WAPE", "density_wape", 3, 0.25, False, None),
    ("cover80 obs", "cover80_obs", 3, None, True, None),
    ("interval score obs", "iv_winkler_kmh_obs", 1, None, False, None),
    ("flaps/h", "flaps_los_per_link_h", 2, 0.5, False, None),
    ("queue MAE m", "queue_mae_m", 1, 20.0, False, None),
    ("head@1", "head_hit1", 3, 0.80, True, "head_queue_minutes"),
    ("head+-1", "head_within1", 3, 0.95, True, "head_queue_minutes"),
    ("head precision", "head_precision", 3, None, True, "head_claims"),
    ("incidents", "inc_detected", 3, 0.95, True, "inc_total"),
    ("MTTD s", "inc_mttd_s", 0, 120.0, False, "inc_total"),
    ("false incidents a case", "inc_false", 2, 0.25, False, None),
    ("faults named a case", "fault_named", 2, None, True, None),
    ("false faults a case", "fault_false", 2, 1.0, False, None),
    ("TT MAPE above floor", "tt_excess", 3, 0.05, False, None),
]

GRID = ["analyser.congested_probability=0.18,0.25,0.33", "analyser.queue.probability=0.4,0.5,0.6"]

# Student's t, two-sided 95 %, by degrees of freedom from 1.
T95 = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09]


def scenario(case):
    return case.rsplit("-", 1)[0]


class Runner:
    """Runs luong over all cases, each setting once."""

    def __init__(self, args):
        self.luong, self.kit, self.out, self.jobs = Path(args.luong).resolve(), args.kit, args.out, args.jobs
        folders = [args.kit / "open", *args.cases]
        self.cases = sorted(found.parent for folder in folders for found in folder.glob("*/case.json"))
        if not self.cases:
            sys.exit(f"no cases in {', '.join(map(str, folders))}")

    def score(self, settings=()):
        """Returns the metrics by case with these `section.key=value`."""
        name = ",".join(settings).replace("/", "_") or "defaults"
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            scores = list(pool.map(lambda case: self.one(case, folder, settings), self.cases))
        print(f"scored {name}", file=sys.stderr)
        return {case.name: score for case, score in zip(self.cases, scores)}

    def one(self, case, folder, settings):
        kept = folder / f"{case.name}.json"
        if kept.exists():
            return json.loads(kept.read_text())
        network = self.out / f"{case.name}.roadnet"
        if not network.exists():
            self.call([self.luong, "network", "import", case / "net.net.xml.gz", "--out", network])
        states, events = folder / f"{case.name}.csv", folder / f"{case.name}.ndjson"
        sets = [word for setting in settings for word in ("--set", setting)]
        self.call(
            [self.luong, "backtest", "--network", network, "--sensors", case / "sensors.csv", "--observations",
             case / "observations.ndjson.gz", "--out", states, "--events", events, *sets])
        text = self.call([sys.executable, self.kit / "score.py", case, states, events, "--json"])
        kept.write_text(text)
        states.unlink()
        return json.loads(text)

    @staticmethod
    def call(words):
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=env)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, words))}\n{done.stderr[-2000:]}")
        return done.stdout


def mean(scores, metric):
    """The mean over cases; of queue heads and incidents over all that the cases hold together."""
    _, key, _, _, _, weight = metric
    known = [(s[key], s[weight] if weight else 1) for s in scores if s.get(key) is not None]
    total = sum(w for _, w in known)
    return sum(v * w for v, w in known) / total if total else None


def half_width(by_case, metric):
    """95 % of the mean over seeds: a jackknife within each scenario (Efron and Tibshirani 1993, chapter 11), Student's t."""
    variance, freedom = 0.0, 0
    for name in sorted({scenario(case) for case in by_case}):
        members = [case for case in by_case if scenario(case) == name]
        left = [mean([s for case, s in by_case.items() if case != out], metric) for out in members]
        if len(members) < 2 or None in left:
            continue
        middle = sum(left) / len(left)
        variance += (len(left) - 1) / len(left) * sum((value - middle) ** 2 for value in left)
        freedom += len(members) - 1
    if not freedom:
        return None
    return (T95[freedom - 1] if freedom <= len(T95) else 1.96) * math.sqrt(variance)


def text(value, digits, sign=""):
    return "-" if value is None else f"{value:{sign}.{digits}f}"


def row(cells):
    print("| " + " | ".join(cells) + " |")


def head(cells):
    row(cells)
    print("|" + "---|" * len(cells))


def score_table(runner, _):
    by_case = runner.score()
    names = sorted({scenario(case) for case in by_case})
    head(["metric", "goal", f"mean of {len(by_case)} cases", "95 % over seeds", *names])
    for metric in METRICS:
        title, _, digits, goal, _, _ = metric
        groups = [[s for case, s in by_case.items() if scenario(case) == name] for name in names]
        half = half_width(by_case, metric)
        row([title, "-" if goal is None else f"{goal:g}", text(mean(by_case.values(), metric), digits),
             "-" if half is None else f"+-{half:.{digits}f}", *(text(mean(group, metric), digits) for group in groups)])


def parts():
    """The switches of [analyser.parts], as the defaults name them."""
    defaults = Path(__file__).resolve().parents[2] / "crates/luong/src/config/defaults.toml"
    section, found = None, []
    for line in defaults.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "analyser.parts" and line.endswith("= true"):
            found.append(line.split(" = ")[0])
    return found


def ablation_table(runner, _):
    whole = runner.score()
    shown = [metric for metric in METRICS if metric[1] not in ("inc_mttd_s", "head_within1")]
    head(["part that is off", *(metric[0] for metric in shown)])
    row(["none", *(text(mean(whole.values(), metric), metric[2]) for metric in shown)])
    for part in parts():
        off = runner.score((f"analyser.parts.{part}=false",))
        change = [
            None if None in pair else pair[0] - pair[1]
            for pair in ((mean(off.values(), metric), mean(whole.values(), metric)) for metric in shown)]
        row([part, *(text(value, metric[2], "+") for value, metric in zip(change, shown))])


def loss(by_case, names):
    """How far from the goals: for each metric what is missing, 1 = just at the goal; mean over the scenarios named."""
    total = []
    for name in names:
        scores = [s for case, s in by_case.items() if scenario(case) == name]
        for metric in METRICS:
            value, goal = mean(scores, metric), metric[3]
            if value is not None and goal is not None:
                total.append((1 - value) / (1 - goal) if metric[4] else value / goal)
    return sum(total) / len(total)


def transfer_table(runner, args):
    axes = [[f"{key}={value}" for value in values.split(",")] for key, values in (g.split("=") for g in args.grid or GRID)]
    runs = {settings: runner.score(settings) for settings in itertools.product(*axes)}
    frozen = runner.score()
    names = sorted({scenario(case) for case in frozen})
    head(["scenario left out", "chosen on the others", "loss there", "loss with the defaults", "best of the grid there"])
    for name in names:
        others = [other for other in names if other != name]
        chosen = min(runs, key=lambda settings: (loss(runs[settings], others), settings))
        best = min(loss(scores, [name]) for scores in runs.values())
        row([name, ", ".join(chosen), text(loss(runs[chosen], [name]), 3), text(loss(frozen, [name]), 3), text(best, 3)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = {"score": score_table, "ablations": ablation_table, "transfer": transfer_table}
    parser.add_argument("table", choices=tables)
    parser.add_argument("--kit", type=Path, required=True)
    parser.add_argument("--cases", type=Path, action="append", default=[])
    parser.add_argument("--luong", type=Path, default=Path("target/release/luong"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--grid", action="append", metavar="KEY=V1,V2")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tables[args.table](Runner(args), args)


if __name__ == "__main__":
    main()
