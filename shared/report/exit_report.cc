#include "shared/report/exit_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "shared/base/utf8.h"

namespace mxc::report {
namespace {

using Json = nlohmann::ordered_json;

Json Text(const std::string& text) { return ValidUtf8(text); }

Json Texts(const std::vector<std::string>& texts) {
  Json array = Json::array();
  for (const std::string& text : texts) array.push_back(Text(text));
  return array;
}

void AddIfSet(Json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = Text(text);
}

template <class T>
void AddIfSet(Json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}

template <class T, class F>
Json Array(const std::vector<T>& items, F to_json) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(to_json(item));
  return array;
}

const char* StrengthName(Strength strength) {
  switch (strength) {
    case Strength::kEnforced:
      return "enforced";
    case Strength::kWeaker:
      return "weaker";
    case Strength::kNotApplicable:
      return "not-applicable";
  }
  return "weaker";
}

Json LimitJson(const LimitUse& limit) {
  Json json = {{"name", Text(limit.name)}, {"hits", limit.hits}};
  AddIfSet(json, "limit", limit.limit);
  AddIfSet(json, "peak", limit.peak);
  return json;
}

Json AppliedJson(const Applied& applied) {
  Json json = {
      {"field", Text(applied.field)}, {"strength", StrengthName(applied.strength)}, {"layers", Texts(applied.layers)}};
  AddIfSet(json, "note", applied.note);
  return json;
}

Json PathJson(const PathLine& line) {
  return {{"path", Text(line.path)},
          {"access", Text(line.access)},
          {"origin", Text(line.origin)},
          {"layers", Texts(line.layers)}};
}

Json ExposureJson(const Exposure& exposure) {
  return {{"path", Text(exposure.path)}, {"windowUs", exposure.window_us}, {"how", Text(exposure.how)}};
}

Json MovedJson(const Moved& moved) { return {{"path", Text(moved.path)}, {"to", Text(moved.to)}}; }

Json NameJson(const NameUse& use) {
  return {{"name", Text(use.name)},
          {"connections", use.connections},
          {"sentBytes", use.sent_bytes},
          {"receivedBytes", use.received_bytes}};
}

Json DenialJson(const Denial& denial) {
  Json json = {{"source", Text(denial.source)}, {"what", Text(denial.what)}, {"count", denial.count}};
  AddIfSet(json, "rule", denial.rule);
  return json;
}

Json ErrorJson(const ReportError& error) {
  Json json = {{"message", Text(error.message)}};
  AddIfSet(json, "hint", error.hint);
  AddIfSet(json, "step", error.step);
  AddIfSet(json, "path", error.path);
  AddIfSet(json, "errno", error.errno_name);
  return json;
}

Json EndedJson(const ExitReport& report) {
  Json json = {{"how", HowName(report.how)}, {"exitCode", report.exit_code}};
  AddIfSet(json, "signal", report.signal);
  AddIfSet(json, "killedBecause", report.killed_because);
  json["timedOut"] = report.timed_out;
  json["outOfMemory"] = report.out_of_memory;
  json["leftRunning"] = report.left_running;
  return json;
}

Json UsageJson(const ExitReport& report) {
  Json json = {{"wallUs", report.wall_us}, {"userUs", report.user_us}, {"systemUs", report.system_us}};
  AddIfSet(json, "peakMemoryBytes", report.peak_memory_bytes);
  json["maxRssBytes"] = report.max_rss_bytes;
  return json;
}

}  // namespace

const char* HowName(How how) {
  switch (how) {
    case How::kExited:
      return "exited";
    case How::kSignaled:
      return "signaled";
    case How::kTimedOut:
      return "timed-out";
    case How::kKilled:
      return "killed";
    case How::kFailedToStart:
      return "failed-to-start";
    case How::kLost:
      return "lost";
  }
  return "lost";
}

// Days to a civil date without the time functions of libc, which take locks and read the environment: in the proleptic
// Gregorian calendar, counted in eras of 400 years that start in March.
std::string IsoTime(int64_t unix_us) {
  int64_t seconds = unix_us / 1'000'000;
  int64_t micros = unix_us % 1'000'000;
  if (micros < 0) micros += 1'000'000, --seconds;
  int64_t days = seconds / 86400;
  int64_t rest = seconds % 86400;
  if (rest < 0) rest += 86400, --days;
  const int64_t shifted = days + 719468;  // from 0000-03-01
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  char text[80];
  std::snprintf(text, sizeof text, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%06lldZ", static_cast<long long>(year),
                static_cast<long long>(month), static_cast<long long>(day), static_cast<long long>(rest / 3600),
                static_cast<long long>(rest / 60 % 60), static_cast<long long>(rest % 60),
                static_cast<long long>(micros));
  return text;
}

std::string ToJson(const ExitReport& report) {
  Json json = {{"schemaVersion", kSchemaVersion}, {"run", Text(report.run)}};
  AddIfSet(json, "policy", report.policy);
  AddIfSet(json, "policyDigest", report.policy_digest);
  AddIfSet(json, "profile", report.profile);
  json["program"] = Text(report.program);
  json["ended"] = EndedJson(report);
  json["startedAt"] = IsoTime(report.start_unix_us);
  json["endedAt"] = IsoTime(report.end_unix_us);
  json["usage"] = UsageJson(report);
  json["limits"] = Array(report.limits, LimitJson);
  json["applied"] = Array(report.applied, AppliedJson);
  json["paths"] = Array(report.paths, PathJson);
  json["exposures"] = Array(report.exposures, ExposureJson);
  json["moved"] = Array(report.moved, MovedJson);
  json["denials"] = Array(report.denials, DenialJson);
  json["names"] = Array(report.names, NameJson);
  json["warnings"] = Texts(report.warnings);
  if (report.error) json["error"] = ErrorJson(*report.error);
  // ensure_ascii also writes DEL and C1 controls as \u escapes. Every string was made valid above, so dump can't throw.
  return json.dump(2, ' ', true) + "\n";
}

}  // namespace mxc::report
