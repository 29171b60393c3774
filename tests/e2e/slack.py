"""What small views keep, and room that nothing uses; objects by the value of a field; fields by their names on the wire."""
import json
import os

from harness import Victim, case, expect


def say_slack(rows, truths):
    """What the tool does not say of slack, a line each."""
    wrong = []
    for truth in truths:
        if "holder" not in truth:
            continue
        found = [row for row in rows if row["holder"] == truth["holder"]]
        if truth["truth"] == "no slack" and found:
            wrong.append(f"{truth['holder']} wastes nothing, but {found}")
        if truth["truth"] != "slack":
            continue
        if len(found) != 1:
            wrong.append(f"{len(found)} rows of {truth['holder']}")
            continue
        row = found[0]
        if (row["count"], row["kind"]) != (truth["count"], truth["kind"]) or not truth["least"] <= row["wasted_bytes"] <= truth["most"]:
            wrong.append(f"{truth}: {row}")
        if row["visible_bytes"] + row["wasted_bytes"] != row["block_bytes"]:
            wrong.append(f"{truth['holder']}: wasted and visible are not all: {row}")
        for key, name in (("capacity", "capacity_bytes"), ("hidden", "hidden_pointers"), ("shared_with", "shared_with"), ("shared_views", "shared_views")):
            if key in truth and row[name] != truth[key]:
                wrong.append(f"{truth['holder']}: {name} is {row[name]}, not {truth[key]}")
        if row["hidden_bytes"] < truth.get("hidden_least", 0):
            wrong.append(f"{truth['holder']}: hidden_bytes is {row['hidden_bytes']}")
    return wrong


def check_slack(lab, target, truths, what):
    result = lab.result("slack", *target, "--limit", "0")[0]
    wrong = say_slack(result["rows"], truths)
    expect(not wrong, f"{what}: {len(wrong)} wrong:\n    " + "\n    ".join(wrong))
    expect(sum(row["wasted_bytes"] for row in result["rows"]) == result["wasted_bytes"] < result["total_bytes"], f"{what}: sums")
    wasted = [row["wasted_bytes"] for row in result["rows"]]
    expect(wasted == sorted(wasted, reverse=True), f"{what}: not in order")
    said = {t["holder"] for t in truths if t["truth"] == "slack"} | {"main.frames", "main.requests"}
    others = [row for row in result["rows"] if row["holder"].startswith("main.") and row["holder"] not in said]
    expect(not others, f"{what}: what wastes nothing is listed: {others}")
    return result


def check_fields(lab, target, truths, what):
    for truth in (t for t in truths if t["truth"] == "field"):
        words = ["top", *target, "--by", "field:" + truth["field"], "--limit", "0"]
        if truth["text"]:
            lab.refused(2, "--show-values", *words)
            words.append("--show-values")
        result = lab.result(*words)[0]
        rows = [row for row in result["rows"] if row["name"] == truth["value"]]
        expect([row["count"] for row in rows] == [truth["count"]], f"{what}: {truth}: {rows or result['rows'][:4]}")
        expect(all(row["retained_bytes"] >= row["bytes"] for row in result["rows"]), f"{what}: {truth}: retains less than its own")
        expect(result["total_count"] == sum(row["count"] for row in result["rows"]), f"{what}: {truth}: rows do not add up")
        expect(result["field"] == truth["field"], f"{what}: {result['field']}")


def check_tags(lab, target, truths, what):
    asked = [t for t in truths if t["truth"] == "tags"]
    objects = lab.result("why", *target, "--max", "1", *[t["address"] for t in asked])[0]["objects"]
    for truth, got in zip(asked, objects):
        steps = got["chains"][0]["steps"]
        last = steps[-2]
        expect((last["via"], last.get("tags")) == (truth["via"], truth["tags"]), f"{what}: {truth}: {last}")


def on_core(lab, victim, check):
    core = lab.folder / "slack.core"
    lab.result("snap", "-p", victim.pid, "-o", core)
    try:
        check(lab, ["-c", core], victim.truths, "on the core")
    finally:
        os.unlink(core)


