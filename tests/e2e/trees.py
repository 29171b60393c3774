"""The dominator tree: nothing is lost in it, nothing counted twice, and it agrees with what is known otherwise."""
from cores import core_of
from harness import case, expect

EVERYTHING = ["--min", "0", "--depth", "100", "--max", "1000000"]


def below(rows, at):
    """The children of a row."""
    children = []
    for row in rows[at + 1:]:
        if row["depth"] <= rows[at]["depth"]:
            break
        if row["depth"] == rows[at]["depth"] + 1:
            children.append(row)
    return children


def expect_sums(tree, result, what):
    rows = tree["rows"]
    for i, row in enumerate(rows):
        expect(row["depth"] <= result["depth"], f"{what}: too deep: {row}")
        children = below(rows, i)
        total = row["own_bytes"] + sum(child["retained_bytes"] for child in children)
        expect(not children or total == row["retained_bytes"], f"{what}: lines sum up to {total}: {row}")
        sizes = [child["retained_bytes"] for child in children if child["kind"] != "rest"]
        expect(sizes == sorted(sizes, reverse=True), f"{what}: not in order below {row}: {sizes}")
        expect(len(children) <= result["max"] + 2, f"{what}: {len(children)} lines below {row}")
        small = [child for child in children if child["retained_bytes"] < tree["min_bytes"] and child["kind"] != "rest"]
        expect(len(small) <= 2, f"{what}: lines below {tree['min_bytes']} bytes: {small}")


def ask(lab, core, *words):
    result = lab.result("dominators", "-c", core, *words)[0]
    for tree in result["trees"]:
        expect_sums(tree, result, " ".join(words))
    return result


@case("dominators: lines sum up to all that is live, and agree with top", matrix=True)
def sums(lab):
    with core_of(lab) as (core, _, truths):
        by_root = {r["name"]: r for r in lab.result("top", "-c", core, "--by", "root", "--limit", "0")[0]["rows"]}
        by_type = {r["name"]: r for r in lab.result("top", "-c", core, "--limit", "0")[0]["rows"]}
        for words in ([], ["--depth", "1"], ["--min", "0"], ["--min", "100%"], ["--max", "1"], EVERYTHING):
            result = ask(lab, core, *words)
            rows = result["trees"][0]["rows"]
            expect(rows[0]["kind"] == "heap" and rows[0]["retained_bytes"] == result["total_bytes"], f"{words}: {rows[0]}")
            expect(sum(r["retained_bytes"] for r in rows if r["depth"] == 1) == result["total_bytes"], f"{words}: not all that is live")
            expect(sum(r["retained_count"] for r in rows if r["depth"] == 1) == result["total_count"], f"{words}: not all objects")
            for row in rows:
                same = by_root["(shared by several roots)"] if row["kind"] == "shared" else by_root.get(row["name"])
                if row["kind"] in ("root", "shared"):
                    expect((row["retained_bytes"], row["retained_count"]) == (same["retained_bytes"], same["count"]), f"{row}, but {same}")
        expect(sum(r["own_bytes"] for r in rows) == result["total_bytes"], "an object is on no line, or on two")
        roots = [r for r in rows if r["kind"] == "root"]
        expect(len(roots) == len(by_root) - 1, f"{len(roots)} roots, {len(by_root)} rows of top")

        session = next(t["address"] for t in truths if t["truth"] == "type" and t["type"] == "main.Session")
        trees = ask(lab, core, "main.headers", "main.worker", "main.Session", session)["trees"]
        headers, worker, sessions, one = (tree["rows"][0] for tree in trees)
        expect(headers["name"] == "main.headers" and headers["retained_bytes"] == by_root["main.headers"]["retained_bytes"], f"{headers}")
        expect(worker["name"] == "main.worker goroutines", f"{worker}")
        expect(sessions["count"] == by_type["main.Session"]["count"] == 5000, f"{sessions}")
        expect(sessions["retained_bytes"] == by_type["main.Session"]["retained_bytes"], f"{sessions}")
        expect(one["address"] == session and one["count"] == 1 and one["own_bytes"] == 64, f"{one}")


@case("dominators: what the victim says that it keeps", matrix=True)
def truths_of_trees(lab):
    with core_of(lab) as (core, _, _):
        cache, headers = (tree["rows"] for tree in ask(lab, core, "main.sessionCache", "main.headers", "--min", "1K")["trees"])
        names = [(row["depth"], row["count"], row["name"]) for row in cache]
        expect(names[:4] == [(0, 1, "main.sessionCache"), (1, 1, "map[string]*main.Session"), (2, 5000, "main.Session"),
                             (3, 5000, "[]uint8")], f"of the cache: {names}")
        expect(cache[3]["own_bytes"] == cache[3]["retained_bytes"] == 5000 * 4096, f"payloads: {cache[3]}")
        expect(cache[2]["own_bytes"] == 5000 * 64, f"sessions: {cache[2]}")
        names = [(row["depth"], row["count"], row["name"]) for row in headers]
        expect(names == [(0, 1, "main.headers"), (1, 1, "[][]uint8"), (2, 32, "[]uint8")], f"of the headers: {names}")
        expect(headers[2]["retained_bytes"] == 32 << 20, f"uploads: {headers[2]}")


@case("dominators: text and JSON say the same, on a page")
def forms_of_trees(lab):
    with core_of(lab) as (core, _, _):
        text = lab.ask("dominators", "-c", core).stdout.split("\n")
        rows = ask(lab, core)["trees"][0]["rows"][1:]
        start = next(i for i, line in enumerate(text) if line.startswith("retained ")) + 1
        lines = text[start:text.index("", start)]
        expect(len(lines) == len(rows) < 60, f"{len(lines)} lines, {len(rows)} rows")
        for line, row in zip(lines, rows):
            wanted = {"root": row["name"], "shared": "(shared by several roots)", "rest": f"... {row['count']:,} more"}.get(
                row["kind"], f"{row['name'].rpartition('/')[2]} {row['address']}" if row["count"] == 1 else f"{row['count']:,} ")
            expect(f" {row['retained_count']:,}  " + "  " * (row["depth"] - 1) + wanted in line, f"'{line}' is not {row}")
        expect(max(map(len, text)) <= 100 and not any(line != line.rstrip() for line in text), "lines are too long, or end in spaces")
