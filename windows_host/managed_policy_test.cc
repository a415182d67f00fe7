#include "windows_host/managed_policy.h"

#include <windows.h>

#include <fstream>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "windows_host/distributions.h"
#include "windows_host/registry.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

// A key of its own, gone afterwards with all below it.
class TestKey {
 public:
  explicit TestKey(HKEY root, const std::string& name)
      : root_(root), path_("SOFTWARE\\MxcTest-" + std::to_string(::GetCurrentProcessId()) + name) {
    Open("");
  }
  ~TestKey() { ::RegDeleteTreeW(root_, Widen(path_).value().c_str()); }
  TestKey(const TestKey&) = delete;
  TestKey& operator=(const TestKey&) = delete;

  const std::string& path() const { return path_; }
  TestKey& Open(const std::string& below) {
    HKEY key = nullptr;
    REQUIRE(::RegCreateKeyExW(root_, Widen(path_ + below).value().c_str(), 0, nullptr, 0,
                              KEY_ALL_ACCESS | KEY_WOW64_64KEY, nullptr, &key, nullptr) == ERROR_SUCCESS);
    ::RegCloseKey(key);
    return *this;
  }
  TestKey& Set(const std::string& below, const std::string& name, DWORD type, const std::vector<BYTE>& data) {
    Open(below);
    HKEY key = nullptr;
    REQUIRE(::RegOpenKeyExW(root_, Widen(path_ + below).value().c_str(), 0, KEY_WRITE | KEY_WOW64_64KEY, &key) ==
            ERROR_SUCCESS);
    CHECK(::RegSetValueExW(key, Widen(name).value().c_str(), 0, type, data.data(), static_cast<DWORD>(data.size())) ==
          ERROR_SUCCESS);
    ::RegCloseKey(key);
    return *this;
  }
  TestKey& Number(const std::string& name, uint32_t number, const std::string& below = "") {
    const auto* bytes = reinterpret_cast<const BYTE*>(&number);
    return Set(below, name, REG_DWORD, {bytes, bytes + sizeof number});
  }
  TestKey& Text(const std::string& name, const std::string& text, const std::string& below = "") {
    const std::wstring wide = Widen(text).value();
    const auto* bytes = reinterpret_cast<const BYTE*>(wide.c_str());
    return Set(below, name, REG_SZ, {bytes, bytes + (wide.size() + 1) * sizeof(wchar_t)});
  }

 private:
  HKEY root_;
  std::string path_;
};

TEST_CASE("A machine without a policy is not managed, and neither is one with an empty key") {
  Result<ManagedPolicy> none = ReadManagedPolicy("SOFTWARE\\MxcTest-no-such-key");
  REQUIRE(none.ok());
  CHECK(none->floors.empty());
  CHECK(none->digest.empty());
  TestKey key(HKEY_LOCAL_MACHINE, "");
  Result<ManagedPolicy> empty = ReadManagedPolicy(key.path());
  REQUIRE(empty.ok());
  CHECK(empty->enabled);
  CHECK(empty->elevated_allowed);
  CHECK_FALSE(empty->names_distributions());
  CHECK(empty->digest.starts_with("sha256:"));
}

TEST_CASE("What the registry says") {
  TestKey key(HKEY_LOCAL_MACHINE, "");
  key.Number("Enabled", 0).Number("requirehvsocket", 1).Number("AuditLevel", 1).Number("AllowElevated", 0);
  key.Number("AllowDetached", 0).Number("AllowEgress", 0).Number("AllowNesting", 1).Number("RequireLandlock", 1);
  key.Text("MinimumVersion", "0.0.9").Text("1", "Debian", "\\AllowedDistributions");
  key.Text("x", "Ubuntu", "\\DeniedDistributions").Text("1", "C:\\work", "\\AllowedWindowsPaths");
  key.Text("1", "C:\\work\\pay", "\\DeniedWindowsPaths").Text("1", "default", "\\AllowedProfiles");
  Result<ManagedPolicy> read = ReadManagedPolicy(key.path());
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().Describe()));
  CHECK_FALSE(read->enabled);
  CHECK(read->hvsocket_required);
  CHECK(read->audit_required);
  CHECK_FALSE(read->elevated_allowed);
  CHECK_FALSE(read->detached_allowed);
  CHECK(read->allowed_distributions == std::vector<std::string>{"Debian"});
  CHECK(read->denied_distributions == std::vector<std::string>{"Ubuntu"});
  REQUIRE(read->floors.size() == 1);
  CHECK(read->floors[0].second ==
        R"({"filesystem":{"drives":{"denied":["C:\\work\\pay"],"only":["C:\\work"]}},"floor":1,"forbid":["egress"],)"
        R"("minimum":{"landlock":true},"profiles":{"allow":["default"]}})");
  key.Text("2", "Fedora", "\\AllowedDistributions");
  CHECK(ReadManagedPolicy(key.path())->digest != read->digest);
}

