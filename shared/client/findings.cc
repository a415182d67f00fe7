#include "shared/client/findings.h"

#include <algorithm>

#include "nlohmann/json.hpp"

namespace mxc::client {
namespace {

constexpr size_t kStatusWidth = 9;
constexpr size_t kTopicWidth = 17;
constexpr size_t kIndent = kStatusWidth + kTopicWidth;

// Names of users, groups and distributions are whatever their owner chose: control characters don't reach a terminal.
std::string Printable(const std::string& text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char c : text) {
    if (c < 0x20 || c >= 0x7f) {
      out += "\\x";
      out += kDigits[c >> 4];
      out += kDigits[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

// Breaks at blanks; a longer word goes over the edge, so that a command can be copied.
std::vector<std::string> Wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  if (!line.empty()) lines.push_back(std::move(line));
  return lines;
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

const char* ColorOf(Status status) {
  switch (status) {
    case Status::kOk:
      return "\033[32m";
    case Status::kWeaker:
      return "\033[33m";
    case Status::kMissing:
      return "\033[31m";
  }
  return "";
}

}  // namespace

std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kWeaker:
      return "weaker";
    case Status::kMissing:
      return "missing";
  }
  return "";
}

std::string FormatDoctor(const Report& report, int width, bool color) {
  size_t room = static_cast<size_t>(std::max(width, 40)) - kIndent;
  std::string text = Printable(report.host) + "\n\n";
  int count[3] = {};
  for (const Finding& finding : report.findings) {
    ++count[static_cast<int>(finding.status)];
    std::string status = Padded(std::string(StatusName(finding.status)), kStatusWidth);
    text += color ? ColorOf(finding.status) + status + "\033[0m" : status;
    std::vector<std::string> lines = Wrap(Printable(finding.found), room);
    for (std::string& line : Wrap(Printable(finding.gives), room)) lines.push_back(std::move(line));
    if (!finding.advice.empty()) {
      for (std::string& line : Wrap("-> " + Printable(finding.advice), room)) lines.push_back(std::move(line));
    }
    std::string lead = Padded(finding.topic, kTopicWidth);
    for (const std::string& line : lines) {
      text += lead + line + "\n";
      lead.assign(kIndent, ' ');
    }
  }
  text += "\n" + std::to_string(count[0]) + " ok, " + std::to_string(count[1]) + " weaker, " +
          std::to_string(count[2]) + " missing\n";
  return text;
}

std::string DoctorJson(const Report& report) {
  nlohmann::ordered_json json;
  json["host"] = report.host;
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : report.findings) {
    json["findings"].push_back({{"topic", finding.topic},
                                {"status", StatusName(finding.status)},
                                {"found", finding.found},
                                {"gives", finding.gives},
                                {"advice", finding.advice}});
  }
  // Replaced, not refused: a name in another encoding must not hide the report.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace mxc::client
