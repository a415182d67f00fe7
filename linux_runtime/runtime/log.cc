#include "linux_runtime/runtime/log.h"

#include <stdio.h>
#include <time.h>

#include <nlohmann/json.hpp>

#include "linux_runtime/container/state.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"
#include "shared/base/style.h"

namespace mxc::runtime {
namespace {

using Json = nlohmann::ordered_json;

std::string Quoted(const std::string& text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string Now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return container::FormatTime(int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000);
}

}  // namespace

void Log::Append(const char* level, const std::string& message) const {
  if (options_.file.empty()) return;
  std::string line;
  if (options_.json) {
    Json json;
    json["level"] = level;
    json["msg"] = message;
    json["time"] = Now();
    line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  } else {
    line = "time=\"" + Now() + "\" level=" + level + " msg=" + Quoted(message) + "\n";
  }
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, options_.file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
  if (file.valid()) sys::Write(file.get(), line.data(), line.size());
}

void Log::Fail(const Error& error) const {
  Append("error", error.Describe());
  // A person's terminal gets it with colours and line breaks; a program, which looks for words in it, on one line.
  std::string text;
  if (::isatty(2) == 1) {
    text = FormatError(error, ::getenv("NO_COLOR") == nullptr);
  } else {
    text = "mxc-runtime: " + EscapeText(error.Describe()) + "\n";
    if (!error.hint().empty()) text += "  hint: " + EscapeText(error.hint()) + "\n";
  }
  sys::Write(2, text.data(), text.size());
}

void Log::Tell(const std::string& message) const {
  Warn(message);
  if (!options_.file.empty()) return;
  const std::string text = "mxc-runtime: " + EscapeText(message) + "\n";
  sys::Write(2, text.data(), text.size());
}

}  // namespace mxc::runtime
