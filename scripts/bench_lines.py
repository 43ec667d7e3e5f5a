"""Lines as they are in the world, played by the sandbox: a connection is slower than the line, or breaks, and hubs ration requests.

The bound is what the line needs for the bytes alone: all connections together, and one connection for the largest file where the
destination takes it in one request. Requests and commits come on top.
"""

from __future__ import annotations

import argparse

import bench

MIB, LINE = 1 << 20, 100_000_000
PUT, GET = 4_000_000, 25_000_000
WIDE = {f"{hub}_{way}": LINE for hub in ("hf", "ms") for way in ("up", "down")}
SLOW = {f"{hub}_{way}_each": rate for hub in ("hf", "ms") for way, rate in (("up", PUT), ("down", GET))}

# What each line is: its settings, and what goes wrong on it.
LINES = {
    "near": ({}, None),
    "far": ({**WIDE, **SLOW, "latency_ms": 150}, None),
    "lossy": ({**WIDE, "latency_ms": 20}, {"route": "*", "kind": {"do": "reset", "after": 1000}, "every": 200}),
    "rationed": ({**WIDE, "latency_ms": 20, "hf_api_quota": 500, "hf_commit_quota": 30, "ms_commit_quota": 30}, None),
}
# The sizes of large files; none for many small ones. One file at a connection's rate is smaller, or it would take minutes.
SHAPES = {"one": [1024 * MIB], "many": [16 * MIB] * 64, "sixteen": [64 * MIB] * 16, "small": []}
WAYS = {"to": (bench.python_path, bench.hf2ms), "back": (bench.python_path_back, bench.hf2ms_back)}


def sizes_of(line: str, shape: str) -> list[int]:
    return [128 * MIB] if (line, shape) == ("far", "one") else SHAPES[shape]


def bound(line: str, sizes: list[int], way: str) -> float | None:
    settings = LINES[line][0]
    if not sizes or "hf_up" not in settings:
        return None
    parts = way == "back" and max(sizes) > 64 * MIB
    each = settings.get("ms_up_each", LINE)
    streams = len(sizes) if not parts else LINE // each
    return max(sum(sizes) / min(LINE, streams * each), 0 if parts else max(sizes) / each)


def once(how, line: str, shape: str, way: str) -> bench.Figures | None:
    settings, fault = LINES[line]
    sizes = sizes_of(line, shape)
    files = [{"path": f"model-{n:05}.safetensors", "size": size, "seed": n + 1, "virtual": True} for n, size in enumerate(sizes)]
    content = {"files": files} if files else bench.small_files(5000, 50)
    with bench.Hubs() as hubs:
        hubs.ask("/seed", {"hub": "ms" if way == "back" else "hf", "kind": "model", "id": bench.REPO, "private": True, **content})
        hubs.ask("/settings", {"uploads": "count", **settings})
        if fault:
            hubs.ask("/faults", fault)
        try:
            return how(hubs)
        except SystemExit as failure:
            print(f"<!-- {how.__name__} on {line}, {shape}, {way}: {str(failure)[-300:]!r} -->")
            return None


def bench_lines(args: argparse.Namespace) -> None:
    bench.table("Lines", "line", "files", "to", "bound s", "Python path s", "hf2ms s", "of the bound", "times faster", "peak MiB")
    for line in args.lines.split(","):
        for shape in args.shapes.split(","):
            for way in args.ways.split(","):
                ways = WAYS[way][1:] if args.no_python else WAYS[way]
                figures = [once(how, line, shape, way) for how in ways]
                ours, python = figures[-1], None if args.no_python else figures[0]
                least = bound(line, sizes_of(line, shape), way)
                cells = [f"{least:.1f}" if least else "-"]
                cells += [f"{one.seconds:.1f}" if one else "failed" for one in (python, ours)] if not args.no_python else ["-", f"{ours.seconds:.1f}" if ours else "failed"]
                cells.append(f"{ours.seconds / least:.2f}" if ours and least else "-")
                cells.append(f"{python.seconds / ours.seconds:.1f}" if ours and python else "-")
                cells.append(f"{ours.peak_mib:.0f}" if ours else "-")
                bench.row(line, shape, "ModelScope" if way == "to" else "Hugging Face", *cells)
