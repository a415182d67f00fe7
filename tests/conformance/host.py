"""What the host shows from outside: processes, mounts, cgroups of a process."""

import os
import time


def eventually(condition, seconds=20.0):
    """Whether condition() holds within that time; its value when it does."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.005)


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def status_field(text, name):
    """A field of /proc/PID/status."""
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    raise AssertionError(f"no {name} in {text!r}")


def process_state(pid):
    """The letter of /proc/PID/stat, or '' when there is no such process."""
    try:
        text = read(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text[text.rindex(")") + 2]


def alive(pid):
    return process_state(pid) not in ("", "Z", "X")


def descendants(root):
    """Pids below `root`, zombies left out."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                rest = read(f"/proc/{entry}/stat")
            except (FileNotFoundError, ProcessLookupError):
                continue
            fields = rest[rest.rindex(")") + 2 :].split()
            if fields[0] not in "ZX":
                parents[int(entry)] = int(fields[1])
    below = set()
    while True:
        more = {pid for pid, parent in parents.items() if (parent == root or parent in below) and pid not in below}
        if not more:
            return below
        below |= more


def mounts(text=None):
    """mountinfo as dicts: id, parent, root, place, options, optional, type, source, data. Of this process, or of the text given."""
    found = []
    for line in (read("/proc/self/mountinfo") if text is None else text).splitlines():
        before, _, after = line.partition(" - ")
        fields, tail = before.split(), after.split(" ")
        found.append({
            "id": fields[0], "parent": fields[1], "root": fields[3], "place": fields[4].encode().decode("unicode_escape"), "options": fields[5].split(","),
            "optional": fields[6:], "type": tail[0], "source": tail[1], "data": tail[2].split(",") if len(tail) > 2 else [],
        })  # fmt: skip
    return found


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


# -- cgroups -----------------------------------------------------------------------------------------------------------


def hierarchies():
    """{controller: mount point} of cgroup v1; '' is the v2 tree, where one is mounted."""
    found = {}
    for mount in mounts():
        if mount["type"] == "cgroup":
            found.update({name: mount["place"] for name in mount["data"] if name != "rw" and name != "ro"})
        elif mount["type"] == "cgroup2":
            found[""] = mount["place"]
    return found


def is_unified():
    """Whether the host's controllers are in cgroup v2."""
    return "memory" not in hierarchies()


def groups_of(pid):
    """{controller: folder} of a process; '' for v2."""
    places = hierarchies()
    found = {}
    for line in read(f"/proc/{pid}/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in places:
                found[name] = places[name] + path.rstrip("/")
    return found


def group_folder(pid, controller):
    """The folder whose files limit this process by that controller."""
    found = groups_of(pid)
    return found[""] if is_unified() else found.get(controller)


def groups_named(part):
    """Every cgroup folder whose path holds `part`."""
    found = []
    for place in set(hierarchies().values()):
        for folder, names, _ in os.walk(place):
            found += [os.path.join(folder, name) for name in names if part in name]
    return found
