#include "windows_host/final_path.h"

#include <windows.h>

#include <algorithm>
#include <cstring>

#include "shared/base/escape_text.h"
#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

using policy::DrivePath;

std::string Shown(const DrivePath& path) { return EscapeText(policy::WindowsText(path)); }

Error Refused(const DrivePath& path, const std::string& why) {
  return Error(Code::kRefused, Shown(path) + " " + why).WithHint("name a folder or file of a local fixed drive");
}

// The spelling that Windows takes letter by letter.
Result<std::wstring> Verbatim(const DrivePath& path) { return MXC_TRY(Widen(R"(\\?\)" + policy::WindowsText(path))); }

// Windows looks at the share mode only of handles that read, write or delete: one with FILE_READ_ATTRIBUTES alone would
// hold nothing. FILE_LIST_DIRECTORY is FILE_READ_DATA of a file.
constexpr DWORD kHolding = FILE_READ_ATTRIBUTES | FILE_LIST_DIRECTORY;

Result<UniqueHandle> Open(const DrivePath& path, DWORD access, DWORD share, DWORD flags) {
  const std::wstring name = MXC_TRY(Verbatim(path));
  UniqueHandle handle(
      ::CreateFileW(name.c_str(), access, share, nullptr, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | flags, nullptr));
  if (handle.get() != INVALID_HANDLE_VALUE) return handle;
  const DWORD error = ::GetLastError();
  if (error == ERROR_SHARING_VIOLATION) {
    return SystemError("open " + Shown(path), error)
        .WithHint("a program has it open for deletion or shares it with nobody; close that program");
  }
  return SystemError("open " + Shown(path), error);
}

Result<FileId> IdOf(void* handle, const DrivePath& path) {
  FILE_ID_INFO info{};
  if (!::GetFileInformationByHandleEx(handle, FileIdInfo, &info, sizeof info)) {
    return SystemError("read the file id of " + Shown(path), ::GetLastError());
  }
  FileId id;
  id.volume = info.VolumeSerialNumber;
  static_assert(sizeof info.FileId == sizeof id.file);
  std::memcpy(id.file.data(), &info.FileId, id.file.size());
  return id;
}

