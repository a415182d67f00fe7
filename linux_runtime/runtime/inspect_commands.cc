#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "linux_runtime/container/container.h"
#include "linux_runtime/runtime/commands.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::runtime {
namespace {

using Json = nlohmann::ordered_json;

Result<void> CheckFormat(const std::string& format) {
  if (format == "table" || format == "json") return {};
  return Error(Code::kUsage, "--format is table or json, not \"" + format + "\"");
}

struct Row {
  container::State state;
  container::Status status;
};

// Containers come and go while they are listed: one that can't be read any more is left out.
Result<std::vector<Row>> Rows(const container::Store& store) {
  std::vector<Row> rows;
  for (const std::string& id : MXC_TRY(store.Ids())) {
    Result<container::Container> container = container::Container::Load(store, id);
    if (!container.ok()) continue;
    Result<container::Status> status = container->ReadStatus();
    if (status.ok()) rows.push_back({container->state(), *status});
  }
  return rows;
}

// A static program can't ask for the name of another user's id.
std::string Owner(const container::State& state) { return state.owner == 0 ? "root" : std::to_string(state.owner); }

int Pid(const Row& row) { return row.status == container::Status::kStopped ? 0 : row.state.process.pid; }

std::string Table(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> cells = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const Row& row : rows) {
    cells.push_back({row.state.id, std::to_string(Pid(row)), std::string(container::StatusName(row.status)),
                     row.state.bundle, container::FormatTime(row.state.created_us), Owner(row.state)});
  }
  std::string text;
  std::vector<size_t> widths(cells[0].size());
  for (const auto& line : cells) {
    for (size_t column = 0; column < line.size(); ++column)
      widths[column] = std::max(widths[column], line[column].size());
  }
  for (const auto& line : cells) {
    for (size_t column = 0; column + 1 < line.size(); ++column) {
      text += line[column] + std::string(widths[column] - line[column].size() + 2, ' ');
    }
    text += line.back() + "\n";
  }
  return text;
}

std::string List(const std::vector<Row>& rows) {
  Json json = Json::array();
  for (const Row& row : rows) {
    Json each;
    each["ociVersion"] = row.state.oci_version;
    each["id"] = row.state.id;
    each["pid"] = Pid(row);
    each["status"] = container::StatusName(row.status);
    each["bundle"] = row.state.bundle;
    each["rootfs"] = row.state.rootfs;
    each["created"] = container::FormatTime(row.state.created_us);
    each["annotations"] = row.state.annotations;
    each["owner"] = Owner(row.state);
    json.push_back(std::move(each));
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// ps(1) over every process, of which the container's are kept: the options may be anything that shows a PID column.
Result<std::string> FilteredPs(const std::vector<std::string>& options, const std::set<int>& pids) {
  std::string command = "ps";
  for (const std::string& option : options.empty() ? std::vector<std::string>{"-ef"} : options) {
    command += " '";
    for (char c : option) command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += "'";
  }
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "re"), ::pclose);
  if (!pipe) return sys::SystemError("run ps", errno);
  std::string text;
  size_t column = std::string::npos;
  char* line = nullptr;
  size_t room = 0;
  while (::getline(&line, &room, pipe.get()) > 0) {
    std::vector<std::string> words;
    for (char *save = nullptr, *copy = ::strdup(line), *word = ::strtok_r(copy, " \t\n", &save);;
         word = ::strtok_r(nullptr, " \t\n", &save)) {
      if (word == nullptr) {
        ::free(copy);
        break;
      }
      words.emplace_back(word);
    }
    if (column == std::string::npos) {
      auto found = std::find(words.begin(), words.end(), "PID");
      if (found == words.end()) break;
      column = static_cast<size_t>(found - words.begin());
      text += line;
    } else if (column < words.size() && pids.contains(::atoi(words[column].c_str()))) {
      text += line;
    }
  }
  ::free(line);
  if (column == std::string::npos)
    return Error(Code::kUsage, "ps: no column PID in what ps prints")
        .WithHint("is ps installed (procps), and do its options show PID?");
  return text;
}

}  // namespace

Result<int> StateCommand(const Context& context) {
  container::Container container = MXC_TRY(container::Container::Load(context.store, context.options.id));
  const container::Status status = MXC_TRY(container.ReadStatus());
  MXC_TRY(Print(container::OciState(container.state(), status, true) + "\n"));
  return 0;
}

Result<int> ListCommand(const Context& context) {
  MXC_TRY(CheckFormat(context.options.format));
  std::vector<Row> rows = MXC_TRY(Rows(context.store));
  std::string text;
  if (context.options.quiet) {
    for (const Row& row : rows) text += row.state.id + "\n";
  } else {
    text = context.options.format == "json" ? List(rows) : Table(rows);
  }
  MXC_TRY(Print(text));
  return 0;
}

Result<int> PsCommand(const Context& context) {
  MXC_TRY(CheckFormat(context.options.format));
  container::Container container = MXC_TRY(container::Container::Load(context.store, context.options.id));
  const bool stopped = MXC_TRY(container.ReadStatus()) == container::Status::kStopped;
  cgroup::BundleGroup group = MXC_TRY(container.OpenGroup());
  if (!group.exists() && !stopped)
    return Error(Code::kUnsupported, "ps: the container has no cgroup that would list its processes");
  // A container that has stopped may have processes left where it shared a pid namespace.
  const std::vector<pid_t> pids = group.exists() ? MXC_TRY(group.Processes()) : std::vector<pid_t>();
  if (context.options.format == "json") {
    MXC_TRY(Print(Json(pids).dump() + "\n"));
  } else {
    MXC_TRY(Print(MXC_TRY(FilteredPs(context.options.arguments, {pids.begin(), pids.end()}))));
  }
  return 0;
}

Result<int> EventsCommand(const Context& context) {
  const std::string& id = context.options.id;
  container::Container container = MXC_TRY(container::Container::Load(context.store, id));
  if (MXC_TRY(container.ReadStatus()) == container::Status::kStopped)
    return Error(Code::kRefused, "container not running: " + id);
  cgroup::BundleGroup group = MXC_TRY(container.OpenGroup());
  if (!group.exists())
    return Error(Code::kUnsupported, "events: the container has no cgroup that would count anything");
  auto print = [&](const char* type, const std::string& data) {
    return Print("{\"type\":\"" + std::string(type) + "\",\"id\":\"" + id + "\"" +
                 (data.empty() ? "" : ",\"data\":" + data) + "}\n");
  };
  if (context.options.stats) {
    MXC_TRY(print("stats", cgroup::WriteStats(MXC_TRY(group.ReadStats()))));
    return 0;
  }
  std::optional<sys::UniqueFd> process = container.OpenProcess();
  if (!process) return Error(Code::kRefused, "container not running: " + id);
  Result<sys::UniqueFd> memory = group.OpenOomEvents();
  pollfd watched[2] = {{process->get(), POLLIN, 0}, {memory.ok() ? memory->get() : -1, POLLIN | POLLPRI, 0}};
  for (;;) {
    MXC_TRY(print("stats", cgroup::WriteStats(MXC_TRY(group.ReadStats()))));
    const long ready = sys::Check(::poll(watched, 2, context.options.interval_ms));
    if (ready < 0 && ready != -EINTR) return sys::SystemError("wait for events", static_cast<int>(-ready));
    if (ready > 0 && watched[0].revents != 0) return 0;
    if (ready > 0 && watched[1].revents != 0) {
      uint64_t count;
      if (sys::Read(watched[1].fd, &count, sizeof count) > 0) MXC_TRY(print("oom", ""));
    }
  }
}

}  // namespace mxc::runtime
