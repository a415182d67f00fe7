#include "linux_runtime/cgroup/proc.h"

#include <fcntl.h>

#include <algorithm>
#include <sstream>

#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::cgroup {
namespace {

// The path of the line whose second field is `list`.
std::string PathOfLine(std::string_view text, std::string_view list) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    size_t first = line.find(':');
    size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos || line.substr(first + 1, second - first - 1) != list) continue;
    std::string_view path = line.substr(second + 1);
    bool inside = path.starts_with('/') && path != "/.." && !path.starts_with("/../");
    return inside ? std::string(path) : std::string();
  }
  return "";
}

}  // namespace

std::string ReadProc(const std::string& path) {
  sys::UniqueFd fd(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!fd.valid()) return "";
  std::string text;
  size_t used = 0;
  for (;;) {
    text.resize(used + 16384);
    long size = sys::Read(fd.get(), text.data() + used, text.size() - used);
    if (size <= 0) break;
    used += static_cast<size_t>(size);
  }
  text.resize(used);
  return text;
}

std::string OwnPathOnV2(std::string_view cgroup) { return PathOfLine(cgroup, ""); }
std::string OwnPathOnV1(std::string_view cgroup, std::string_view list) { return PathOfLine(cgroup, list); }

bool IsUserNamespace(std::string_view uid_map) {
  std::istringstream words{std::string(uid_map)};
  uint64_t inside = 1, outside = 1, count = 0;
  words >> inside >> outside >> count;
  return inside != 0 || outside != 0 || count != 4294967295;
}

}  // namespace mxc::cgroup
