#include "linux_runtime/supervise/write_report.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace mxc::supervise {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    const char* base = ::getenv("TEST_TMPDIR");
    std::string name = std::string(base != nullptr ? base : "/tmp") + "/report.XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string At(const char* name) const { return path + "/" + name; }
  size_t Count() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(path)) ++count;
    return count;
  }
  std::string path;
};

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

report::ExitReport Report() {
  report::ExitReport report;
  report.run = "one";
  return report;
}

TEST_CASE("a report is written whole, readable by its owner only, and replaces an older one") {
  Folder folder;
  const std::string path = folder.At("r.json");
  std::ofstream(path) << "old and longer than nothing";
  ::chmod(path.c_str(), 0644);
  REQUIRE(WriteReport(path, Report()).ok());
  CHECK(Content(path) == report::ToJson(Report()));
  struct stat found {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
  CHECK(folder.Count() == 1);
}

TEST_CASE("a planted link is replaced, and what it names stays as it was") {
  Folder folder;
  std::ofstream(folder.At("precious")) << "precious";
  fs::create_symlink("precious", folder.At("r.json"));
  REQUIRE(WriteReport(folder.At("r.json"), Report()).ok());
  CHECK(Content(folder.At("precious")) == "precious");
  CHECK_FALSE(fs::is_symlink(folder.At("r.json")));
}

TEST_CASE("a folder swapped while the program runs doesn't lead the report elsewhere") {
  Folder folder;
  fs::create_directory(folder.At("out"));
  fs::create_directory(folder.At("victim"));
  Result<ReportFile> file = ReportFile::Open(folder.At("out/r.json"));
  REQUIRE(file.ok());
  fs::rename(folder.At("out"), folder.At("moved"));
  fs::create_symlink("victim", folder.At("out"));
  REQUIRE(file->Write(Report()).ok());
  CHECK(fs::exists(folder.At("moved/r.json")));
  CHECK(fs::is_empty(folder.At("victim")));
}

TEST_CASE("what can't take a report is refused before the run, with a hint") {
  Folder folder;
  Result<ReportFile> missing = ReportFile::Open(folder.At("nosuch/r.json"));
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message().find("ENOENT") != std::string::npos);
  CHECK_FALSE(missing.error().hint().empty());
  CHECK_FALSE(ReportFile::Open(folder.path).ok());
  CHECK_FALSE(ReportFile::Open(folder.path + "/").ok());
  REQUIRE(::mkfifo(folder.At("pipe").c_str(), 0600) == 0);
  CHECK_FALSE(ReportFile::Open(folder.At("pipe")).ok());  // nobody reads it
  CHECK(folder.Count() == 1);
}

TEST_CASE("pipes are written to directly") {
  Folder folder;
  const std::string path = folder.At("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(WriteReport(path, Report()).ok());
  char bytes[8192];
  const ssize_t size = ::read(reader, bytes, sizeof bytes);
  ::close(reader);
  REQUIRE(size > 0);
  CHECK(std::string(bytes, static_cast<size_t>(size)) == report::ToJson(Report()));
  CHECK(WriteReport("/dev/null", Report()).ok());
  CHECK(fs::is_character_file("/dev/null"));
}

}  // namespace
}  // namespace mxc::supervise
