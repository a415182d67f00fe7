#include "linux_runtime/container/state.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace mxc::container {
namespace {

State Sample() {
  State state;
  state.id = "box-1";
  state.oci_version = "1.2.0";
  state.bundle = "/srv/\"odd\"\nbundle";
  state.rootfs = "/srv/bundle/rootfs";
  state.manager = "cgroupfs";
  state.created_us = 1'700'000'000'000'042;
  state.owner = 1000;
  state.annotations = {{"a", "b"}};
  state.group = {"memory=/sys/fs/cgroup/memory/box-1"};
  state.group_path = "/sys/fs/cgroup/memory/box-1";
  state.process = {42, 4711};
  return state;
}

TEST_CASE("a state is read as far as its lines go") {
  const State whole = Sample();
  const std::string identity = IdentityLine(whole), group = GroupLine(whole), process = ProcessLine(whole);
  for (const std::string& line : {identity, group, process}) CHECK(line.find('\n') == line.size() - 1);

  Result<State> first = ReadState(identity);
  REQUIRE(first.ok());
  CHECK(first->id == "box-1");
  CHECK(first->bundle == whole.bundle);
  CHECK(first->annotations == whole.annotations);
  CHECK(first->group.empty());
  CHECK(first->process.pid == 0);

  Result<State> all = ReadState(identity + group + process);
  REQUIRE(all.ok());
  CHECK(all->group == whole.group);
  CHECK(all->process.pid == 42);
  CHECK(all->process.start_ticks == 4711);
}

TEST_CASE("a line that was cut counts for nothing") {
  const State whole = Sample();
  const std::string text = IdentityLine(whole) + ProcessLine(whole);
  for (size_t size = IdentityLine(whole).size(); size < text.size(); ++size) {
    Result<State> cut = ReadState(std::string_view(text).substr(0, size));
    REQUIRE(cut.ok());
    CHECK(cut->process.pid == 0);
  }
}

TEST_CASE("what is no state is refused") {
  for (const char* text :
       {"", "{}\n", "[]\n", "null\n", "{\"format\":2}\n", "{\"format\":1}\n", "\xff\n",
        "{\"format\":1,\"id\":3,\"ociVersion\":\"\",\"bundle\":\"\",\"rootfs\":\"\",\"manager\":\"\",\"createdUs\":0,"
        "\"owner\":0,\"annotations\":{}}\n"}) {
    CAPTURE(text);
    Result<State> read = ReadState(text);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code() == Code::kInvalid);
  }
}

TEST_CASE("the state of the specification has a pid while there is a process") {
  const State state = Sample();
  auto parse = [&](Status status, bool pretty) { return nlohmann::json::parse(OciState(state, status, pretty)); };
  CHECK(parse(Status::kRunning, false)["pid"] == 42);
  CHECK(parse(Status::kRunning, false)["status"] == "running");
  CHECK_FALSE(parse(Status::kStopped, false).contains("pid"));
  CHECK(parse(Status::kStopped, true)["pid"] == 0);
  CHECK(parse(Status::kCreated, false)["bundle"] == state.bundle);
  CHECK(parse(Status::kPaused, true)["created"] == "2023-11-14T22:13:20.000042Z");
}

TEST_CASE("a process is known by its number and its start") {
  std::optional<ProcessLook> self = LookAtProcess(::getpid());
  REQUIRE(self.has_value());
  CHECK(self->state == 'R');
  CHECK(OpenProcess({::getpid(), self->start_ticks}).has_value());
  CHECK_FALSE(OpenProcess({::getpid(), self->start_ticks + 1}).has_value());
  CHECK_FALSE(OpenProcess({0, 0}).has_value());
}

}  // namespace
}  // namespace mxc::container
