#include "shared/wire/message.h"

#include "doctest/doctest.h"

namespace mxc::wire {
namespace {

Request Whole() {
  Request request;
  request.id = 7;
  request.operation = Operation::kRun;
  request.session = "s-1";
  request.program = 3;
  request.signal = 15;
  request.streams = {1, 2, 3};
  request.terminal = TerminalSize{50, 132};
  request.policy = PolicyPart{"{}",
                              "p.json",
                              "build",
                              "label",
                              {"sh", "-c", "x"},
                              "/home/me",
                              {{"A", "b"}},
                              {{"f", "floor: 1"}},
                              "{\"ociVersion\":\"1.2.0\"}",
                              true,
                              60,
                              3600};
  request.exec = ProgramPart{{"ls"}, {{"C", "d"}}, true, "/tmp", 1000, true};
  request.announcement = Announcement{"00", "01", "02", 1000, 1001, {7, 8}};
  request.claims = {"agent-7", "call-9", "PC\\me", "S-1-5-21-7"};
  return request;
}

TEST_CASE("A request comes back as it was") {
  const Request whole = Whole();
  Result<Request> read = ReadRequest(WriteRequest(whole));
  REQUIRE(read.ok());
  CHECK(*read == whole);
  Request plain;
  plain.id = 1;
  read = ReadRequest(WriteRequest(plain));
  REQUIRE(read.ok());
  CHECK(*read == plain);
}

TEST_CASE("Unknown fields are skipped; unknown operations, wrong types and huge values are refused") {
  CHECK(ReadRequest(R"({"type":"request","id":1,"operation":"list","later":{"x":[1]}})").ok());
  for (const char* broken : {
           R"([])",
           R"("x")",
           R"({})",
           R"({"type":"request","id":1})",
           R"({"type":"reply","id":1,"operation":"list"})",
           R"({"type":"request","id":0,"operation":"list"})",
           R"({"type":"request","id":-1,"operation":"list"})",
           R"({"type":"request","id":1.5,"operation":"list"})",
           R"({"type":"request","id":4294967296,"operation":"list"})",
           R"({"type":"request","id":18446744073709551615,"operation":"list"})",
           R"({"type":"request","id":1,"operation":"format"})",
           R"({"type":"request","id":1,"operation":"list","session":7})",
           R"({"type":"request","id":1,"operation":"signal","signal":65})",
           R"({"type":"request","id":1,"operation":"signal","signal":0})",
           R"({"type":"request","id":1,"operation":"run","policy":[]})",
           R"({"type":"request","id":1,"operation":"run","policy":{"argv":["x",1]}})",
           R"({"type":"request","id":1,"operation":"run","policy":{"env":{"A":1}}})",
           R"({"type":"request","id":1,"operation":"list","id":2})",
           R"({"type":"request","id":1,"operation":"exec","streams":{"input":-1}})",
           R"({"type":"request","id":1,"operation":"resize","terminal":{"rows":70000}})",
       }) {
    CAPTURE(broken);
    CHECK_FALSE(ReadRequest(broken).ok());
  }
  Request large = Whole();
  large.session = std::string(300, 'x');
  CHECK_FALSE(ReadRequest(WriteRequest(large)).ok());
}

TEST_CASE("An error arrives with all that is printed of it") {
  Reply reply;
  reply.id = 4;
  reply.error = Error(Code::kRefused, "no")
                    .WithHint("ask")
                    .WithContext("start")
                    .WithErrno(13)
                    .WithPosition({"p.json", 3, 7, "/x"});
  Result<FromServer> read = ReadFromServer(WriteReply(reply));
  REQUIRE(read.ok());
  REQUIRE(read->reply);
  REQUIRE(read->reply->error);
  CHECK(read->reply->error->Describe() == reply.error->Describe());
  CHECK(read->reply->error->hint() == "ask");
  CHECK(read->reply->error->code() == Code::kRefused);
  CHECK(read->reply->error->system_errno() == 13);
}

TEST_CASE("The end of a program and a detached one come back as they were") {
  Exited exited;
  exited.program = 2;
  exited.exit_code = 143;
  exited.signal = 15;
  exited.how = "signaled";
  exited.report = "{}";
  exited.warnings = {"w"};
  Result<FromServer> read = ReadFromServer(WriteExited(exited));
  REQUIRE(read.ok());
  REQUIRE(read->exited);
  CHECK(read->exited->exit_code == 143);
  CHECK(read->exited->signal == 15);
  CHECK(read->exited->how == "signaled");
  CHECK(read->exited->report == "{}");
  CHECK(read->exited->warnings == exited.warnings);
  CHECK_FALSE(read->exited->error);
  read = ReadFromServer(WriteDetached({5}));
  REQUIRE(read.ok());
  CHECK(read->detached->program == 5);
  CHECK_FALSE(ReadFromServer(R"({"type":"news"})").ok());
}

TEST_CASE("Floors come along, and go to nobody who would skip them") {
  Request request;
  request.id = 1;
  request.operation = Operation::kRun;
  CHECK(LeastProtocolFor(request) == kLeastProtocol);
  request.policy.emplace();
  CHECK(LeastProtocolFor(request) == kLeastProtocol);
  request.policy->floors = {{"HKLM\\It", "{\"floor\":1}"}, {"C:\\it.yaml", "floor: 1\n"}};
  const Result<Request> read = ReadRequest(WriteRequest(request));
  REQUIRE(read.ok());
  CHECK(*read == request);
  CHECK(LeastProtocolFor(*read) == kFloorsProtocol);
  const Hello old{1, 1, "mxcd 0"};
  CHECK(AgreeOn(old).ok());
  CHECK_FALSE(AgreeOn(old, LeastProtocolFor(request)).ok());
  for (const char* broken : {"{}", "[1]", R"([{"text":1}])", "[{},{},{},{},{}]"}) {
    CAPTURE(broken);
    const std::string text =
        R"({"type":"request","id":1,"operation":"run","policy":{"floors":)" + std::string(broken) + "}}";
    CHECK_FALSE(ReadRequest(text).ok());
  }
}

TEST_CASE("Versions: the one that both speak, or an error that names both") {
  Result<Hello> hello = ReadHello(WriteHello({1, 3, "mxc 9"}));
  REQUIRE(hello.ok());
  CHECK(AgreeOn(*hello).ok());
  CHECK_FALSE(AgreeOn({3, 4, "mxc 9"}).ok());
  CHECK(AgreeOn({3, 4, "mxc 9"}).error().message().find("3 to 4") != std::string::npos);
  for (const char* broken :
       {"{}", R"({"protocol":{}})", R"({"protocol":{"least":2,"most":1}})", R"({"protocol":{"least":0,"most":1}})"}) {
    CHECK_FALSE(ReadHello(broken).ok());
  }
}

}  // namespace
}  // namespace mxc::wire
