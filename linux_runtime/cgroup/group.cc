#include "linux_runtime/cgroup/group.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include <algorithm>

#include "linux_runtime/sys/error.h"

namespace mxc::cgroup {

Group& Group::operator=(Group&& other) noexcept {
  std::swap(v2_, other.v2_);
  std::swap(owned_, other.owned_);
  parts_.swap(other.parts_);
  join_fds_.swap(other.join_fds_);
  return *this;
}

Group::~Group() {
  if (!owned_) return;
  for (const Part& part : parts_) {
    if (part.made) part.parent.RemoveTree(part.name, Milliseconds(0));
  }
}

Result<Group> Group::Open(const std::vector<std::string>& paths, bool allow_gone) {
  Group group;
  group.owned_ = false;
  for (const std::string& text : paths) {
    // A named hierarchy's name may hold '=': "name=systemd=/sys/fs/cgroup/systemd/a".
    size_t equals = text.find("=/"), slash = text.rfind('/');
    if (equals == std::string::npos || slash == equals + 1) {
      return Error(Code::kInvalid, "open a cgroup: '" + text + "' is not of the form CONTROLLERS=/PATH/NAME");
    }
    Part part;
    part.list = text.substr(0, equals);
    part.controllers = ParseControllers(part.list);
    group.v2_ = text.starts_with("unified");
    part.name = text.substr(slash + 1);
    auto gone = [&](const Result<Directory>& opened) { return allow_gone && opened.error().system_errno() == ENOENT; };
    auto parent = Directory::Open(text.substr(equals + 1, slash - equals - 1));
    if (!parent && gone(parent)) continue;
    part.parent = MXC_TRY(std::move(parent));
    auto self = part.parent.Child(part.name);
    if (!self && gone(self)) continue;
    part.self = MXC_TRY(std::move(self));
    group.parts_.push_back(std::move(part));
  }
  return group;
}

std::vector<std::string> Group::Paths() const {
  std::vector<std::string> paths;
  for (const Part& part : parts_) {
    std::string text = v2_ ? "unified" : part.list;
    if (std::string names = ControllerNames(part.controllers, ','); !names.empty() && (v2_ || text.empty())) {
      text += (text.empty() ? "" : ",") + names;
    }
    paths.push_back(text + "=" + part.self.path());
  }
  return paths;
}

Controllers Group::controllers() const {
  Controllers all = 0;
  for (const Part& part : parts_) all |= part.controllers;
  return all;
}

const Directory* Group::In(Controllers controller) const {
  if (v2_) return none() ? nullptr : &parts_[0].self;
  const Part* part = Find(controller);
  return part == nullptr ? nullptr : &part->self;
}

std::vector<const Directory*> Group::Folders() const {
  std::vector<const Directory*> folders;
  for (const Part& part : parts_) folders.push_back(&part.self);
  return folders;
}

std::vector<std::pair<Controllers, const Directory*>> Group::ByController() const {
  std::vector<std::pair<Controllers, const Directory*>> folders;
  for (const Part& part : parts_) folders.emplace_back(part.controllers, &part.self);
  return folders;
}

int Group::CloneFd() const { return v2_ && !parts_.empty() ? parts_[0].self.fd() : -1; }

Result<sys::UniqueFd> Group::OpenProcs() const {
  if (!v2_) return Error(Code::kInternal, "open cgroup.procs: a v1 group is joined by its tasks files");
  return parts_[0].self.OpenFile("cgroup.procs", O_WRONLY);
}

void Group::CloseJoinFds() {
  join_fds_.clear();
  for (Part& part : parts_) part.tasks.reset();
}

const Group::Part* Group::Find(Controllers controller) const {
  for (const Part& part : parts_) {
    if ((part.controllers & controller) != 0) return &part;
  }
  return nullptr;
}

Result<Usage> Group::ReadUsage() const {
  Usage usage;
  auto number = [](const Part* part, const char* file) -> std::optional<uint64_t> {
    auto value = part->self.ReadNumber(file);
    return value ? std::optional(*value) : std::nullopt;
  };
  auto key = [](const Part* part, const char* file, const char* name) -> std::optional<uint64_t> {
    auto text = part->self.Read(file);
    return text ? FlatKey(*text, name) : std::nullopt;
  };
  if (v2_) {
    if (auto stat = parts_[0].self.Read("cpu.stat")) {
      usage.cpu_us = FlatKey(*stat, "usage_usec");
      usage.throttled_us = FlatKey(*stat, "throttled_usec");
    }
  } else if (const Part* part = Find(kCpuacct)) {
    if (auto nanoseconds = number(part, "cpuacct.usage")) usage.cpu_us = *nanoseconds / 1000;
  }
  if (const Part* part = v2_ ? nullptr : Find(kCpu)) {
    if (auto nanoseconds = key(part, "cpu.stat", "throttled_time")) usage.throttled_us = *nanoseconds / 1000;
  }
  if (const Part* part = Find(kMemory)) {
    usage.memory_bytes = number(part, v2_ ? "memory.current" : "memory.usage_in_bytes");
    usage.memory_peak_bytes = number(part, v2_ ? "memory.peak" : "memory.max_usage_in_bytes");
    usage.oom_kills = key(part, v2_ ? "memory.events" : "memory.oom_control", "oom_kill");
  }
  if (const Part* part = Find(kPids)) {
    usage.pids = number(part, "pids.current");
    usage.pids_peak = number(part, "pids.peak");
    usage.pids_refused = key(part, "pids.events", "max");
  }
  return usage;
}

Result<sys::UniqueFd> Group::OpenOomEvents() const {
  const Part* part = Find(kMemory);
  if (part == nullptr) return Error(Code::kUnsupported, "watch for lack of memory: the group has no memory controller");
  if (v2_) return part->self.OpenFile("memory.events", O_RDONLY);
  sys::UniqueFd control = MXC_TRY(part->self.OpenFile("memory.oom_control", O_RDONLY));
  sys::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return sys::SystemError("make an eventfd for lack of memory", errno);
  std::string order = std::to_string(event.get()) + " " + std::to_string(control.get());
  int result = part->self.Write("cgroup.event_control", order);
  if (result < 0) return sys::SystemError("watch " + part->self.path() + "/memory.oom_control", -result);
  return event;
}

bool Group::RemoveEmpty() {
  CloseJoinFds();
  while (!parts_.empty()) {
    if (parts_.back().parent.RemoveTree(parts_.back().name, Milliseconds(0)) < 0) return false;
    parts_.pop_back();
  }
  owned_ = false;
  return true;
}

Result<void> Group::Destroy(Milliseconds patience) {
  owned_ = false;
  CloseJoinFds();
  for (const Part& part : parts_) {
    int result = part.parent.RemoveTree(part.name, patience);
    if (result < 0) {
      return sys::SystemError("remove the cgroup " + part.parent.path() + "/" + part.name, -result)
          .WithHint("processes are still in it; end them first");
    }
  }
  parts_.clear();
  return {};
}

}  // namespace mxc::cgroup
