#include "linux_runtime/sandbox/hard_links.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace mxc::sandbox {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "mxc-links-XXXXXX").string();
    path = ::mkdtemp(name.data());
    fs::create_directories(path / "work/a/b");
    fs::create_directories(path / "other");
    std::ofstream(path / "work/secret") << "x";
  }
  ~Folder() { fs::remove_all(path); }
  LinkedFile Secret() const {
    struct stat stat {};
    ::lstat((path / "work/secret").c_str(), &stat);
    return {path / "work/secret", stat.st_dev, stat.st_ino, stat.st_nlink};
  }
};

TEST_CASE("links within the granted trees are found") {
  Folder folder;
  fs::create_hard_link(folder.path / "work/secret", folder.path / "work/a/b/copy");
  fs::create_hard_link(folder.path / "work/secret", folder.path / "work/a/copy");
  fs::create_symlink(folder.path / "work", folder.path / "work/a/loop");
  auto links = FindOtherLinks({folder.Secret()}, {.trees = {folder.path / "work", folder.path / "work/a"}});
  REQUIRE(links.ok());
  REQUIRE(links->size() == 2);
  CHECK((*links)[0].path == folder.path / "work/a/b/copy");
  CHECK((*links)[1].path == folder.path / "work/a/copy");
}

TEST_CASE("a link that isn't found refuses the run") {
  Folder folder;
  fs::create_hard_link(folder.path / "work/secret", folder.path / "other/copy");
  auto links = FindOtherLinks({folder.Secret()}, {.trees = {folder.path / "work"}});
  REQUIRE(!links.ok());
  CHECK(links.error().code() == Code::kRefused);
  CHECK(links.error().message().find("2 hard links, and 1 of them was not found") != std::string::npos);
  // With the other folder granted as well it is found.
  CHECK(FindOtherLinks({folder.Secret()}, {.trees = {folder.path / "work", folder.path / "other"}}).ok());
}

TEST_CASE("a search over its limit refuses the run and says so") {
  Folder folder;
  fs::create_hard_link(folder.path / "work/secret", folder.path / "work/a/b/copy");
  auto links = FindOtherLinks({folder.Secret()}, {.trees = {folder.path / "work"}, .max_entries = 1});
  REQUIRE(!links.ok());
  CHECK(links.error().message().find("too large to search") != std::string::npos);
}

TEST_CASE("a denied name outside the granted trees, its link within") {
  Folder folder;
  fs::create_hard_link(folder.path / "work/secret", folder.path / "other/copy");
  auto links = FindOtherLinks({folder.Secret()}, {.trees = {folder.path / "other"}});
  REQUIRE(links.ok());
  REQUIRE(links->size() == 1);
  CHECK((*links)[0].path == folder.path / "other/copy");
}

TEST_CASE("files with one link need no search") {
  Folder folder;
  auto links = FindOtherLinks({folder.Secret()}, {.trees = {"/nonexistent"}, .max_entries = 0});
  REQUIRE(links.ok());
  CHECK(links->empty());
}

}  // namespace
}  // namespace mxc::sandbox
