#include "shared/wire/message.h"

#include <algorithm>
#include <limits>

#include "shared/oci/strict_json.h"
#include "shared/wire/frame.h"

namespace mxc::wire {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostText = 64 << 10;
constexpr size_t kMostItems = 8192;
constexpr size_t kMostName = 256;
constexpr size_t kMostFloors = 4;

constexpr std::string_view kOperations[] = {"facts",   "run",    "provision", "start", "exec",        "attach",
                                            "detach",  "signal", "resize",    "stop",  "deprovision", "list",
                                            "inspect", "logs",   "plan",      "open"};
constexpr std::string_view kCodes[] = {"usage", "invalid", "unsupported", "refused", "not-found", "system", "internal"};

// Reads the members of one object. The first error is kept; members that nobody asks for are skipped.
class Fields {
 public:
  Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) Fail("", "an object");
  }

  void Text(const char* name, std::string& value, size_t most = kMostText) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_string()) return Fail(name, "a string");
    const std::string& text = found->get_ref<const std::string&>();
    if (text.size() > most) return Fail(name, "a string of at most " + std::to_string(most) + " bytes");
    value = text;
  }
  template <class T>
  void Number(const char* name, T& value, int64_t least = std::numeric_limits<T>::min(),
              int64_t most = std::numeric_limits<T>::max()) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    const bool fits =
        found->is_number_integer() && (!found->is_number_unsigned() || found->get<uint64_t>() <= INT64_MAX);
    if (!fits || found->get<int64_t>() < least || found->get<int64_t>() > most) {
      return Fail(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    value = static_cast<T>(found->get<int64_t>());
  }
  void Flag(const char* name, bool& value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_boolean()) return Fail(name, "true or false");
    value = found->get<bool>();
  }
  void List(const char* name, std::vector<std::string>& value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_array() || found->size() > kMostItems) return Fail(name, "a list of at most 8192 strings");
    for (const Json& item : *found) {
      if (!item.is_string()) return Fail(name, "a list of strings");
      value.push_back(item.get<std::string>());
    }
  }
  void Numbers(const char* name, std::vector<uint32_t>& value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_array() || found->size() > kMostItems) return Fail(name, "a list of at most 8192 numbers");
    for (const Json& item : *found) {
      if (!item.is_number_unsigned() || item.get<uint64_t>() > UINT32_MAX) return Fail(name, "a list of numbers");
      value.push_back(item.get<uint32_t>());
    }
  }
  void Map(const char* name, std::map<std::string, std::string>& value) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_object() || found->size() > kMostItems) return Fail(name, "an object of at most 8192 strings");
    for (const auto& [key, item] : found->items()) {
      if (!item.is_string()) return Fail(name, "an object of strings");
      value[key] = item.get<std::string>();
    }
  }
  const Json* Find(const char* name) const {
    if (error_ || !object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  void Fail(const std::string& name, const std::string& wanted) {
    if (!error_) error_ = Error(Code::kInvalid, where_ + (name.empty() ? "" : "/" + name) + ": expected " + wanted);
  }
  // The object `name`, read by `read`; false: it isn't there.
  template <class Read>
  bool Object(const char* name, Read read) {
    const Json* found = Find(name);
    if (found == nullptr) return false;
    Fields inner(*found, where_ + "/" + name);
    read(inner);
    if (inner.error_ && !error_) error_ = inner.error_;
    return true;
  }
  template <class Read>
  void Objects(const char* name, size_t most, Read read) {
    const Json* found = Find(name);
    if (found == nullptr) return;
    if (!found->is_array() || found->size() > most) return Fail(name, "a list of at most " + std::to_string(most));
    for (const Json& item : *found) {
      Fields inner(item, where_ + "/" + name);
      read(inner);
      if (inner.error_ && !error_) error_ = inner.error_;
    }
  }
  Result<void> Done() {
    if (error_) return *std::move(error_);
    return {};
  }

 private:
  const Json& object_;
  std::string where_;
  std::optional<Error> error_;
};

// Invalid UTF-8 (a file name, an argument) must not break the message: it becomes U+FFFD, as everywhere in our JSON.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ErrorJson(const Error& error) {
  Json json{{"code", kCodes[static_cast<size_t>(error.code())]}, {"message", error.message()}};
  if (!error.hint().empty()) json["hint"] = error.hint();
  if (!error.context().empty()) json["context"] = error.context();
  if (error.system_errno() != 0) json["errno"] = error.system_errno();
  if (error.position()) {
    const Position& at = *error.position();
    json["position"] = {{"source", at.source}, {"line", at.line}, {"column", at.column}, {"pointer", at.pointer}};
  }
  return json;
}

