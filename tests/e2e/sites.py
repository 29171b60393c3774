"""Where objects were allocated, what the heap's pages are used for, and MemStats: against what victims say themselves."""
from cores import core_of
from harness import Victim, case, expect


def truths_of(victim, kind):
    return [t for t in victim.truths if t["truth"] == kind]


def rows_by_place(lab, *target):
    result = lab.result("top", *target, "--by", "site", "--limit", "0")[0]
    return {(row["function"], row["line"]): row for row in result["rows"]}, result


def check_exact(lab, truths, *target):
    """Every object is a sample: the runtime's own profile must say the same."""
    rows, result = rows_by_place(lab, *target)
    sites = [t for t in truths if t["truth"] == "site"]
    expect(len(sites) == 6, f"the victim names {len(sites)} places")
    expect(result["sample_rate"] == 1, f"the rate is {result['sample_rate']}")
    for site in sites:
        row = rows.get((site["function"], int(site["line"])))
        expect(row, f"no row of {site['function']}:{site['line']}")
        got = {"allocs": row["alloc_count"], "alloc_bytes": row["alloc_bytes"], "count": row["count"], "bytes": row["bytes"]}
        expect(got == {key: site[key] for key in got}, f"{site['function']}: {got}, not {site}")
        expect(row["name"] == f"{site['function']} main.go:{site['line']}", f"it is called {row['name']}")
        expect(row["samples"] == row["count"] and row["alloc_samples"] == row["alloc_count"], f"samples: {row}")
        expect(row["stack"][0]["function"] == site["function"], f"its stack begins with {row['stack'][0]}")
        expect(row["stack"][-1]["function"] == "runtime.main", f"its stack ends with {row['stack'][-1]}")
    expect(sum(row["bytes"] for row in rows.values()) == result["total_bytes"], "rows do not sum up")
    places = {function: row for (function, _), row in rows.items()}
    expect(places["main.makeRecord"]["stacks"] == 2, f"two ways lead to it: {places['main.makeRecord']['stacks']}")
    expect(places["main.dropRecords"]["retained_bytes"] == 0, "freed objects retain something")
    # Each record is held by a slice alone, and holds nothing that is not its own.
    expect(places["main.makeRecord"]["retained_bytes"] == 1000 * 112, f"{places['main.makeRecord']['retained_bytes']} bytes")


def check_allocated(lab, truths, *target):
    asked = [t for t in truths if t["truth"] == "allocated"]
    expect(len(asked) == 5, f"{len(asked)} objects")
    for command in ("why", "info"):
        objects = lab.result(command, *target, *(t["address"] for t in asked))[0]["objects"]
        for truth, got in zip(asked, objects):
            stack = [frame["function"] for frame in got.get("allocated", [])]
            expect(stack[:1 + len(truth["callers"])] == [truth["function"], *truth["callers"]], f"{command}: {stack}, not {truth}")
            expect(all(frame["file"] and frame["line"] for frame in got["allocated"]), f"{command}: {got['allocated']}")


@case("sites: what the runtime's own profile says, and who allocated an object", matrix=True)
def exact_sites(lab):
    with Victim([lab.go("sites")]) as victim:
        check_exact(lab, victim.truths, "-p", victim.pid)
        check_allocated(lab, victim.truths, "-p", victim.pid)
        text = lab.ask("why", "-p", victim.pid, truths_of(victim, "allocated")[1]["address"]).stdout
        expect("allocated by main.makeRecord main.go:" in text, f"why does not say it: {text[:300]}")


@case("sites: on a core as on the process", matrix=True)
def sites_of_core(lab):
    with core_of(lab, "sites") as (core, _, truths):
        check_exact(lab, truths, "-c", core)
        check_allocated(lab, truths, "-c", core)


@case("sites: samples are scaled as pprof does", matrix=True)
def scaled_sites(lab):
    with Victim([lab.go("sites"), "default"]) as victim:
        rows, result = rows_by_place(lab, "-p", victim.pid)
        expect(result["sample_rate"] == 512 << 10, f"the rate is {result['sample_rate']}")
        big = next(row for (function, _), row in rows.items() if function == "main.keepBig")
        # 1 MiB is a sample with probability 1 - 1/e^2: 12 of them stand for as many, by expectation.
        expect(1 <= big["samples"] <= 13, f"{big['samples']} samples of 12 buffers")
        expect(abs(big["bytes"] - big["samples"] * (1 << 20) / (1 - 2.718281828459045 ** -2)) < 65536, f"{big}")
        expect(big["retained_bytes"] == (big["samples"] << 20) or big["samples"] == 13, f"retained is of the samples: {big}")
        expect(result["total_bytes"] == sum(row["bytes"] for row in rows.values()), "rows do not sum up")


@case("sites: stripped, places have names", matrix=True)
def stripped_sites(lab):
    with Victim([lab.go("sites", "-ldflags=-s -w")]) as victim:
        rows, _ = rows_by_place(lab, "-p", victim.pid)
        for site in truths_of(victim, "site"):
            row = rows.get((site["function"], int(site["line"])))
            expect(row and row["count"] == site["count"] and row["alloc_bytes"] == site["alloc_bytes"], f"{row}, not {site}")


