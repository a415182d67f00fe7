#include "linux_runtime/compat/ffi_text.h"

#include <algorithm>

#include "shared/base/utf8.h"

namespace mxc::compat {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

// How many characters of ASCII but NUL the text begins with.
size_t PlainLength(std::string_view text) {
  const auto* end = std::find_if(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) <= 0; });
  return static_cast<size_t>(end - text.begin());
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(PlainLength(text));
    if (text.empty()) return true;
    const Utf8Char next = DecodeUtf8(text);
    if (!next.valid) return false;
    text.remove_prefix(next.size);
  }
  return true;
}

std::string Readable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t plain = PlainLength(bytes);
    text += bytes.substr(0, plain);
    bytes.remove_prefix(plain);
    if (bytes.empty()) break;
    const Utf8Char next = DecodeUtf8(bytes);
    if (next.valid && next.code != 0) {
      text += bytes.substr(0, next.size);
    } else {
      text += kReplacement;
    }
    bytes.remove_prefix(next.size);
  }
  return text;
}

}  // namespace mxc::compat
