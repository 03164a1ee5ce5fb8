"""Reads a calendar on standard input with a library that is not ours, and writes
what it understood as JSON: read.py icalendar | vobject. Each is a package of
Debian, python3-icalendar and python3-vobject."""

import json
import sys
from datetime import timezone


def with_icalendar(data):
    import icalendar

    cal = icalendar.Calendar.from_ical(data)
    return str(cal["METHOD"]), [
        {
            "uid": str(e["UID"]),
            "summary": str(e["SUMMARY"]),
            "sequence": int(e["SEQUENCE"]),
            "start": e.decoded("DTSTART"),
            "stamp": e.decoded("DTSTAMP"),
            "status": str(e.get("STATUS", "")),
            "properties": sorted(e.keys()),
        }
        for e in cal.walk("VEVENT")
    ]


def with_vobject(data):
    import vobject

    cal = vobject.readOne(data.decode("utf-8"))
    return cal.method.value, [
        {
            "uid": e.uid.value,
            "summary": e.summary.value,
            "sequence": int(e.sequence.value),
            "start": e.dtstart.value,
            "stamp": e.dtstamp.value,
            "status": e.status.value if hasattr(e, "status") else "",
            "properties": sorted(name.upper() for name in e.contents),
        }
        for e in cal.vevent_list
    ]


def utc(t):
    if t.utcoffset() is None or t.utcoffset().total_seconds() != 0:
        raise SystemExit("%s is not in UTC" % t)
    return t.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


reader = {"icalendar": with_icalendar, "vobject": with_vobject}[sys.argv[1]]
method, events = reader(sys.stdin.buffer.read())
for e in events:
    e["start"], e["stamp"] = utc(e["start"]), utc(e["stamp"])
json.dump({"method": method, "events": events}, sys.stdout)
