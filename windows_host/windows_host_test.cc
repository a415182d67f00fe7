#include "windows_host/windows_host.h"

#include <windows.h>

#include <string>

#include "doctest/doctest.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

// A folder of its own under the system's temporary one, gone afterwards with the files made in it.
class Folder {
 public:
  Folder() {
    wchar_t base[MAX_PATH + 1];
    ::GetTempPathW(MAX_PATH + 1, base);
    path_ = std::wstring(base) + L"mxc-test-" + std::to_wstring(::GetCurrentProcessId());
    REQUIRE(::CreateDirectoryW(path_.c_str(), nullptr));
  }
  ~Folder() {
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
      if (!::DeleteFileW(made->c_str())) ::RemoveDirectoryW(made->c_str());
    }
    ::RemoveDirectoryW(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // Behind \\?\, which takes names of any length. Returns the name as a user would give it.
  std::string Write(const std::wstring& name, const std::string& text) {
    std::wstring file = L"\\\\?\\" + path_ + L"\\" + name;
    HANDLE handle = ::CreateFileW(file.c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
    REQUIRE(handle != INVALID_HANDLE_VALUE);
    DWORD written = 0;
    CHECK(::WriteFile(handle, text.data(), static_cast<DWORD>(text.size()), &written, nullptr));
    ::CloseHandle(handle);
    made_.push_back(file);
    return *Narrow(path_ + L"\\" + name);
  }
  void MakeFolder(const std::wstring& name) {
    std::wstring folder = L"\\\\?\\" + path_ + L"\\" + name;
    REQUIRE(::CreateDirectoryW(folder.c_str(), nullptr));
    made_.push_back(folder);
  }
  std::string path() const { return *Narrow(path_); }

 private:
  std::wstring path_;
  std::vector<std::wstring> made_;
};

TEST_CASE("Files are read byte by byte") {
  Folder folder;
  WindowsHost host;
  const std::string bytes("line\r\n\x1A after Ctrl-Z\n\0end", 25);
  auto text = host.ReadFile(folder.Write(L"bytes", bytes));
  REQUIRE(text.ok());
  CHECK(*text == bytes);
  auto empty = host.ReadFile(folder.Write(L"empty", ""));
  REQUIRE(empty.ok());
  CHECK(empty->empty());
}

TEST_CASE("File names are UTF-8") {
  Folder folder;
  WindowsHost host;
  auto text = host.ReadFile(folder.Write(L"\u6f22\u5b57 \U0001F427.json", "found"));
  REQUIRE(text.ok());
  CHECK(*text == "found");
  auto broken = host.ReadFile("\xFF.json");
  REQUIRE_FALSE(broken.ok());
  CHECK(broken.error().code() == Code::kInvalid);
}

TEST_CASE("A path may have more than 260 characters") {
  Folder folder;
  WindowsHost host;
  std::wstring name(200, L'a');
  folder.MakeFolder(name);
  auto text = host.ReadFile(folder.Write(name + L"\\" + std::wstring(200, L'b'), "deep"));
  REQUIRE(text.ok());
  CHECK(*text == "deep");
}

TEST_CASE("What can't be read says why") {
  Folder folder;
  WindowsHost host;
  auto missing = host.ReadFile(folder.path() + "\\missing.json");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code() == Code::kNotFound);
  CHECK(missing.error().message().find("missing.json") != std::string::npos);
  auto directory = host.ReadFile(folder.path());
  REQUIRE_FALSE(directory.ok());
  CHECK(directory.error().message().find("folder") != std::string::npos);
  auto large = host.ReadFile(folder.Write(L"large", std::string((1u << 20) + 2, 'x')));
  REQUIRE_FALSE(large.ok());
  CHECK(large.error().code() == Code::kInvalid);
  CHECK(host.ReadFile(folder.Write(L"limit", std::string((1u << 20) + 1, 'x'))).ok());
}

TEST_CASE("Without facts the documented generic host stands in") {
  WindowsHost host;
  CHECK(*host.Facts() == translate::HostFacts::Generic());
  CHECK(host.Caller()->home == translate::HostFacts::Generic().caller.home);
  CHECK(host.Floors()->empty());
  CHECK(host.AddedProfiles()->empty());
}

}  // namespace
}  // namespace mxc::windows