@case("slack: what the victim says, live and on a core", matrix=True)
def views(lab):
    with Victim([lab.go("slack")]) as victim:
        check_slack(lab, ["-p", victim.pid], victim.truths, "live")
        victim.expect_running()
        on_core(lab, victim, check_slack)


@case("top --by field: what the victim says, live and on a core", matrix=True)
def fields(lab):
    with Victim([lab.go("slack")]) as victim:
        check_fields(lab, ["-p", victim.pid], victim.truths, "live")
        victim.expect_running()
        on_core(lab, victim, check_fields)


@case("why: fields by their names on the wire", matrix=True)
def tags(lab):
    with Victim([lab.go("slack")]) as victim:
        check_tags(lab, ["-p", victim.pid], victim.truths, "live")
        address = next(t["address"] for t in victim.truths if t["truth"] == "tags" and t["via"] == ".Body")
        text = lab.ask("why", "-p", victim.pid, "--max", "1", address).stdout
        expect(".Body (thrift 2: body)" in text, f"the text has no tag: {text}")
        head = lab.ask("top", "-p", victim.pid, "--by", "field:main.Request.Header.Retry").stdout
        expect("90 objects by main.Request.Header.Retry (thrift 2: retry)" in head, f"no tag above the rows: {head}")


@case("slack: stripped programs", matrix=True)
def stripped(lab):
    with Victim([lab.go("slack", "-ldflags=-s -w")]) as victim:
        rows = lab.result("slack", "-p", victim.pid, "--limit", "0", complete=False)[0]["rows"]
        for name in ("main.Session.Payload", "main.Ring.Slots[*]"):
            truth = next(t for t in victim.truths if t.get("holder") == name)
            found = [row for row in rows if row["holder"] == name]
            expect(all(row["wasted_bytes"] <= truth["most"] for row in found), f"more than there is: {found}")


@case("slack: text and JSON say the same, on a page")
def forms(lab):
    with Victim([lab.go("slack")]) as victim:
        result = lab.result("slack", "-p", victim.pid, "--limit", "5")[0]
        lines = lab.ask("slack", "-p", victim.pid, "--limit", "5").stdout.split("\n")
        expect(len(result["rows"]) == 5 and result["left_out"] > 5, f"--limit 5: {len(result['rows'])} rows")
        start = next(i for i, line in enumerate(lines) if line.lstrip().startswith("wasted")) + 1
        for line, row in zip(lines[start:], result["rows"]):
            expect(row["address"] in line and f" {row['kind']} " in line, f"'{line}' is not {row}")
        expect(max(map(len, lines)) <= 100 and not any(line != line.rstrip() for line in lines), "lines are too long, or end in spaces")
        expect("\n... and " in "\n".join(lines), "what is left out is not told")


@case("top --by field: what cannot be answered is refused")
def refused(lab):
    with Victim([lab.go("slack")]) as victim:
        for field, words in (("main.Frame.Nope", "has no field 'Nope'; it has ID, DLC, Error, Data"), ("main.Nope.ID", "no TYPE.FIELD"),
                             ("Frame", "no TYPE.FIELD"), ("main.Frame.", "no field"), ("main.Frame.ID.X", "has no fields"), (".", "no TYPE.FIELD"),
                             ("main.Request.Header.Retry.X", "has no fields"), ("main.Request.Plain..ID", "no field")):
            lab.refused(2, words, "top", "-p", victim.pid, "--by", "field:" + field)
        lab.refused(2, "--by takes", "top", "-p", victim.pid, "--by", "field:")
        lab.refused(2, "takes no --by", "slack", "-p", victim.pid, "--by", "type")
        shown = json.dumps(lab.result("top", "-p", victim.pid, "--by", "field:main.Request.Plain.ID")[0])
        expect('"256"' in shown and "tenant" not in shown, f"through a pointer: {shown[:300]}")
