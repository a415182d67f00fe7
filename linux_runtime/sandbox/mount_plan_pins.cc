#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "linux_runtime/sandbox/mount_plan.h"

namespace mxc::sandbox {

void MountPlanner::LinksOnTheWay(const std::string& path, std::set<std::string>& links) const {
  constexpr int kMostLinks = 40;  // as the kernel
  std::string at = "/", rest = path;
  for (int followed = 0; followed <= kMostLinks;) {
    const size_t begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) return;
    const size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string part = rest.substr(begin, end - begin);
    rest.erase(0, end);
    if (part == ".") continue;
    if (part == "..") {
      at = ParentOf(at);
      continue;
    }
    std::string next = JoinPath(at, "/" + part);
    const std::string host = HostName(next);
    struct stat found;
    if (::lstat(host.c_str(), &found) != 0) return;
    if (!S_ISLNK(found.st_mode)) {
      at = std::move(next);
      continue;
    }
    for (const ContainerName& name : ContainerNames(host)) {
      if (name.shown->writable && name.path != name.shown->path) links.insert(name.path);
    }
    char target[4096];
    const ssize_t size = ::readlink(host.c_str(), target, sizeof target);
    if (size <= 0) return;
    ++followed;
    if (target[0] == '/') at = "/";
    rest.insert(0, std::string(target, static_cast<size_t>(size)));
  }
}

Result<void> MountPlanner::CheckLinkedGrants() const {
  for (const LinkedGrant& grant : linked_grants_) {
    std::set<std::string> links;
    LinksOnTheWay(grant.destination, links);
    const bool granted = std::any_of(shown_.begin(), shown_.end(), [&](const Shown& shown) {
      return shown.kind == Kind::kHost && shown.granted && shown.source != grant.canonical &&
             IsBelow(shown.source, grant.canonical) && (shown.writable || !grant.writable);
    });
    if (links.empty() || granted) continue;
    return Error(Code::kRefused, "the grant of " + grant.destination + " leads over the link " + *links.begin() +
                                     ", which a program inside could have made, to " + grant.canonical +
                                     ", which is not granted")
        .WithHint("remove the link if it isn't yours; if it is, grant " + grant.canonical + " by its own name");
  }
  return {};
}

const MountPlanner::Shown* MountPlanner::WritableAbove(const std::string& path) const {
  for (const Shown& shown : shown_) {
    const bool writable = shown.kind == Kind::kHost && shown.writable && !shown.device;
    if (writable && shown.path != path && IsBelow(shown.path, path)) return &shown;
  }
  return nullptr;
}

Result<void> MountPlanner::CheckNesting() const {
  auto check = [this](const std::string& path, const std::string& what) -> Result<void> {
    const Shown* above = WritableAbove(path);
    if (above == nullptr) return {};
    const Error error(Code::kUnsupported,
                      std::string(context_.bundle ? "/annotations/dev.mxc.denied: " : "x-linux.nesting: ") + path +
                          ", " + what + ", lies below " + above->path +
                          ", which is writable: a program that makes mounts can move it away from there");
    if (context_.bundle) {
      return Error(error).WithHint(
          "keep it from making any: annotation dev.mxc.landlock={\"enabled\":true}, or a linux.seccomp list without "
          "clone3, "
          "unshare and clone with CLONE_NEWNS");
    }
    return Error(error).WithHint(
        "grant narrower folders, so that nothing denied or read-only lies below a writable one, or set nesting to "
        "false");
  };
  for (const GuardedPath& guarded : plan_.guarded) {
    if (!guarded.protect) MXC_TRY(check(guarded.path, "denied (" + guarded.rule + ")"));
  }
  for (const std::string& passage : passages_) MXC_TRY(check(passage, "denied"));
  for (const Shown& shown : shown_) {
    // A bundle's read-only mounts are what its other mounts make of them.
    if (context_.bundle || shown.kind != Kind::kHost || shown.writable) continue;
    MXC_TRY(check(shown.path, "granted read-only"));
  }
  for (const std::string& alias : readonly_aliases_) MXC_TRY(check(alias, "another name of a read-only grant"));
  return {};
}

void MountPlanner::PinFolders(size_t before) {
  std::set<std::string> pins;  // in this order a folder comes before those inside it
  auto pin_above = [&](std::string path) {
    while ((path = ParentOf(path)) != "/") {
      const Shown* holder = Locate(path);
      if (holder == nullptr || holder->kind != Kind::kHost || holder->path == path) continue;
      if (holder->writable && !BelowCover(path)) pins.insert(path);
    }
  };
  for (const GuardedPath& guarded : plan_.guarded) {
    // Of a name that doesn't exist yet, the folders that do.
    size_t existing = guarded.path.size() - std::min(guarded.path.size(), guarded.name.size());
    pin_above(guarded.path.substr(0, existing) + "name");
  }
  for (const Shown& shown : shown_) {
    if (shown.kind == Kind::kHost && !shown.writable) pin_above(shown.path);
  }
  // A rule follows links. Replaced, one would leave the rule's name to another object.
  std::set<std::string> links;
  const bool writable = std::any_of(shown_.begin(), shown_.end(), [](const Shown& shown) {
    return shown.kind == Kind::kHost && shown.writable && !shown.device;
  });
  if (writable) {
    for (const auto* rules : {&extension_.denied, &extension_.protect}) {
      for (const oci::DeniedPath& rule : *rules) {
        if (lookup_.MayLeadOverLink(rule.path)) LinksOnTheWay(rule.path, links);
      }
    }
    for (const std::string& path : linked_readonly_) LinksOnTheWay(path, links);
  }
  for (const std::string& link : links) pin_above(link);
  pins.insert(links.begin(), links.end());
  std::vector<Step> steps;
  for (const std::string& path : pins) {
    Step& step = steps.emplace_back();
    step.op = Op::kPin;
    step.path = plan_.Intern(path);
    step.directory = !links.contains(path);
    step.optional = true;
  }
  plan_.steps.insert(plan_.steps.begin() + static_cast<ptrdiff_t>(before), steps.begin(), steps.end());
}

}  // namespace mxc::sandbox
