#include "linux_runtime/sandbox/cover_keeper_opens.h"

#include <climits>

#include "linux_runtime/sys/fanotify.h"

namespace mxc::sandbox {
namespace {

constexpr std::string_view kOverflowId = "65534";
constexpr const char* kNamespaces[] = {"/ns/user", "/ns/pid", "/ns/mnt"};

}  // namespace

OpenHold::OpenHold(int proc) : proc_(proc) {
  for (int i = 0; i < 3; ++i) outside_[i] = Link(std::string("self") + kNamespaces[i]);
  // O_NONBLOCK: the kernel opens the object for the event, which must not wait for a FIFO's other end.
  int opens = sys::FanotifyInit(FAN_CLASS_CONTENT | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
                                O_RDONLY | O_LARGEFILE | O_NONBLOCK);
  if (opens < 0) return;
  opens_.reset(opens);
  int origins = sys::FanotifyInit(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_MARKS, O_RDONLY);
  if (origins >= 0) origins_.reset(origins);
}

std::string OpenHold::Mark(int folder, bool only_origins) {
  if (!holds()) return {};
  if (!only_origins &&
      sys::FanotifyMarkFolder(opens_.get(), FAN_OPEN_PERM | FAN_EVENT_ON_CHILD | FAN_ONDIR, folder) < 0) {
    complete_ = false;
  }
  // Fails on file systems without file handles; then who made a name stays unknown.
  if (!origins_.valid() || sys::FanotifyMarkFolder(origins_.get(), FAN_CREATE | FAN_MOVED_TO | FAN_ONDIR, folder) < 0) {
    return {};
  }
  alignas(file_handle) char buffer[sizeof(file_handle) + MAX_HANDLE_SZ];
  auto* handle = reinterpret_cast<file_handle*>(buffer);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount;
  if (::name_to_handle_at(folder, "", handle, &mount, AT_EMPTY_PATH) < 0) return {};
  return std::string(buffer, sizeof(file_handle) + handle->handle_bytes);
}

std::string OpenHold::Link(const std::string& path) const {
  char text[PATH_MAX];
  ssize_t size = ::readlinkat(proc_, path.c_str(), text, sizeof text);
  return size < 0 ? std::string() : std::string(text, static_cast<size_t>(size));
}

bool OpenHold::Inside(pid_t pid) const {
  // The guard holds capabilities over the container's user namespace only, so the links of tasks outside of it can't be
  // read at all. Where the container has no user namespace of its own, the other namespaces tell. Nor can those of a task
  // in the container that runs a program which it may not read, of an owner whom it doesn't know: its memory then belongs
  // to a user namespace further out (would_dump in fs/exec.c, since Linux 4.10). Its ids tell.
  const std::string task = std::to_string(pid);
  for (int i = 0; i < 3; ++i) {
    const std::string link = Link(task + kNamespaces[i]);
    if (link.empty()) return HasContainerId(task);
    if (link != outside_[i]) return true;
  }
  return false;
}

// As seen from the container's user namespace, which maps nobody outside: there all are the overflow id.
bool OpenHold::HasContainerId(const std::string& task) const {
  sys::UniqueFd file(sys::OpenAt(proc_, (task + "/status").c_str(), O_RDONLY));
  char buffer[4096];
  const long size = file.valid() ? sys::Read(file.get(), buffer, sizeof buffer) : -1;
  if (size <= 0) return false;
  const std::string_view text(buffer, static_cast<size_t>(size));
  constexpr std::string_view kField = "\nUid:\t";
  const size_t at = text.find(kField);
  if (at == std::string_view::npos) return false;
  const std::string_view ids = text.substr(at + kField.size());
  return ids.substr(0, ids.find_first_of("\t\n")) != kOverflowId;
}

void OpenHold::ReadOpens(const std::function<bool(const HeldOpen&)>& refuse) {
  alignas(fanotify_event_metadata) char buffer[8192];
  for (;;) {
    long size = sys::Read(opens_.get(), buffer, sizeof buffer);
    if (size <= 0) return;
    auto* event = reinterpret_cast<fanotify_event_metadata*>(buffer);
    for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
      if (event->fd < 0) continue;
      sys::UniqueFd object(event->fd);
      fanotify_response answer{};
      answer.fd = event->fd;
      answer.response = FAN_ALLOW;
      if (Inside(event->pid)) {
        HeldOpen open;
        open.path = Link("self/fd/" + std::to_string(event->fd));
        constexpr std::string_view kDeleted = " (deleted)";
        if (open.path.ends_with(kDeleted)) open.path.resize(open.path.size() - kDeleted.size());
        struct stat stat {};
        sys::Fstat(event->fd, &stat);
        open.device = stat.st_dev;
        open.inode = stat.st_ino;
        if (refuse(open)) answer.response = FAN_DENY;
      }
      sys::Write(opens_.get(), &answer, sizeof answer);
    }
  }
}

void OpenHold::ReadOrigins(const std::function<void(std::string_view, std::string_view, Origin)>& made) {
  alignas(fanotify_event_metadata) char buffer[8192];
  for (;;) {
    long size = sys::Read(origins_.get(), buffer, sizeof buffer);
    if (size <= 0) return;
    auto* event = reinterpret_cast<fanotify_event_metadata*>(buffer);
    for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
      if (event->event_len < event->metadata_len + sizeof(fanotify_event_info_fid)) continue;
      const auto* info =
          reinterpret_cast<const fanotify_event_info_fid*>(reinterpret_cast<char*>(event) + event->metadata_len);
      if (info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME) continue;
      // A struct file_handle, handle_bytes long, then the name.
      const char* handle = reinterpret_cast<const char*>(info->handle);
      const size_t size_of_handle = sizeof(file_handle) + reinterpret_cast<const file_handle*>(handle)->handle_bytes;
      const char* name = handle + size_of_handle;
      // A maker that has ended already, its id perhaps taken by another, is unknown: an ended one has no links.
      const bool inside = event->pid > 0 && Inside(event->pid);
      const bool alive = event->pid > 0 && ::faccessat(proc_, std::to_string(event->pid).c_str(), F_OK, 0) == 0;
      made({handle, size_of_handle}, name, inside ? Origin::kInside : alive ? Origin::kOutside : Origin::kUnknown);
    }
  }
}

}  // namespace mxc::sandbox