TEST_CASE("What can't be read as a whole ends everything, with the name of the value") {
  struct Row {
    const char* name;
    void (*set)(TestKey& key);
  };
  const Row rows[] = {
      {"AllowEgresss", [](TestKey& key) { key.Number("AllowEgresss", 0); }},
      {"AllowTcp", [](TestKey& key) { key.Number("AllowTcp", 0); }},
      {"AllowEgress", [](TestKey& key) { key.Text("AllowEgress", "0"); }},
      {"Enabled", [](TestKey& key) { key.Number("Enabled", 2); }},
      {"Enabled",
       [](TestKey& key) {
         key.Set("", "Enabled", REG_QWORD, {0, 0, 0, 0, 0, 0, 0, 0});
       }},
      {"Enabled",
       [](TestKey& key) {
         key.Set("", "Enabled", REG_DWORD, {0, 0});
       }},
      {"Enabled",
       [](TestKey& key) {
         key.Set("", "Enabled", REG_DWORD_BIG_ENDIAN, {0, 0, 0, 0});
       }},
      {"SchemaVersion", [](TestKey& key) { key.Number("SchemaVersion", 2); }},
      {"SchemaVersion", [](TestKey& key) { key.Number("SchemaVersion", 0); }},
      {"AuditLevel", [](TestKey& key) { key.Number("AuditLevel", 7); }},
      {"MinimumVersion", [](TestKey& key) { key.Text("MinimumVersion", "9.0.0"); }},
      {"MinimumVersion", [](TestKey& key) { key.Text("MinimumVersion", "soon"); }},
      {"MinimumVersion", [](TestKey& key) { key.Text("MinimumVersion", ""); }},
      {"AllowedImages", [](TestKey& key) { key.Open("\\AllowedImages"); }},
      {"AllowedDistributions", [](TestKey& key) { key.Open("\\AllowedDistributions"); }},
      {"AllowedDistributions", [](TestKey& key) { key.Text("AllowedDistributions", "Debian"); }},
      {"AllowedDistributions\\1", [](TestKey& key) { key.Number("1", 1, "\\AllowedDistributions"); }},
      {"AllowedDistributions\\1", [](TestKey& key) { key.Text("1", "", "\\AllowedDistributions"); }},
      {"AllowedDistributions\\more", [](TestKey& key) { key.Text("1", "x", "\\AllowedDistributions\\more"); }},
      {"DeniedDistributions\\1",
       [](TestKey& key) {
         key.Set("\\DeniedDistributions", "1", REG_EXPAND_SZ, {'x', 0, 0, 0});
       }},
      {"DeniedDistributions\\1",
       [](TestKey& key) {
         key.Set("\\DeniedDistributions", "1", REG_SZ, {0, 0xD8});
       }},
      {"AllowedWindowsPaths", [](TestKey& key) { key.Text("1", "C:\\a\\..\\b", "\\AllowedWindowsPaths"); }},
      {"DeniedWindowsPaths", [](TestKey& key) { key.Text("1", "\\\\server\\share", "\\DeniedWindowsPaths"); }},
      {"drives/denied", [](TestKey& key) { key.Text("1", "C:\\Größe", "\\DeniedWindowsPaths"); }},
      {"AllowedWindowsPaths", [](TestKey& key) { key.Text("1", "/mnt/c", "\\AllowedWindowsPaths"); }},
      {"PolicySha256", [](TestKey& key) { key.Text("PolicyFile", "C:\\x.yaml"); }},
      {"PolicyFile", [](TestKey& key) { key.Text("PolicySha256", "00"); }},
      {"PolicyFile", [](TestKey& key) { key.Text("PolicyFile", "C:\\none.yaml").Text("PolicySha256", "00"); }},
  };
  for (const Row& row : rows) {
    TestKey key(HKEY_LOCAL_MACHINE, "");
    row.set(key);
    CAPTURE(row.name);
    Result<ManagedPolicy> read = ReadManagedPolicy(key.path());
    REQUIRE_FALSE(read.ok());
    std::string said = read.error().Describe();
    if (read.error().position()) said += read.error().position()->pointer;
    CHECK_MESSAGE(said.find(row.name) != std::string::npos, said);
  }
}

