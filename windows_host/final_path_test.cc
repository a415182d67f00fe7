// Under Wine this shows that the calls are made and their answers read rightly: handles, ids, hard links, missing
// names, and what share modes of Wine hold. Wine can't show: junctions, symbolic links, short names, mounted volumes,
// subst drives, reparse points of other kinds, network drives, case-sensitive folders, final paths of more than 260
// characters (its GetFinalPathNameByHandleW fails there), and that NTFS keeps the folders above an open object from
// being renamed. Those are to be tried on Windows.
#include "windows_host/final_path.h"

#include <windows.h>

#include <string>

#include "doctest/doctest.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

using policy::DrivePath;

// A folder of its own under the system's temporary one, emptied of what was made in it at the end.
class Folder {
 public:
  Folder() {
    wchar_t base[MAX_PATH + 1];
    ::GetTempPathW(MAX_PATH + 1, base);
    path_ = std::wstring(base) + L"Mxc-Final-" + std::to_wstring(::GetCurrentProcessId()) + L"-" +
            std::to_wstring(::GetTickCount64());
    REQUIRE(::CreateDirectoryW(Name(L"").c_str(), nullptr));
  }
  ~Folder() {
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) {
      if (!::DeleteFileW(made->c_str())) ::RemoveDirectoryW(made->c_str());
    }
    ::RemoveDirectoryW(Name(L"").c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::wstring Name(const std::wstring& name) const { return L"\\\\?\\" + path_ + (name.empty() ? L"" : L"\\" + name); }
  void MakeFolder(const std::wstring& name) {
    REQUIRE(::CreateDirectoryW(Name(name).c_str(), nullptr));
    made_.push_back(Name(name));
  }
  void MakeFile(const std::wstring& name) {
    UniqueHandle file(::CreateFileW(Name(name).c_str(), GENERIC_WRITE, 0, nullptr, CREATE_NEW, 0, nullptr));
    REQUIRE(file.get() != INVALID_HANDLE_VALUE);
    made_.push_back(Name(name));
  }
  void MakeHardLink(const std::wstring& name, const std::wstring& existing) {
    REQUIRE(::CreateHardLinkW(Name(name).c_str(), Name(existing).c_str(), nullptr));
    made_.push_back(Name(name));
  }
  DrivePath Path(const std::wstring& name) const {
    const auto place = policy::ParseWindowsPath(*Narrow(Name(name)), {});
    REQUIRE_MESSAGE(place.ok(), place.error().message());
    return std::get<DrivePath>(*place);
  }
  HeldPath Hold(const std::wstring& name) const {
    auto held = HoldPath(Path(name));
    REQUIRE_MESSAGE(held.ok(), held.error().Describe());
    return std::move(held).value();
  }

 private:
  std::wstring path_;
  std::vector<std::wstring> made_;
};

template <class... Held>
std::vector<HeldPath> List(Held... held) {
  std::vector<HeldPath> list;
  (list.push_back(std::move(held)), ...);
  return list;
}

TEST_CASE("an object has a final path and an id at each step of it") {
  Folder folder;
  folder.MakeFolder(L"Proj");
  folder.MakeFile(L"Proj\\\u00e9.txt");
  const HeldPath directory = folder.Hold(L"Proj");
  CHECK(directory.directory());
  CHECK(directory.path().components.back() == "Proj");
  CHECK(directory.ids().size() == directory.path().components.size() + 1);
  const HeldPath file = folder.Hold(L"Proj\\\u00e9.txt");
  CHECK_FALSE(file.directory());
  CHECK(file.path().components.back() == "\u00e9.txt");
  CHECK(file.ids()[file.ids().size() - 2] == directory.id());
  CHECK(file.id() != directory.id());
  CHECK(folder.Hold(L"Proj").id() == directory.id());
}

TEST_CASE("the final path has the true case") {
  Folder folder;
  folder.MakeFolder(L"Proj");
  const HeldPath upper = folder.Hold(L"PROJ");
  CHECK(upper.path() == folder.Hold(L"Proj").path());
  CHECK(upper.path().components.back() == "Proj");
}

TEST_CASE("what is missing is not found, and not made") {
  Folder folder;
  folder.MakeFile(L"file");
  for (const wchar_t* name : {L"missing", L"missing\\below", L"file\\below"}) {
    const auto held = HoldPath(folder.Path(name));
    REQUIRE_FALSE(held.ok());
    CHECK(held.error().code() == Code::kNotFound);
  }
  CHECK(::GetFileAttributesW(folder.Name(L"missing").c_str()) == INVALID_FILE_ATTRIBUTES);
  CHECK_FALSE(HoldPath({'C', {".."}}).ok());
  CHECK_FALSE(HoldPath({'C', {"nul"}}).ok());
}

TEST_CASE("a held object stays where it is until it is let go") {
  Folder folder;
  folder.MakeFolder(L"proj");
  folder.MakeFile(L"proj\\file");
  {
    const HeldPath file = folder.Hold(L"proj\\file");
    const HeldPath directory = folder.Hold(L"proj");
    CHECK_FALSE(::MoveFileExW(folder.Name(L"proj\\file").c_str(), folder.Name(L"proj\\moved").c_str(), 0));
    CHECK_FALSE(::DeleteFileW(folder.Name(L"proj\\file").c_str()));
    CHECK_FALSE(::MoveFileExW(folder.Name(L"proj").c_str(), folder.Name(L"moved").c_str(), 0));
    // Others may read, write and add meanwhile.
    UniqueHandle writer(::CreateFileW(folder.Name(L"proj\\file").c_str(), GENERIC_WRITE,
                                      FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr));
    CHECK(writer.get() != INVALID_HANDLE_VALUE);
    folder.MakeFile(L"proj\\new");
  }
  CHECK(::MoveFileExW(folder.Name(L"proj\\file").c_str(), folder.Name(L"proj\\moved").c_str(), 0));
  CHECK(::MoveFileExW(folder.Name(L"proj\\moved").c_str(), folder.Name(L"proj\\file").c_str(), 0));
}

TEST_CASE("what is open for deletion can't be held") {
  Folder folder;
  folder.MakeFolder(L"proj");
  UniqueHandle other(::CreateFileW(folder.Name(L"proj").c_str(), DELETE,
                                   FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                                   FILE_FLAG_BACKUP_SEMANTICS, nullptr));
  REQUIRE(other.get() != INVALID_HANDLE_VALUE);
  const auto held = HoldPath(folder.Path(L"proj"));
  REQUIRE_FALSE(held.ok());
  CHECK(held.error().hint().find("close") != std::string::npos);
}

TEST_CASE("names are compared in no language") {
  const auto within = [](const char* a, const char* b) {
    return IsWithinIgnoringCase({'C', {"x", a}}, {'C', {"X", b}});
  };
  CHECK(within("proj", "PROJ"));
  CHECK(within("\u00e9", "\u00c9"));
  CHECK_FALSE(within("\u00e9", "e\u0301"));
  CHECK_FALSE(within("\u0131", "I"));
  CHECK_FALSE(within("\u0130", "i"));
  CHECK_FALSE(within("\u212a", "k"));
  CHECK_FALSE(within("\ufb01", "FI"));
  CHECK_FALSE(within("stra\u00dfe", "STRASSE"));
  CHECK_FALSE(within("proj2", "proj"));
  CHECK(IsWithinIgnoringCase({'C', {"a", "b"}}, {'C', {"A"}}));
  CHECK_FALSE(IsWithinIgnoringCase({'C', {"a"}}, {'C', {"a", "b"}}));
  CHECK_FALSE(IsWithinIgnoringCase({'C', {"a"}}, {'D', {}}));
}

TEST_CASE("a denial wins by name and by id") {
  Folder folder;
  folder.MakeFolder(L"proj");
  folder.MakeFolder(L"proj\\secret");
  folder.MakeFile(L"proj\\secret\\key");
  folder.MakeFile(L"proj\\plain");
  folder.MakeHardLink(L"proj\\alias", L"proj\\secret\\key");
  folder.MakeFolder(L"other");
  const auto refused = [&](const wchar_t* name, std::span<const HeldPath> denied) {
    const auto granted = CheckGranted(folder.Hold(name), List(folder.Hold(L"proj")), denied);
    return granted.ok() ? "" : granted.error().message();
  };
  const auto secret = List(folder.Hold(L"proj\\SECRET"));
  CHECK(refused(L"proj", secret) == "");
  CHECK(refused(L"proj\\plain", secret) == "");
  CHECK(refused(L"proj\\secret", secret).find("is denied") != std::string::npos);
  CHECK(refused(L"proj\\secret\\key", secret).find("is denied") != std::string::npos);
  CHECK(refused(L"other", secret).find("nothing that is granted") != std::string::npos);
  // A hard link lies in no denied folder; it is found out where the file itself is denied.
  const auto key = List(folder.Hold(L"proj\\secret\\key"));
  CHECK(refused(L"proj\\alias", key).find("another name") != std::string::npos);
}

TEST_CASE("a name that is equal but for case must be the same object") {
  Folder folder;
  folder.MakeFolder(L"proj");
  folder.MakeFolder(L"proj\\x");
  const HeldPath object = folder.Hold(L"proj\\x");
  // As a case-sensitive folder would have it, which Wine can't make: PROJ is not proj.
  DrivePath twin = folder.Path(L"PROJ");
  std::vector<FileId> ids = folder.Hold(L"proj").ids();
  ids.back().file[0] ^= 1;
  const auto allowed = List(HeldPath(UniqueHandle(nullptr), twin, ids, true));
  const auto granted = CheckGranted(object, allowed, {});
  REQUIRE_FALSE(granted.ok());
  CHECK(granted.error().message().find("but for case") != std::string::npos);
  CHECK_FALSE(CheckGranted(object, List(folder.Hold(L"proj")), allowed).ok());
}

}  // namespace
}  // namespace mxc::windows
