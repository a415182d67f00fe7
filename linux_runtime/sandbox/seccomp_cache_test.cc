#include "linux_runtime/sandbox/seccomp_cache.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "shared/translate/seccomp_profiles.h"

namespace mxc::sandbox {
namespace {

namespace fs = std::filesystem;

bool SameCode(const SeccompProgram& a, const SeccompProgram& b) {
  return a.code.size() == b.code.size() &&
         std::memcmp(a.code.data(), b.code.data(), a.code.size() * sizeof(sock_filter)) == 0;
}

class Folder {
 public:
  Folder() {
    const char* base = std::getenv("TEST_TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/seccomp-cache-XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() { fs::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string only_file() const {
    REQUIRE(std::distance(fs::directory_iterator(path_), fs::directory_iterator()) == 1);
    return fs::directory_iterator(path_)->path();
  }
  bool empty() const { return fs::is_empty(path_); }

 private:
  std::string path_;
};

oci::LinuxSeccomp OwnList(const char* call = "getpid") {
  oci::LinuxSeccomp list;
  list.default_action = "SCMP_ACT_ALLOW";
  list.syscalls.push_back({{call, "no_such_call"}, "SCMP_ACT_ERRNO", 13, {}});
  list.flags = {"SECCOMP_FILTER_FLAG_LOG"};
  return list;
}

TEST_CASE("a shipped list, and an equal one from a spec, have their program in the binary") {
  for (const auto& profile : translate::SeccompProfiles()) {
    const oci::LinuxSeccomp& list = *translate::FindSeccompProfile(profile.name);
    oci::LinuxSeccomp copy = list;
    auto fresh = CompileSeccomp(list);
    REQUIRE(fresh.ok());
    for (const oci::LinuxSeccomp* each : {&list, const_cast<const oci::LinuxSeccomp*>(&copy)}) {
      SeccompProgram shipped = ShippedSeccomp(*each);
      CHECK(SameCode(shipped, *fresh));
      CHECK(shipped.flags == fresh->flags);
    }
    copy.syscalls[0].names[0] = "reboot";
    CHECK(ShippedSeccomp(copy).code.empty());
  }
}

TEST_CASE("another list is compiled once") {
  Folder folder;
  SeccompCache cache(folder.path());
  auto first = cache.Get(OwnList());
  auto second = cache.Get(OwnList());
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(first->origin == "compiled");
  CHECK(second->origin == "cache");
  CHECK(SameCode(*first, *second));
  CHECK(second->flags == first->flags);
  CHECK(second->skipped == std::vector<std::string>{"no_such_call"});
  auto other = cache.Get(OwnList("getuid"));
  REQUIRE(other.ok());
  CHECK(other->origin == "compiled");
  struct stat status {};
  REQUIRE(::stat(fs::directory_iterator(folder.path())->path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a damaged, cut or foreign entry is made again") {
  Folder folder;
  SeccompCache cache(folder.path());
  REQUIRE(cache.Get(OwnList()).ok());
  std::string file = folder.only_file();
  auto size = fs::file_size(file);
  for (auto offset : {uint64_t{0}, uint64_t{20}, uint64_t{size - 1}}) {
    std::fstream edit(file, std::ios::in | std::ios::out | std::ios::binary);
    edit.seekg(static_cast<std::streamoff>(offset));
    char byte = static_cast<char>(edit.get() ^ 1);
    edit.seekp(static_cast<std::streamoff>(offset));
    edit.put(byte);
    edit.close();
    CHECK(cache.Get(OwnList())->origin == "compiled");
    CHECK(cache.Get(OwnList())->origin == "cache");
  }
  fs::resize_file(file, size / 2);
  CHECK(cache.Get(OwnList())->origin == "compiled");
  // An entry of another list under this list's name.
  Folder elsewhere;
  REQUIRE(SeccompCache(elsewhere.path()).Get(OwnList("getuid")).ok());
  fs::copy_file(elsewhere.only_file(), file, fs::copy_options::overwrite_existing);
  CHECK(cache.Get(OwnList())->origin == "compiled");
}

TEST_CASE("a folder or file that others may write is not read") {
  Folder folder;
  SeccompCache cache(folder.path());
  REQUIRE(cache.Get(OwnList()).ok());
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  CHECK(cache.Get(OwnList())->origin == "compiled");
  REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
  CHECK(cache.Get(OwnList())->origin == "cache");
  REQUIRE(::chmod(folder.only_file().c_str(), 0666) == 0);
  CHECK(cache.Get(OwnList())->origin == "compiled");
  Folder parent;
  std::string link = parent.path() + "/link";
  fs::create_directory_symlink(folder.path(), link);
  CHECK(SeccompCache(link).Get(OwnList())->origin == "compiled");
  CHECK(SeccompCache("").Get(OwnList())->origin == "compiled");
}

TEST_CASE("a missing folder is made, and racing writers leave one whole entry") {
  Folder parent;
  std::string path = parent.path() + "/cache";
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) (void)SeccompCache(path).Get(OwnList());
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(SeccompCache(path).Get(OwnList())->origin == "cache");
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

}  // namespace
}  // namespace mxc::sandbox