TEST_CASE("A file of policy is the one whose digest the registry has") {
  wchar_t folder[MAX_PATH + 1];
  ::GetTempPathW(MAX_PATH + 1, folder);
  const std::string file = Narrow(folder).value() + "mxc-floor-" + std::to_string(::GetCurrentProcessId()) + ".yaml";
  std::ofstream(file, std::ios::binary) << "floor: 1\ntimeout: 10m\n";
  TestKey key(HKEY_LOCAL_MACHINE, "");
  key.Text("PolicyFile", file).Text("PolicySha256", "68f7c5f7");
  Result<ManagedPolicy> read = ReadManagedPolicy(key.path());
  REQUIRE_FALSE(read.ok());
  const std::string said = read.error().message();
  const std::string digest = said.substr(said.size() - 64);
  key.Text("PolicySha256", digest);
  read = ReadManagedPolicy(key.path());
  REQUIRE_MESSAGE(read.ok(), (read.ok() ? "" : read.error().Describe()));
  REQUIRE(read->floors.size() == 2);
  CHECK(read->floors[1] == client::NamedText(file, "floor: 1\ntimeout: 10m\n"));
  std::ofstream(file, std::ios::binary) << "floor: 1\ntimeout: 99m\n";
  CHECK_FALSE(ReadManagedPolicy(key.path()).ok());
  ::DeleteFileW(Widen(file).value().c_str());
}

TEST_CASE("Commands and distributions that the owner doesn't want") {
  client::Options run;
  run.command = client::Command::kRun;
  run.daemon = true;
  client::Options check;
  check.command = client::Command::kCheck;
  client::Options detached;
  detached.command = client::Command::kExec;
  ManagedPolicy managed;
  CHECK(CheckCommand(managed, run, true).ok());
  managed.elevated_allowed = false;
  CHECK_FALSE(CheckCommand(managed, run, true).ok());
  CHECK(CheckCommand(managed, run, false).ok());
  CHECK(CheckCommand(managed, check, true).ok());
  managed.detached_allowed = false;
  CHECK(CheckCommand(managed, detached, false).ok());
  detached.detach = true;
  CHECK_FALSE(CheckCommand(managed, detached, false).ok());
  detached.command = client::Command::kProvision;
  CHECK_FALSE(CheckCommand(managed, detached, false).ok());
  managed.enabled = false;
  CHECK_FALSE(CheckCommand(managed, check, false).ok());

  CHECK(CheckDistribution(managed, "any").ok());
  managed.allowed_distributions = {"Debian", "Ubuntu"};
  managed.denied_distributions = {"ubuntu"};
  CHECK(CheckDistribution(managed, "debian").ok());
  CHECK_FALSE(CheckDistribution(managed, "Ubuntu").ok());
  CHECK_FALSE(CheckDistribution(managed, "Debian-evil").ok());
  CHECK_FALSE(CheckDistribution(managed, "").ok());
}

TEST_CASE("The distributions that WSL has registered") {
  CHECK_FALSE(ReadDistributions("SOFTWARE\\MxcTest-no-such-key").value());
  TestKey key(HKEY_CURRENT_USER, "");
  CHECK(ReadDistributions(key.path()).value()->empty());
  key.Text("DefaultDistribution", "{B}").Text("DistributionName", "Old", "\\{A}").Number("Version", 1, "\\{A}");
  key.Text("DistributionName", "Debian", "\\{b}").Number("Version", 2, "\\{b}").Number("State", 1, "\\{b}");
  key.Text("DistributionName", "New", "\\{C}").Number("Version", 2, "\\{C}").Number("State", 3, "\\{C}");
  key.Open("\\AppxInstallerCache");
  const std::vector<Distribution> all = ReadDistributions(key.path()).value().value();
  REQUIRE(all.size() == 3);
  CHECK(ChooseDistribution(all, "")->name == "Debian");
  CHECK(ChooseDistribution(all, "DEBIAN")->id == "{b}");
  CHECK(ChooseDistribution(all, "Old").error().code() == Code::kUnsupported);
  CHECK(ChooseDistribution(all, "New").error().code() == Code::kRefused);
  CHECK(ChooseDistribution(all, "Deb").error().hint().find("Debian, New, Old") != std::string::npos);
  CHECK(ChooseDistribution({}, "").error().code() == Code::kNotFound);
}

}  // namespace
}  // namespace mxc::windows
