// For tests: a plain folder in place of a cgroup file system.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace mxc::cgroup {

class Tree {
 public:
  Tree() {
    char name[] = "/tmp/mxc-cgroup-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    root_ = name;
  }
  ~Tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  std::string Path(const std::string& path) const { return root_ + "/" + path; }
  void Folder(const std::string& path) const { std::filesystem::create_directories(Path(path)); }
  void Put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(Path(path)).parent_path());
    std::ofstream(Path(path)) << text;
  }
  std::string Get(const std::string& path) const {
    std::ifstream file(Path(path));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool Has(const std::string& path) const { return std::filesystem::exists(Path(path)); }
  // The files that a real cgroup loses with its folder.
  void Empty(const std::string& path) const {
    for (const auto& entry : std::filesystem::directory_iterator(Path(path))) {
      if (entry.is_regular_file()) std::filesystem::remove(entry.path());
    }
  }

 private:
  std::string root_;
};

}  // namespace mxc::cgroup
