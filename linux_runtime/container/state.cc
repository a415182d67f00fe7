#include "linux_runtime/container/state.h"

#include <stdio.h>
#include <time.h>

#include <nlohmann/json.hpp>

namespace mxc::container {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kFormat = 1;

std::string Text(const Json& json, bool pretty) {
  return json.dump(pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string_view StatusName(Status status) {
  switch (status) {
    case Status::kCreating:
      return "creating";
    case Status::kCreated:
      return "created";
    case Status::kRunning:
      return "running";
    case Status::kPaused:
      return "paused";
    case Status::kStopped:
      return "stopped";
  }
  return "";
}

std::string IdentityLine(const State& state) {
  Json json;
  json["format"] = kFormat;
  json["id"] = state.id;
  json["ociVersion"] = state.oci_version;
  json["bundle"] = state.bundle;
  json["rootfs"] = state.rootfs;
  json["manager"] = state.manager;
  json["createdUs"] = state.created_us;
  json["owner"] = state.owner;
  json["annotations"] = state.annotations;
  return Text(json, false) + "\n";
}

std::string GroupLine(const State& state) {
  Json json;
  json["group"] = state.group;
  json["groupPath"] = state.group_path;
  return Text(json, false) + "\n";
}

std::string ProcessLine(const State& state) {
  Json json;
  json["pid"] = state.process.pid;
  json["startTicks"] = state.process.start_ticks;
  return Text(json, false) + "\n";
}

Result<State> ReadState(std::string_view text) {
  try {
    Json json = Json::object();
    for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
      json.update(Json::parse(text.substr(0, end)));
    }
    if (json.at("format") != kFormat)
      return Error(Code::kInvalid, "the container's state has a format that this version doesn't know");
    State state;
    json.at("id").get_to(state.id);
    json.at("ociVersion").get_to(state.oci_version);
    json.at("bundle").get_to(state.bundle);
    json.at("rootfs").get_to(state.rootfs);
    json.at("manager").get_to(state.manager);
    json.at("createdUs").get_to(state.created_us);
    json.at("owner").get_to(state.owner);
    json.at("annotations").get_to(state.annotations);
    if (json.contains("group")) json.at("group").get_to(state.group);
    if (json.contains("groupPath")) json.at("groupPath").get_to(state.group_path);
    if (json.contains("pid")) json.at("pid").get_to(state.process.pid);
    if (json.contains("startTicks")) json.at("startTicks").get_to(state.process.start_ticks);
    return state;
  } catch (const Json::exception& error) {
    return Error(Code::kInvalid, std::string("the container's state can't be read: ") + error.what());
  }
}

std::string FormatTime(int64_t unix_us) {
  const time_t seconds = unix_us / 1'000'000;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = ::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  ::snprintf(text + size, sizeof text - size, ".%06dZ", static_cast<int>(unix_us % 1'000'000));
  return text;
}

std::string OciState(const State& state, Status status, bool pretty) {
  Json json;
  json["ociVersion"] = state.oci_version;
  json["id"] = state.id;
  json["status"] = StatusName(status);
  if (status != Status::kStopped && state.process.pid > 0) json["pid"] = state.process.pid;
  if (pretty && !json.contains("pid")) json["pid"] = 0;
  json["bundle"] = state.bundle;
  if (pretty) {
    json["rootfs"] = state.rootfs;
    json["created"] = FormatTime(state.created_us);
    json["owner"] = state.owner == 0 ? "root" : std::to_string(state.owner);
    if (!state.group_path.empty()) json["cgroup"] = state.group_path;
  }
  if (!state.annotations.empty()) json["annotations"] = state.annotations;
  return Text(json, pretty);
}

}  // namespace mxc::container
