#include "windows_host/registry.h"

#include <windows.h>

#include <algorithm>

#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

constexpr DWORD kMostName = 16'384;    // characters, of a value (Microsoft, "Registry Element Size Limits")
constexpr DWORD kMostData = 64 << 10;  // bytes, of ours

class OpenKey {
 public:
  explicit OpenKey(HKEY key) : key_(key) {}
  ~OpenKey() { ::RegCloseKey(key_); }
  OpenKey(const OpenKey&) = delete;
  OpenKey& operator=(const OpenKey&) = delete;
  HKEY get() const { return key_; }

 private:
  HKEY key_;
};

Result<std::string> TextOf(const std::vector<BYTE>& data) {
  std::wstring wide(data.size() / sizeof(wchar_t), L'\0');
  std::copy_n(data.data(), wide.size() * sizeof(wchar_t), reinterpret_cast<BYTE*>(wide.data()));
  while (!wide.empty() && wide.back() == L'\0') wide.pop_back();
  if (data.size() % sizeof(wchar_t) != 0 || wide.find(L'\0') != std::wstring::npos)
    return Error(Code::kInvalid, "it is no text");
  return Narrow(wide);
}

Result<void> ReadValues(HKEY key, const std::string& path, RegistryKey& into) {
  std::wstring name(kMostName, L'\0');
  std::vector<BYTE> data(kMostData);
  for (DWORD index = 0;; ++index) {
    DWORD name_size = kMostName, data_size = kMostData, type = 0;
    const LSTATUS status =
        ::RegEnumValueW(key, index, name.data(), &name_size, nullptr, &type, data.data(), &data_size);
    if (status == ERROR_NO_MORE_ITEMS) return {};
    if (status != ERROR_SUCCESS) return SystemError("read " + path, static_cast<uint32_t>(status));
    RegistryValue value{MXC_TRY_AS("a value of " + path, Narrow({name.data(), name_size})), OtherType{type}};
    if (type == REG_DWORD && data_size == sizeof(uint32_t)) {
      uint32_t number = 0;
      std::copy_n(data.data(), sizeof number, reinterpret_cast<BYTE*>(&number));
      value.data = number;
    } else if (type == REG_SZ) {
      value.data =
          MXC_TRY_AS(path + "\\" + value.name, TextOf({data.begin(), data.begin() + static_cast<int>(data_size)}));
    }
    into.values.push_back(std::move(value));
  }
}

Result<void> ReadSubkeys(HKEY key, const std::string& path, RegistryKey& into) {
  wchar_t name[256];
  for (DWORD index = 0;; ++index) {
    DWORD size = 256;
    const LSTATUS status = ::RegEnumKeyExW(key, index, name, &size, nullptr, nullptr, nullptr, nullptr);
    if (status == ERROR_NO_MORE_ITEMS) return {};
    if (status != ERROR_SUCCESS) return SystemError("list " + path, static_cast<uint32_t>(status));
    into.subkeys.push_back(MXC_TRY_AS("a key below " + path, Narrow({name, size})));
  }
}

}  // namespace

bool SameIgnoringAsciiCase(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

const RegistryValue* RegistryKey::Find(std::string_view name) const {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const RegistryValue& one) { return SameIgnoringAsciiCase(one.name, name); });
  return found == values.end() ? nullptr : &*found;
}

std::string RegistryKey::Text(std::string_view name) const {
  const RegistryValue* value = Find(name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->data);
  return text == nullptr ? "" : *text;
}

uint32_t RegistryKey::Number(std::string_view name) const {
  const RegistryValue* value = Find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<uint32_t>(&value->data);
  return number == nullptr ? 0 : *number;
}

Result<std::optional<RegistryKey>> ReadRegistryKey(Hive hive, const std::string& path) {
  const std::wstring wide = MXC_TRY(Widen(path));
  const HKEY root = hive == Hive::kMachine ? HKEY_LOCAL_MACHINE : HKEY_CURRENT_USER;
  const std::string shown = (hive == Hive::kMachine ? "HKLM\\" : "HKCU\\") + path;
  HKEY opened = nullptr;
  const LSTATUS status = ::RegOpenKeyExW(root, wide.c_str(), 0, KEY_READ | KEY_WOW64_64KEY, &opened);
  if (status == ERROR_FILE_NOT_FOUND) return std::optional<RegistryKey>();
  if (status != ERROR_SUCCESS) return SystemError("open " + shown, static_cast<uint32_t>(status));
  const OpenKey key(opened);
  RegistryKey read;
  MXC_TRY(ReadValues(key.get(), shown, read));
  MXC_TRY(ReadSubkeys(key.get(), shown, read));
  return std::optional<RegistryKey>(std::move(read));
}

}  // namespace mxc::windows