std::optional<Error> ReadError(Fields& fields) {
  std::optional<Error> error;
  fields.Object("error", [&](Fields& inner) {
    std::string code, message, hint;
    std::vector<std::string> context;
    int number = 0;
    inner.Text("code", code, kMostName);
    inner.Text("message", message);
    inner.Text("hint", hint);
    inner.List("context", context);
    inner.Number("errno", number);
    const auto* known = std::find(std::begin(kCodes), std::end(kCodes), code);
    error.emplace(known == std::end(kCodes) ? Code::kInternal : static_cast<Code>(known - std::begin(kCodes)), message);
    *error = Error(*std::move(error)).WithErrno(number);
    if (!hint.empty()) *error = Error(*std::move(error)).WithHint(hint);
    for (std::string& what : context) *error = Error(*std::move(error)).WithContext(std::move(what));
    inner.Object("position", [&](Fields& at) {
      Position position;
      at.Text("source", position.source);
      at.Number("line", position.line);
      at.Number("column", position.column);
      at.Text("pointer", position.pointer);
      *error = Error(*std::move(error)).WithPosition(std::move(position));
    });
  });
  return error;
}

Json StreamsJson(const StreamNumbers& streams) {
  return {{"input", streams.input}, {"output", streams.output}, {"error", streams.error}};
}

Json PolicyJson(const PolicyPart& policy) {
  Json json{{"text", policy.text}, {"source", policy.source}, {"argv", policy.argv}, {"cwd", policy.cwd}};
  json["env"] = policy.env;
  if (!policy.profile.empty()) json["profile"] = policy.profile;
  if (!policy.name.empty()) json["name"] = policy.name;
  for (const FloorPart& floor : policy.floors) json["floors"].push_back({{"name", floor.name}, {"text", floor.text}});
  if (!policy.spec.empty()) json["spec"] = policy.spec;
  if (policy.report) json["report"] = true;
  if (policy.idle_timeout_s != 0) json["idleTimeoutSeconds"] = policy.idle_timeout_s;
  if (policy.lifetime_s != 0) json["lifetimeSeconds"] = policy.lifetime_s;
  return json;
}

void ReadPolicyPart(Fields& fields, PolicyPart& policy) {
  constexpr size_t kMostDocument = 1 << 20;
  fields.Text("text", policy.text, kMostDocument);
  fields.Text("source", policy.source, 4096);
  fields.Text("profile", policy.profile, kMostName);
  fields.Text("name", policy.name, kMostName);
  fields.List("argv", policy.argv);
  fields.Text("cwd", policy.cwd, 4096);
  fields.Map("env", policy.env);
  fields.Objects("floors", kMostFloors, [&](Fields& inner) {
    FloorPart& floor = policy.floors.emplace_back();
    inner.Text("name", floor.name, 4096);
    inner.Text("text", floor.text, kMostDocument);
  });
  fields.Text("spec", policy.spec, 2 * kMostDocument);
  fields.Flag("report", policy.report);
  fields.Number("idleTimeoutSeconds", policy.idle_timeout_s);
  fields.Number("lifetimeSeconds", policy.lifetime_s);
}

Json ProgramJson(const ProgramPart& program) {
  Json json{{"argv", program.argv}};
  if (!program.env.empty()) json["env"] = program.env;
  if (!program.cwd.empty()) json["cwd"] = program.cwd;
  if (program.clear_env) json["clearEnv"] = true;
  if (program.timeout_ms != 0) json["timeoutMs"] = program.timeout_ms;
  if (program.detached) json["detached"] = true;
  return json;
}

