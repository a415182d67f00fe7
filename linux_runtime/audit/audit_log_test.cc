#include "linux_runtime/audit/audit_log.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "doctest/doctest.h"

namespace mxc::audit {
namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/mxc-audit-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { (void)!::system(("rm -rf " + path).c_str()); }
  std::string Read(const std::string& name = "audit.jsonl") const {
    std::ifstream file(path + "/" + name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void Write(const std::string& text) const {
    std::ofstream(path + "/audit.jsonl", std::ios::binary | std::ios::app) << text;
  }
  std::string path;
};

Event Some(const std::string& what) {
  Event event;
  event.kind = Kind::kStart;
  event.what = what;
  return event;
}

TEST_CASE("A log goes on where the one before it ended, and is nobody else's to read") {
  Folder folder;
  for (int round = 0; round < 3; ++round) {
    Result<AuditLog> log = AuditLog::Open({folder.path});
    REQUIRE(log.ok());
    log->Write(Some("a"));
    log->Write(Some("b"));
  }
  const Chain fresh;
  Result<Chain> end = VerifyChain(folder.Read(), &fresh);
  REQUIRE(end.ok());
  CHECK(end->sequence == 6);
  CHECK(*VerifyFolder(folder.path) == 6);
  struct stat found;
  REQUIRE(::stat((folder.path + "/audit.jsonl").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0600);
}

TEST_CASE("Two writers can't have it") {
  Folder folder;
  Result<AuditLog> first = AuditLog::Open({folder.path});
  REQUIRE(first.ok());
  CHECK_FALSE(AuditLog::Open({folder.path}).ok());
}

TEST_CASE("A folder that others may write to, or a link, is refused") {
  Folder folder;
  REQUIRE(::chmod(folder.path.c_str(), 0777) == 0);
  CHECK_FALSE(AuditLog::Open({folder.path}).ok());
  REQUIRE(::chmod(folder.path.c_str(), 0700) == 0);
  REQUIRE(::symlink("/tmp/elsewhere", (folder.path + "/audit.jsonl").c_str()) == 0);
  CHECK_FALSE(AuditLog::Open({folder.path}).ok());
}

TEST_CASE("A torn last line stays, and is counted") {
  Folder folder;
  {
    Result<AuditLog> log = AuditLog::Open({folder.path});
    REQUIRE(log.ok());
    log->Write(Some("a"));
  }
  folder.Write("{\"sequence\":2,\"ti");
  {
    Result<AuditLog> log = AuditLog::Open({folder.path});
    REQUIRE(log.ok());
    log->Write(Some("b"));
  }
  const std::string text = folder.Read();
  CHECK(text.find("{\"sequence\":2,\"ti\n") != std::string::npos);
  CHECK(text.find("\"kind\":\"lost\",\"lost\":1") != std::string::npos);
  CHECK(text.find("\"what\":\"b\"") != std::string::npos);
  // What stands in between shows.
  Result<uint64_t> verified = VerifyFolder(folder.path);
  REQUIRE_FALSE(verified.ok());
  CHECK(verified.error().Describe().find("line 2") != std::string::npos);
}

TEST_CASE("Files are turned over by size, and the chain goes through them") {
  Folder folder;
  Result<AuditLog> log = AuditLog::Open({folder.path, 1000, 3});
  REQUIRE(log.ok());
  for (int i = 0; i < 40; ++i) log->Write(Some("x"));
  CHECK_FALSE(folder.Read("audit.1.jsonl").empty());
  CHECK_FALSE(folder.Read("audit.2.jsonl").empty());
  CHECK(folder.Read("audit.3.jsonl").empty());
  CHECK(VerifyFolder(folder.path).ok());
}

TEST_CASE("A full disk holds nothing up, and what was lost is said") {
  Folder folder;
  Result<AuditLog> log = AuditLog::Open({folder.path});
  REQUIRE(log.ok());
  log->Write(Some("before"));
  // As a disk that is full: no file of this process may grow.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit none{folder.Read().size() + 20, before.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
  for (int i = 0; i < 5; ++i) log->Write(Some("nowhere"));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(log->lost() == 5);
  log->Write(Some("after"));
  const std::string text = folder.Read();
  CHECK(text.find("\"lost\":5") != std::string::npos);
  CHECK(text.find("nowhere") == std::string::npos);
  CHECK(*VerifyFolder(folder.path) == 3);
}

}  // namespace
}  // namespace mxc::audit
