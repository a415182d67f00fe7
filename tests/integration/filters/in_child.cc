#include "tests/integration/filters/in_child.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace mxc::test {

SharedFolder::SharedFolder() : path_("/tmp/mxc-filters-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr || ::chmod(path_.c_str(), 0777) != 0) std::abort();
}

SharedFolder::~SharedFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace mxc::test