void ReadProgramPart(Fields& fields, ProgramPart& program) {
  fields.List("argv", program.argv);
  fields.Map("env", program.env);
  fields.Flag("clearEnv", program.clear_env);
  fields.Text("cwd", program.cwd, 4096);
  fields.Number("timeoutMs", program.timeout_ms);
  fields.Flag("detached", program.detached);
}

Result<Json> Parse(std::string_view json) { return oci::ParseSortedJson(json, "message", kMaxMessage); }

}  // namespace

std::string_view OperationName(Operation operation) { return kOperations[static_cast<size_t>(operation)]; }

std::string WriteHello(const Hello& hello) {
  return Dump({{"protocol", {{"least", hello.least}, {"most", hello.most}}}, {"program", hello.program}});
}

Result<Hello> ReadHello(std::string_view json) {
  const Json parsed = MXC_TRY(Parse(json));
  Hello hello;
  hello.least = hello.most = 0;
  Fields fields(parsed, "hello");
  const bool there = fields.Object("protocol", [&](Fields& inner) {
    inner.Number("least", hello.least, 1);
    inner.Number("most", hello.most, 1);
  });
  if (!there || hello.least == 0 || hello.most < hello.least) fields.Fail("protocol", "the least and the most version");
  fields.Text("program", hello.program, kMostName);
  MXC_TRY(fields.Done());
  return hello;
}

Result<uint32_t> AgreeOn(const Hello& theirs, uint32_t least) {
  if (theirs.least > kProtocol || theirs.most < least) {
    return Error(Code::kUnsupported, "the other side (" + theirs.program + ") speaks versions " +
                                         std::to_string(theirs.least) + " to " + std::to_string(theirs.most) +
                                         " of the protocol, this one needs " + std::to_string(least) + " to " +
                                         std::to_string(kProtocol))
        .WithHint("install the same release of mxc on both sides");
  }
  return std::min(theirs.most, kProtocol);
}

uint32_t LeastProtocolFor(const Request& request) {
  return request.policy && !request.policy->floors.empty() ? kFloorsProtocol : kLeastProtocol;
}

std::string WriteRequest(const Request& request) {
  Json json{{"type", "request"}, {"id", request.id}, {"operation", OperationName(request.operation)}};
  if (!request.session.empty()) json["session"] = request.session;
  if (request.program != 0) json["program"] = request.program;
  if (request.signal != 0) json["signal"] = request.signal;
  if (!(request.streams == StreamNumbers{})) json["streams"] = StreamsJson(request.streams);
  if (request.terminal) json["terminal"] = {{"rows", request.terminal->rows}, {"columns", request.terminal->columns}};
  if (request.policy) json["policy"] = PolicyJson(*request.policy);
  if (request.exec) json["exec"] = ProgramJson(*request.exec);
  if (request.announcement) {
    const Announcement& coming = *request.announcement;
    json["announcement"] = {{"id", coming.id},   {"key", coming.key}, {"transcriptHash", coming.transcript_hash},
                            {"uid", coming.uid}, {"gid", coming.gid}, {"groups", coming.groups}};
  }
  if (!(request.claims == Claims{})) {
    json["claims"] = {{"agent", request.claims.agent},
                      {"toolCall", request.claims.tool_call},
                      {"windowsUser", request.claims.windows_user},
                      {"windowsSid", request.claims.windows_sid}};
  }
  return Dump(json);
}

