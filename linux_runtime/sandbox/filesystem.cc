#include "linux_runtime/sandbox/filesystem.h"

#include <string.h>

#include "linux_runtime/sandbox/step_fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {

int NewFilesystem(const char* type, const char* source, const char* const* options, uint64_t attributes,
                  bool group_optional) {
  StepFd context(sys::FsOpen(type));
  if (context.failed()) return context.get();
  sys::FsConfig(context.get(), FSCONFIG_SET_STRING, "source", source);
  for (; options != nullptr && options[0] != nullptr; options += 2) {
    int error = options[1][0] == '\0' ? sys::FsConfig(context.get(), FSCONFIG_SET_FLAG, options[0], nullptr)
                                      : sys::FsConfig(context.get(), FSCONFIG_SET_STRING, options[0], options[1]);
    if (error == -EINVAL && group_optional && strcmp(options[0], "gid") == 0) continue;
    if (error < 0) return error;
  }
  if (int error = sys::FsConfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr); error < 0) return error;
  return sys::FsMount(context.get(), static_cast<unsigned>(attributes));
}

}  // namespace mxc::sandbox
