"""Pools: what waits, what that retains, what is out, as the victim says; and that nothing is counted twice."""
import contextlib

from harness import Victim, case, expect


@contextlib.contextmanager
def pools_core(lab, *flags):
    """A core of the victim, and what it said."""
    core = lab.folder / "pools.core"
    with Victim([lab.go("pools", *flags)]) as victim:
        lab.result("snap", "-p", victim.pid, "-o", core)
        truths = victim.truths
    try:
        yield core, truths
    finally:
        core.unlink()


def of_kind(truths, kind):
    return [t for t in truths if t["truth"] == kind]


def ask(lab, *target):
    result = lab.result("pools", *target, "--limit", "0")[0]
    rows = result["pools"]
    names = [(row["name"], row["constructor_address"]) for row in rows]
    expect(len(set(names)) == len(names), f"names are not unique: {names}")
    for row in rows:
        expect(row["private"] + row["shared"] + row["victim"] == row["idle"], f"places do not add up: {row}")
        expect(sum(t["count"] for t in row["types"]) == row["idle"], f"types do not add up: {row}")
        expect([t["type"] for t in row["types"]] == row["item_types"], f"types and item_types differ: {row}")
        expect(sum(t["bytes"] for t in row["types"]) <= row["idle_bytes"], f"items retain more than the pool: {row}")
        expect(row["victim_bytes"] <= row["idle_bytes"], f"victims retain more than the pool: {row}")
        expect(("largest" in row) == (row["idle"] > 0), f"largest of none: {row}")
        expect("items" not in row and "used_bytes" not in row, f"sync.Pool cannot know what is in use: {row}")
        if row["idle"]:
            expect(row["median_bytes"] <= row["p99_bytes"] <= row["largest"]["bytes"], f"out of order: {row}")
    sizes = [row["idle_bytes"] for row in rows]
    expect(sizes == sorted(sizes, reverse=True), f"not the largest first: {sizes}")
    expect(sum(sizes) + result["shared_bytes"] == result["total_idle_bytes"], f"bytes do not add up: {result['total_idle_bytes']}")
    expect(sum(row["idle"] for row in rows) == result["total_idle"], f"items do not add up: {result['total_idle']}")
    expect(sum(row["count"] for row in rows) == result["total_pools"], f"pools do not add up: {result['total_pools']}")
    return result