Result<Request> ReadRequest(std::string_view text) {
  const Json json = MXC_TRY(Parse(text));
  Request request;
  Fields fields(json, "request");
  std::string type, operation;
  fields.Text("type", type, kMostName);
  fields.Text("operation", operation, kMostName);
  fields.Number("id", request.id, 1);
  fields.Text("session", request.session, kMostName);
  fields.Number("program", request.program);
  fields.Number("signal", request.signal, 1, 64);
  fields.Object("streams", [&](Fields& inner) {
    inner.Number("input", request.streams.input);
    inner.Number("output", request.streams.output);
    inner.Number("error", request.streams.error);
  });
  TerminalSize size;
  if (fields.Object("terminal", [&](Fields& inner) {
        inner.Number("rows", size.rows);
        inner.Number("columns", size.columns);
      })) {
    request.terminal = size;
  }
  PolicyPart policy;
  if (fields.Object("policy", [&](Fields& inner) { ReadPolicyPart(inner, policy); }))
    request.policy = std::move(policy);
  ProgramPart exec;
  if (fields.Object("exec", [&](Fields& inner) { ReadProgramPart(inner, exec); })) request.exec = std::move(exec);
  Announcement coming;
  if (fields.Object("announcement", [&](Fields& inner) {
        inner.Text("id", coming.id, kMostName);
        inner.Text("key", coming.key, kMostName);
        inner.Text("transcriptHash", coming.transcript_hash, kMostName);
        inner.Number("uid", coming.uid);
        inner.Number("gid", coming.gid);
        inner.Numbers("groups", coming.groups);
      })) {
    request.announcement = std::move(coming);
  }
  fields.Object("claims", [&](Fields& inner) {
    inner.Text("agent", request.claims.agent, kMostName);
    inner.Text("toolCall", request.claims.tool_call, kMostName);
    inner.Text("windowsUser", request.claims.windows_user, kMostName);
    inner.Text("windowsSid", request.claims.windows_sid, kMostName);
  });
  MXC_TRY(fields.Done());
  if (type != "request") return Error(Code::kInvalid, "request/type: expected \"request\"");
  if (request.id == 0) return Error(Code::kInvalid, "request/id: missing");
  const auto* known = std::find(std::begin(kOperations), std::end(kOperations), operation);
  if (known == std::end(kOperations)) {
    return Error(Code::kUnsupported, "request/operation: no operation has this name");
  }
  request.operation = static_cast<Operation>(known - std::begin(kOperations));
  return request;
}

Reply ReplyTo(const Request& request) {
  Reply reply;
  reply.id = request.id;
  return reply;
}

Reply FailureOf(const Request& request, const Error& error) {
  Reply reply = ReplyTo(request);
  reply.error = error;
  return reply;
}

std::string WriteReply(const Reply& reply) {
  Json json{{"type", "reply"}, {"id", reply.id}};
  if (reply.error) json["error"] = ErrorJson(*reply.error);
  if (!reply.session.empty()) json["session"] = reply.session;
  if (reply.program != 0) json["program"] = reply.program;
  if (!reply.text.empty()) json["text"] = reply.text;
  return Dump(json);
}

std::string WriteExited(const Exited& exited) {
  Json json{{"type", "exited"}, {"program", exited.program}, {"exitCode", exited.exit_code}, {"how", exited.how}};
  if (exited.signal != 0) json["signal"] = exited.signal;
  if (!exited.report.empty()) json["report"] = exited.report;
  if (!exited.warnings.empty()) json["warnings"] = exited.warnings;
  if (exited.error) json["error"] = ErrorJson(*exited.error);
  return Dump(json);
}

std::string WriteDetached(const Detached& detached) {
  return Dump({{"type", "detached"}, {"program", detached.program}});
}

Result<FromServer> ReadFromServer(std::string_view text) {
  const Json json = MXC_TRY(Parse(text));
  FromServer message;
  Fields fields(json, "message");
  std::string type;
  fields.Text("type", type, kMostName);
  if (type == "reply") {
    Reply& reply = message.reply.emplace();
    fields.Number("id", reply.id);
    fields.Text("session", reply.session, kMostName);
    fields.Number("program", reply.program);
    fields.Text("text", reply.text, kMaxMessage);
    reply.error = ReadError(fields);
  } else if (type == "exited") {
    Exited& exited = message.exited.emplace();
    fields.Number("program", exited.program);
    fields.Number("exitCode", exited.exit_code);
    fields.Number("signal", exited.signal);
    fields.Text("how", exited.how, kMostName);
    fields.Text("report", exited.report, kMaxMessage);
    fields.List("warnings", exited.warnings);
    exited.error = ReadError(fields);
  } else if (type == "detached") {
    fields.Number("program", message.detached.emplace().program);
  } else {
    return Error(Code::kUnsupported, "message/type: no message has this type");
  }
  MXC_TRY(fields.Done());
  return message;
}

}  // namespace mxc::wire
