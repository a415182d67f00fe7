#include "shared/base/style.h"

#include <string_view>

#include "shared/base/escape_text.h"
#include "shared/base/utf8.h"

namespace mxc {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kIndent = 4;

// One column a character, which is right for all but wide scripts and combining marks; those only wrap a little early.
size_t Columns(std::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    text.remove_prefix(DecodeUtf8(text).size);
    ++columns;
  }
  return columns;
}

void AppendLine(std::string_view label, std::string_view attributes, const std::string& text, bool color,
                std::string& out) {
  if (color) out.append(attributes);
  out.append(label);
  if (color) out.append("\x1b[0m");
  out += ' ';
  AppendWrapped(EscapeText(text), label.size() + 1, kIndent, out);
}

}  // namespace

void AppendWrapped(std::string_view text, size_t column, size_t indent, std::string& out) {
  bool first = true;
  while (!text.empty()) {
    const size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const size_t width = Columns(word);
    if (!first && column + 1 + width > kColumns) {
      out.append("\n").append(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out.append(word);
    column += width;
    first = false;
  }
  out += '\n';
}

std::string FormatError(const Error& error, bool color) {
  std::string out;
  AppendLine("mxc: error:", "\x1b[1;31m", error.Describe(), color, out);
  if (!error.hint().empty()) AppendLine("  hint:", "\x1b[1m", error.hint(), color, out);
  return out;
}

}  // namespace mxc
