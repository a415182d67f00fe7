#include "linux_runtime/sandbox/cover_keeper_moved.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace mxc::sandbox {
namespace {

namespace fs = std::filesystem;

std::string Read(const fs::path& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct Folder {
  explicit Folder(const char* above) {
    std::string name = std::string(above) + "/mxc-moved-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
    fd.reset(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
  sys::UniqueFd fd;
};

// The state folder lies in memory, the work tree on a disk.
struct TwoFileSystems {
  TwoFileSystems() : work(Temporary()), state("/dev/shm") {
    struct stat one {
    }, other{};
    ::fstat(work.fd.get(), &one);
    ::fstat(state.fd.get(), &other);
    differ = one.st_dev != other.st_dev;
    if (!differ) ::puts("left out: TEST_TMPDIR and /dev/shm are one file system");
  }
  static const char* Temporary() {
    const char* folder = ::getenv("TEST_TMPDIR");
    return folder != nullptr ? folder : "/var/tmp";
  }
  Folder work, state;
  bool differ = false;
};

TEST_CASE("what is written after a file was copied comes after it") {
  TwoFileSystems on;
  if (!on.differ) return;
  const std::string path = on.work.path / "name";
  sys::UniqueFd writer(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  MoveBudget budget;
  std::vector<LateCopy> late;
  REQUIRE(::write(writer.get(), "first ", 6) == 6);
  REQUIRE(MoveIntoState(on.work.fd.get(), "name", on.state.fd.get(), "moved", budget, late).ok());
  CHECK(fs::is_empty(on.work.path));
  CHECK(Read(on.state.path / "moved") == "first ");
  REQUIRE(late.size() == 1);
  REQUIRE(::write(writer.get(), "last", 4) == 4);
  REQUIRE(FinishCopy(late[0], budget).ok());
  CHECK(Read(on.state.path / "moved") == "first last");
  REQUIRE(::ftruncate(writer.get(), 3) == 0);
  REQUIRE(FinishCopy(late[0], budget).ok());
  CHECK(Read(on.state.path / "moved") == "fir");
}

TEST_CASE("more than the budget is left under a name that nothing looks for") {
  TwoFileSystems on;
  if (!on.differ) return;
  std::ofstream(on.work.path / "name") << std::string(100, 'x');
  MoveBudget budget;
  budget.bytes = 50;
  std::vector<LateCopy> late;
  const Result<void> moved = MoveIntoState(on.work.fd.get(), "name", on.state.fd.get(), "moved", budget, late);
  REQUIRE_FALSE(moved.ok());
  CHECK(moved.error().Describe().find("it is called .mxc-") != std::string::npos);
  CHECK_FALSE(fs::exists(on.work.path / "name"));
  CHECK(std::distance(fs::directory_iterator(on.work.path), {}) == 1);
}

TEST_CASE("folders are copied with what is in them, and links are not followed") {
  TwoFileSystems on;
  if (!on.differ) return;
  fs::create_directories(on.work.path / "name/deep");
  std::ofstream(on.work.path / "name/deep/file") << "text";
  fs::create_symlink("/etc/passwd", on.work.path / "name/link");
  MoveBudget budget;
  std::vector<LateCopy> late;
  REQUIRE(MoveIntoState(on.work.fd.get(), "name", on.state.fd.get(), "moved", budget, late).ok());
  CHECK(fs::is_empty(on.work.path));
  CHECK(Read(on.state.path / "moved/deep/file") == "text");
  CHECK(fs::read_symlink(on.state.path / "moved/link") == "/etc/passwd");
}

}  // namespace
}  // namespace mxc::sandbox
