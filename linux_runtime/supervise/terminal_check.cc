#include "linux_runtime/supervise/terminal_check.h"

#include <algorithm>

#include "shared/base/utf8.h"

namespace mxc::supervise {
namespace {

std::string CheckControl(std::string_view body) {
  const char final = body.back();
  const std::string_view inner = body.substr(0, body.size() - 1);
  const bool question = inner.starts_with('?');
  const auto has = [&](char c) { return inner.find(c) != std::string_view::npos; };
  if (final == 'c' && inner.find_first_of("0123456789") == std::string_view::npos) return "device attributes";
  if (final == 'c' && !question) return "device attributes";
  if (final == 'n' && !inner.starts_with('>')) return "device status report";
  if (final == 'x' && !has('$') && !has('*')) return "terminal parameters";
  if (final == 'p' && !has('!') && !has('#')) return "mode request or conformance level";
  if (final == 'q' && inner.starts_with('>')) return "version request";
  if (final == 'i') return "printer";
  if (final == 'y' || final == 'w' || final == '|') return "report request";
  const std::string_view first = inner.substr(std::min(inner.size(), inner.find_first_not_of('0')));
  if (final == 't' && !has('$') && !first.starts_with("22") && !first.starts_with("23")) return "window operation";
  if (final == 'S' && question) return "graphics request";
  if (final == 'm' && question) return "key resource request";
  if (final == 'u' && !inner.empty() && inner[0] >= '<') return "keyboard protocol";
  if (final == 'R' || final == 'P' || final == 'Q') {
    if (has('#')) return "colour stack";
  }
  if ((final == 'h' || final == 'l') && question) {
    for (size_t at = 1; at <= inner.size();) {
      const size_t next = inner.find(';', at);
      const std::string_view mode = inner.substr(at, next == std::string_view::npos ? next : next - at);
      for (const std::string_view bad : {"2", "42", "1001", "2031", "2048", "9001"}) {
        if (mode == bad) return "private mode " + std::string(mode);
      }
      if (next == std::string_view::npos) break;
      at = next + 1;
    }
  }
  return "";
}

std::string CheckCommand(std::string_view payload) {
  const std::string number(payload.substr(0, payload.find(';')));
  for (const char* known : {"0",   "1",   "2",   "8",   "4",   "10", "11", "12", "17", "19", "104",
                            "110", "111", "112", "117", "119", "00", "01", "02", "08", "04"}) {
    if (number == known) {
      const bool title = number == "0" || number == "1" || number == "2" || number == "8";
      if (!title && number.size() <= 2 && number[0] != '0' && payload.find('?') != std::string_view::npos) {
        return "colour query";
      }
      if (number == "8") {
        const std::string_view uri = payload.substr(std::min(payload.size(), payload.find(';', 2) + 1));
        if (!uri.empty() && (uri[0] | 0x20) != 'h') return "link to something else than the web";
      }
      return "";
    }
  }
  // The same numbers with more leading zeros are as harmless.
  const size_t digits = number.find_first_not_of('0');
  if (number.size() > 2 && digits != std::string::npos && digits > 0) {
    return CheckCommand(std::string(payload.substr(digits)));
  }
  if (!number.empty() && digits == std::string::npos) return "";
  return "operating system command " + number;
}

}  // namespace

std::string FindForbidden(std::string_view output) {
  size_t at = 0;
  while (at < output.size()) {
    const auto byte = static_cast<unsigned char>(output[at]);
    if (byte >= 0x80) {
      const Utf8Char next = DecodeUtf8(output.substr(at));
      if (!next.valid) return "not UTF-8";
      if (next.code <= 0x9f) return "C1 control";
      at += next.size;
      continue;
    }
    if (byte == 0x05) return "ENQ";
    if (byte == 0x18 || byte == 0x1a) return "CAN or SUB";
    if (byte != 0x1b) {
      ++at;
      continue;
    }
    if (++at == output.size()) return "unfinished escape";
    if (output[at] == '[') {
      const size_t start = ++at;
      while (at < output.size() && output[at] >= 0x20 && output[at] < 0x40) ++at;
      if (at == output.size() || output[at] < 0x40 || output[at] == 0x7f) return "unfinished control sequence";
      const std::string found = CheckControl(output.substr(start, ++at - start));
      if (!found.empty()) return found;
    } else if (output[at] == ']') {
      const size_t start = ++at;
      while (at < output.size() && static_cast<unsigned char>(output[at]) >= 0x20) ++at;
      const std::string_view payload = output.substr(start, at - start);
      if (output.substr(at).starts_with('\a'))
        ++at;
      else if (output.substr(at).starts_with("\x1b\\"))
        at += 2;
      else
        return "unfinished operating system command";
      for (std::string_view rest = payload; !rest.empty();) {
        const Utf8Char next = DecodeUtf8(rest);
        if (!next.valid || (next.code >= 0x80 && next.code <= 0x9f)) return "command not UTF-8";
        rest.remove_prefix(next.size);
      }
      const std::string found = CheckCommand(payload);
      if (!found.empty()) return found;
    } else {
      const size_t start = at;
      while (at < output.size() && output[at] >= 0x20 && output[at] < 0x30) ++at;
      if (at == output.size() || output[at] < 0x30 || output[at] > 0x7e) return "unfinished escape";
      const std::string_view sequence = output.substr(start, ++at - start);
      for (const std::string_view bad : {"P", "X", "^", "_", "k", "Z", "N", "O", "%@", " F", " G"}) {
        if (sequence == bad) return "escape " + std::string(bad);
      }
    }
  }
  return "";
}

}  // namespace mxc::supervise