Result<DrivePath> FinalPath(void* handle, const DrivePath& path) {
  std::wstring name(32768, L'\0');  // the longest path that Windows has
  const DWORD size = ::GetFinalPathNameByHandleW(handle, name.data(), static_cast<DWORD>(name.size()),
                                                 FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
  if (size == 0 || size >= name.size()) {
    return SystemError("find the final path of " + Shown(path), ::GetLastError());
  }
  name.resize(size);
  const std::string what = "the final path of " + Shown(path);
  const std::string text = MXC_TRY_AS(what, Narrow(name));
  const policy::WindowsPlace place = MXC_TRY_AS(what, policy::ParseWindowsPath(text, {}));
  return std::get<DrivePath>(place);
}

Result<bool> CheckKind(void* handle, const DrivePath& path) {
  if (::GetFileType(handle) != FILE_TYPE_DISK) return Refused(path, "is a device");
  FILE_ATTRIBUTE_TAG_INFO tag{};
  if (!::GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &tag, sizeof tag)) {
    return SystemError("read the attributes of " + Shown(path), ::GetLastError());
  }
  if ((tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    char number[16];
    std::snprintf(number, sizeof number, "0x%08lX", tag.ReparseTag);
    return Refused(path, std::string("has a reparse point of its own (tag ") + number +
                             "): what is read from it comes from elsewhere");
  }
  if ((tag.FileAttributes & FILE_ATTRIBUTE_DEVICE) != 0) return Refused(path, "is a device");
  return (tag.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

Result<void> CheckDrive(void* handle, const DrivePath& path) {
  const wchar_t root[] = {static_cast<wchar_t>(path.drive), L':', L'\\', L'\0'};
  if (::GetDriveTypeW(root) != DRIVE_FIXED) return Refused(path, "does not lie on a fixed drive");
  FILE_REMOTE_PROTOCOL_INFO remote{};
  if (::GetFileInformationByHandleEx(handle, FileRemoteProtocolInfo, &remote, sizeof remote)) {
    return Refused(path, "lies on another machine");
  }
  return {};
}

// The ids of the drive's root and of each folder down to the object, found by name. That they end at the object shows
// that the final path names it now; that all are of one volume, that none of the folders is a mounted one.
Result<std::vector<FileId>> IdsDownTo(const DrivePath& path, const FileId& object) {
  std::vector<FileId> ids;
  DrivePath folder{path.drive, {}};
  for (size_t depth = 0;; ++depth) {
    UniqueHandle handle =
        MXC_TRY(Open(folder, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                     FILE_FLAG_OPEN_REPARSE_POINT));
    ids.push_back(MXC_TRY(IdOf(handle.get(), folder)));
    if (ids.back().volume != object.volume) {
      return Refused(path, "lies on a volume that is mounted on a folder, or its drive letter names another volume");
    }
    if (depth == path.components.size()) break;
    folder.components.push_back(path.components[depth]);
  }
  if (ids.back() != object) return Refused(path, "is the final path of another object by now");
  return ids;
}

bool SameName(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const Result<std::wstring> wide_a = Widen(a), wide_b = Widen(b);
  return wide_a.ok() && wide_b.ok() &&
         ::CompareStringOrdinal(wide_a->data(), static_cast<int>(wide_a->size()), wide_b->data(),
                                static_cast<int>(wide_b->size()), TRUE) == CSTR_EQUAL;
}

}  // namespace

Result<HeldPath> HoldPath(const DrivePath& path) {
  MXC_TRY(policy::CheckDrivePath(path));
  UniqueHandle handle = MXC_TRY(Open(path, kHolding, FILE_SHARE_READ | FILE_SHARE_WRITE, 0));
  DrivePath final_path = MXC_TRY(FinalPath(handle.get(), path));
  const bool directory = MXC_TRY(CheckKind(handle.get(), final_path));
  MXC_TRY(CheckDrive(handle.get(), final_path));
  const FileId object = MXC_TRY(IdOf(handle.get(), final_path));
  std::vector<FileId> ids = MXC_TRY(IdsDownTo(final_path, object));
  return HeldPath(std::move(handle), std::move(final_path), std::move(ids), directory);
}

bool IsWithinIgnoringCase(const DrivePath& path, const DrivePath& ancestor) {
  return path.drive == ancestor.drive && path.components.size() >= ancestor.components.size() &&
         std::equal(ancestor.components.begin(), ancestor.components.end(), path.components.begin(), SameName);
}

Result<void> CheckGranted(const HeldPath& path, std::span<const HeldPath> allowed, std::span<const HeldPath> denied) {
  for (const HeldPath& root : denied) {
    const bool by_name = IsWithinIgnoringCase(path.path(), root.path());
    const bool by_id = std::find(path.ids().begin(), path.ids().end(), root.id()) != path.ids().end();
    if (by_name || by_id) {
      return Error(Code::kRefused, Shown(path.path()) +
                                       (by_name ? " is denied: " : " is another name of what is denied: ") +
                                       Shown(root.path()))
          .WithHint("a denial wins over every grant; grant something else, or remove the denial");
    }
  }
  for (const HeldPath& root : allowed) {
    if (!IsWithinIgnoringCase(path.path(), root.path())) continue;
    if (path.ids()[root.path().components.size()] == root.id()) return {};
    return Error(Code::kRefused, Shown(path.path()) + " and the granted " + Shown(root.path()) +
                                     " have names that are equal but for case, and are two objects")
        .WithHint(
            "rename one of them, or turn off case sensitivity of their folder (fsutil file setCaseSensitiveInfo)");
  }
  return Error(Code::kRefused, Shown(path.path()) + " lies below nothing that is granted")
      .WithHint("the final path counts: where the one that you gave leads over a link, grant what it leads to");
}

}  // namespace mxc::windows
