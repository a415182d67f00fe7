#include "linux_runtime/sandbox/host_lookup.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace mxc::sandbox {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    // Itself reached over no link, wherever the temporary folder is.
    std::string name = (fs::canonical(fs::temp_directory_path()) / "mxc-lookup-XXXXXX").string();
    path = ::mkdtemp(name.data());
    fs::create_directories(path / "real/inner");
    std::ofstream(path / "file") << "x";
    fs::create_directory_symlink("real", path / "link");
    fs::create_symlink("nowhere", path / "dangling");
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return path / name; }
};

TEST_CASE("a way without links is known to be one, found or missing; any other may have some") {
  Folder folder;
  HostLookup lookup;
  const struct {
    const char* name;
    bool exists, may_lead_over_link;
  } cases[] = {
      {"real/inner", true, false}, {"real/missing", false, false},  {"file/below", false, false},
      {"link", true, true},        {"link/inner", true, true},      {"link/missing", false, true},
      {"dangling", false, true},   {"dangling/below", false, true}, {"missing/deep/name", false, false},
  };
  for (const auto& wanted : cases) {
    CAPTURE(wanted.name);
    CHECK(lookup.MayLeadOverLink(folder / wanted.name));  // nobody looked yet
    Result<HostObject> object = lookup.Open(folder / wanted.name);
    CHECK(object.ok() == wanted.exists);
    if (!object.ok()) CHECK(object.error().code() == Code::kNotFound);
    CHECK(lookup.MayLeadOverLink(folder / wanted.name) == wanted.may_lead_over_link);
  }
}

TEST_CASE("names below a missing folder inherit what was found on the way to it") {
  Folder folder;
  HostLookup lookup;
  for (const char* first : {"missing/a", "dangling/a", "link/missing/a"}) {
    CHECK_FALSE(lookup.Open(folder / first).ok());
    REQUIRE(lookup.NearestAbove(folder / first).ok());
  }
  // From here on nobody asks the kernel: what is made now isn't seen.
  fs::create_directories(folder.path / "missing");
  std::ofstream(folder.path / "missing/b") << "x";
  CHECK_FALSE(lookup.Open(folder / "missing/b").ok());
  CHECK_FALSE(lookup.MayLeadOverLink(folder / "missing/b"));
  CHECK_FALSE(lookup.Open(folder / "missing/deep/c").ok());
  CHECK_FALSE(lookup.Open(folder / "dangling/b").ok());
  CHECK(lookup.MayLeadOverLink(folder / "dangling/b"));
  CHECK_FALSE(lookup.Open(folder / "link/missing/b").ok());
  CHECK(lookup.MayLeadOverLink(folder / "link/missing/b"));
}

TEST_CASE("the nearest name above a missing one, by its own name and by the asked one") {
  Folder folder;
  HostLookup lookup;
  for (int round = 0; round < 2; ++round) {
    Result<HostLookup::Folder> above = lookup.NearestAbove(folder / "link/missing/deep/name");
    REQUIRE(above.ok());
    CHECK(above->path == folder / "link");
    CHECK(above->canonical == folder / "real");
    CHECK(above->directory);
    above = lookup.NearestAbove(folder / "file/below");
    REQUIRE(above.ok());
    CHECK(above->path == folder / "file");
    CHECK_FALSE(above->directory);
  }
}

}  // namespace
}  // namespace mxc::sandbox
