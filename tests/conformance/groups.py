"""Files of control groups that a host may lack."""

import os

import harness
import host


def group_file(pid, controller, v1_file, v2_file):
    """The file of that process's group; Skip where the kernel has none."""
    folder = host.group_folder(pid, controller)
    name = v2_file if host.is_unified() else v1_file
    if folder is None or name is None or not os.path.exists(os.path.join(folder, name)):
        raise harness.Skip(f"the host has no {name or v1_file}")
    return os.path.join(folder, name)


def has_file(controller, v1_file, v2_file):
    """Whether a group of this host would have that file; on v1 the root group or one below it shows it."""
    if host.is_unified():
        return bool(v2_file)
    place = host.hierarchies().get(controller)
    folders = [place, *(entry.path for entry in os.scandir(place) if entry.is_dir())] if place else []
    return any(os.path.exists(os.path.join(folder, v1_file)) for folder in folders)