@case("sites: a program that does not sample is told what to do")
def no_sites(lab):
    with Victim([lab.go("leaky")]) as victim:
        lab.refused(4, r"does not sample its allocations.*(pprof|MemProfileRate)", "top", "-p", victim.pid, "--by", "site")
    with Victim([lab.go("sites"), "0"]) as victim:
        run = lab.ask("top", "-p", victim.pid, "--by", "site")
        expect(run.returncode in (0, 4), f"exit {run.returncode}: {run.stderr}")
        expect(run.returncode == 0 or "MemProfileRate is 0" in run.stderr, f"{run.stderr}")
        expect(run.returncode == 4 or "not scaled" in run.stdout, f"{run.stdout[:300]}")


def differences(truth, got):
    for name, value in truth.items():
        if name == "truth":
            continue
        other = got.get(name)
        if name == "BySize":
            other = [[row["Size"], row["Mallocs"], row["Frees"]] for row in other][:len(value)]
        if name == "GCCPUFraction":
            expect(abs(other - value) < 1e-12, f"GCCPUFraction: {other}, not {value}")
        elif other != value:
            yield f"{name}: {other}, not {value}"


def check_memstats(lab, program):
    """A thread that the program starts between the two counts shows in them: then another program is asked."""
    for _ in range(3):
        with Victim([program]) as victim:
            truth, heap = truths_of(victim, "memstats")[0], lab.result("memstats", "-p", victim.pid)[0]["heaps"][0]
            wrong = list(differences(truth, heap["memstats"]))
            if not wrong:
                check_overview(lab, victim, heap["memstats"])
                return
    expect(False, "; ".join(wrong))


def check_overview(lab, victim, stats):
    overview = lab.result("overview", "-p", victim.pid)[0]["heaps"][0]
    expect(overview["memstats"] == stats, "overview and memstats differ")
    expect(stats["HeapAlloc"] == overview["runtime_bytes"] and stats["HeapInuse"] == overview["in_use_bytes"], f"{overview}")
    text = lab.ask("memstats", "-p", victim.pid).stdout
    expect(all(f"  {name}" in text for name in stats), f"text: {text}")
    expect(max(map(len, text.split("\n"))) <= 100, "lines are too long")


@case("memstats: what the program's own ReadMemStats says, field by field", matrix=True)
def memstats(lab):
    for flags in ([], ["-ldflags=-s -w"]):
        check_memstats(lab, lab.go("sites", *flags))


def totals_wrong(stats, total, idle):
    """How spans and idle pages differ from what the program says of its heap."""
    pairs = (("HeapInuse", total["bytes"]), ("HeapObjects", total["objects"]), ("HeapIdle", idle["bytes"] + idle["padding_bytes"]),
             ("HeapReleased", idle["released_bytes"] + idle["padding_bytes"]))
    return [f"{name}: {found}, not {stats[name]}" for name, found in pairs if found != stats[name]]


@case("spans: they add up to the heap, and idle pages to HeapIdle", matrix=True)
def spans(lab):
    for flags in ([], ["-ldflags=-s -w"]):
        check_spans(lab, lab.go("sites", *flags), named=not flags)


def check_spans(lab, program, named):
    """As in check_memstats: another program is asked where one goes on in between."""
    for left in (2, 1, 0):
        with Victim([program]) as victim:
            stats = truths_of(victim, "memstats")[0]
            result = lab.result("spans", "-p", victim.pid, "--limit", "0")[0]
            total, idle, classes = result["total"], result["idle"], result["classes"]
            wrong = totals_wrong(stats, total, idle)
            expect(left or not wrong, "; ".join(wrong))
            if wrong:
                continue
            for key in ("spans", "bytes", "objects", "live_bytes", "free_bytes", "tail_bytes", "cached_spans"):
                expect(sum(row[key] for row in classes) == total[key], f"{key}: rows do not sum up to {total[key]}")
            for row in classes:
                slots = row["slots"] * row["size"] if row["size"] else row["bytes"] - row["tail_bytes"]
                expect(row["bytes"] == slots + row["tail_bytes"], f"{row}")
                expect(row["live_objects"] <= row["objects"] <= row["slots"], f"{row}")
                kinds = row["cached_spans"] + row["partial_spans"] + row["full_spans"]
                expect(kinds == (row["spans"] if row["size"] else 0), f"{row}")
            sizes = [row["size"] for row in classes if row["size"]]
            expect(sizes == sorted(set(sizes)), f"sizes: {sizes}")
            kept = next(row for row in classes if row["size"] == 1024)
            expect(kept["live_objects"] >= 1500 and kept["full_spans"] >= 1500 // 8 - 64, f"{kept}")
            expect(sum(row["bytes"] for row in result["large"]) == classes[-1]["bytes"], f"{result['large']}, {classes[-1]}")
            if named:
                records = next(row for row in classes if row["size"] == 112)
                expect(records["rounding_bytes"] >= 1050 * 8, f"a record has 104 bytes of 112: {records}")
                big = next(row for row in result["large"] if row["type"] == "[]uint8")
                expect((big["count"], big["bytes"]) == (12, 12 << 20), f"{result['large']}")
            return


@case("spans: fragmentation is told in one line")
def fragmentation(lab):
    with core_of(lab, "sites") as (core, _, _):
        found = lab.result("spans", "-c", core)[0]["fragmentation"]
        text = lab.ask("spans", "-c", core).stdout
        expect(found["text"] in text, "text and JSON differ")
        expect(0 < found["live_bytes"] <= found["at_most"] * found["bytes"] and f"{found['spans']} span" in found["text"], f"{found}")
        expect(max(map(len, text.split("\n"))) <= 100, "lines are too long")