def about(got, wanted, what):
    """Objects take whole slots: up to an eighth more than asked for, and a header."""
    expect(wanted <= got <= wanted + wanted // 8 + 64, f"{what} is {got}, not about {wanted}")


def expect_pool(t, rows):
    """Holds a row against what the victim says of it."""
    found = [row for row in rows if row["name"] == t["name"]]
    expect(len(found) == 1, f"{len(found)} rows are called {t['name']}: {[row['name'] for row in rows]}")
    row = found[0]
    for key in ("address", "constructor", "idle", "count", "held_by", "victim", "held", "twice", "out_pools", "makes"):
        if key in t:
            expect(row.get(key) == t[key], f"{t['name']}: {key} is {row.get(key)!r}, not {t[key]!r}")
    if "out" in t:
        expect(row.get("out") == t["out"], f"{t['name']}: out is {row.get('out')}, not {t['out']}")
    if "item_type" in t:
        expect(row["item_types"] == [t["item_type"]], f"{t['name']}: items are of {row['item_types']}")
    for key, got in (("bytes", row["idle_bytes"]), ("median_bytes", row["median_bytes"]),
                     ("largest_bytes", row.get("largest", {}).get("bytes"))):
        if key in t:
            about(got, t[key], f"{t['name']}: {key}")
    if "largest" in t:
        expect(row["largest"]["address"] == t["largest"], f"{t['name']}: the largest is {row['largest']}, not {t['largest']}")
    if "holders" in t:
        held = {holder["name"]: holder["count"] for holder in row["out_holders"]}
        expect(held == t["holders"], f"{t['name']}: held by {held}, not {t['holders']}")


@case("pools: what the victim says of its pools, in a core", matrix=True)
def truths_of_pools(lab):
    with pools_core(lab) as (core, truths):
        result = ask(lab, "-c", core)
        for t in of_kind(truths, "pool"):
            expect_pool(t, result["pools"])
        about(result["shared_bytes"], of_kind(truths, "shared")[0]["bytes"], "what several pools share")
        outlier = next(row for row in result["pools"] if row["name"] == "main.outlier")
        expect(outlier["heavy"] < 35, f"most of the bytes are in {outlier['heavy']} items")
        total = lab.result("top", "-c", core)[0]
        expect(result["total_idle_bytes"] < total["total_bytes"], "more is idle than is live")


@case("pools: what the victim says of its pools, live", matrix=True)
def truths_live(lab):
    with Victim([lab.go("pools")]) as victim:
        result = ask(lab, "-p", victim.pid)
        for t in of_kind(victim.truths, "pool"):
            expect_pool(t, result["pools"])
        victim.expect_running()


@case("pools: why and top call what waits by its pool", matrix=True)
def chains_of_pools(lab):
    with pools_core(lab) as (core, truths):
        rows = {row["name"]: row for row in ask(lab, "-c", core)["pools"]}
        retained = {row["name"]: row["retained_bytes"] for row in lab.result("top", "-c", core, "--by", "root", "--limit", "0")[0]["rows"]}
        for name in ("main.outlier", "main.thousands", "main.common", "main.pointed", "main.values"):
            row = rows[name]
            expect(row["idle_bytes"] + row["own_bytes"] == retained[name], f"{name}: {row}, but {retained[name]} by top")
        wanted = {"main.outlier": "main.outlier", "main.victims": "main.victims", "main.pointed": "main.pointed",
                  "main.server.bufs": "main.servers", "main.proxy.bufs": "main.proxies", "main.byName[*]": "main.byName"}
        for name, root in wanted.items():
            chains = lab.result("why", "-c", core, rows[name]["largest"]["address"], "--max", "9")[0]["objects"][0]["chains"]
            expect([c["root"]["name"] for c in chains] == [root], f"{name}: an item is held by {chains}")
            way = chains[0]["root"]["via"] + "".join(step["via"] for step in chains[0]["steps"])
            place = ".victim" if name == "main.victims" else ".local"
            expect(place in way and (".private" in way or ".shared[" in way) and "poolLocal" not in way, f"{name}: by {way}")
        dropped = of_kind(truths, "why")[0]
        chains = lab.result("why", "-c", core, dropped["address"])[0]["objects"][0]["chains"]
        expect([c["root"]["name"] for c in chains] == ["sync.allPools"], f"of the dropped pool: {chains}")


@case("pools: without names, and with less of them", matrix=True)
def nameless_pools(lab):
    for flags, named in ((["-ldflags=-w"], True), (["-ldflags=-s -w"], False)):
        with pools_core(lab, *flags) as (core, truths):
            result = ask(lab, "-c", core)
            rows = {row["address"]: row for row in result["pools"] if row["count"] == 1}
            for t in of_kind(truths, "pool"):
                if t["idle"] == 0 or t["count"] > 1 or "address" not in t:
                    continue
                row = rows.get(t["address"])
                expect(row, f"{flags}: there is no pool at {t['address']}: {t}")
                expect(row["constructor"] == t["constructor"] and row["idle"] == t["idle"], f"{flags}: {row}, not {t}")
                if "bytes" in t and "held" not in t:
                    about(row["idle_bytes"], t["bytes"], f"{flags}: {t['name']}")
                if named and t["name"].count(".") == 1 and t["name"] not in ("main.pointed", "sync.allPools") and "[" not in t["name"]:
                    expect(row["name"] == t["name"], f"{flags}: called {row['name']}, not {t['name']}")


@case("pools: text and JSON say the same, on a page")
def forms_of_pools(lab):
    with pools_core(lab) as (core, _):
        rows = ask(lab, "-c", core)["pools"]
        for limit in ("1", "5", "20", "0"):
            text = lab.ask("pools", "-c", core, "--limit", limit).stdout.split("\n")
            start = next(i for i, line in enumerate(text) if line.strip().startswith("idle ")) + 1
            n = len(rows) if limit == "0" else min(int(limit), len(rows))
            for line, row in zip(text[start:start + n], rows):
                expect(row["name"].rpartition("/")[2] in line and f" {row['idle']:,} " in line, f"'{line}' is not {row}")
            expect(max(map(len, text)) <= 100 and not any(line != line.rstrip() for line in text), f"--limit {limit}: {text}")
        cut = lab.result("pools", "-c", core, "--limit", "3")[0]
        expect(cut["left_out"] == len(rows) - 3 and len(cut["pools"]) == 3, f"cut at 3: {cut['left_out']}")
        expect(cut["left_out_bytes"] == sum(row["idle_bytes"] for row in rows[3:]), f"cut at 3: {cut['left_out_bytes']}")


@case("pools: programs that use none have those of the library")
def pools_of_others(lab):
    with Victim([lab.go("leaky")]) as victim:
        rows = {row["name"]: row for row in ask(lab, "-p", victim.pid)["pools"]}
        expect("fmt.ppFree" in rows and not any(name.startswith("main.") for name in rows), f"{list(rows)}")
    with Victim([lab.go("pools")]) as victim:
        lab.refused(2, "takes no|word", "pools", "-p", victim.pid, "main.outlier")
