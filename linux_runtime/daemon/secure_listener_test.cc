#include "linux_runtime/daemon/secure_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "doctest/doctest.h"

namespace mxc::daemon {
namespace {

constexpr char kId[] = "0123456789abcdef";

struct World {
  World() {
    Result<uint16_t> listening = listener.ListenOnLoopback(0);
    REQUIRE(listening.ok());
    port = *listening;
  }
  // The loop for a while, or until something came.
  void Turn(int ms = 300) {
    auto timer = run.After(std::chrono::milliseconds(ms), [this] { run.Stop(); });
    (void)run.Run();
    run.Cancel(timer);
  }
  sys::UniqueFd Connect() const {
    sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
  }
  static std::string Read(const sys::UniqueFd& socket) {
    char buffer[4096];
    const ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return {buffer, size > 0 ? static_cast<size_t>(size) : 0};
  }
  static void Write(const sys::UniqueFd& socket, const std::string& bytes) {
    REQUIRE(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }

  supervise::Loop run;
  std::vector<std::string> refusals;
  std::vector<Account> accounts;
  std::unique_ptr<wire::SecretStream> stream;
  std::string plain;
  SecureListener listener{
      run,
      [this](const Account& account, sys::UniqueFd, std::unique_ptr<wire::SecretStream> one, std::string text) {
        accounts.push_back(account);
        stream = std::move(one);
        plain = std::move(text);
        run.Stop();
      },
      [this](const Error& error) {
        refusals.push_back(error.Describe());
        run.Stop();
      }};
  uint16_t port = 0;
  wire::Key key = wire::NewKey();
  std::string hash = wire::Transcript{"g", "o", kId, "", 783}.Hash();
};

TEST_CASE("Who has the announced key is the announced account, once") {
  World world;
  REQUIRE(world.listener.Announce(kId, {world.key, world.hash}, {1000, 1001, {7}}).ok());
  CHECK_FALSE(world.listener.Announce(kId, {world.key, world.hash}, {0, 0, {}}).ok());
  const sys::UniqueFd socket = world.Connect();
  wire::Handshake client = wire::Handshake::Client(kId, {world.key, world.hash});
  const std::string said = client.TakeOutput();
  for (const char byte : said) {
    World::Write(socket, std::string(1, byte));
  }
  world.Turn();
  REQUIRE(world.accounts.size() == 1);
  CHECK(world.accounts[0].uid == 1000);
  CHECK(world.accounts[0].groups == std::vector<gid_t>{7});
  REQUIRE(client.Receive(World::Read(socket)).ok());
  CHECK(client.done());
  std::string rest, sealed, plain;
  std::unique_ptr<wire::SecretStream> stream = client.TakeStream(rest);
  stream->Encrypt("hello", sealed);
  REQUIRE(world.stream->Decrypt(sealed, plain).ok());
  CHECK(plain == "hello");
  // The same bytes again: the id is used up.
  const sys::UniqueFd again = world.Connect();
  World::Write(again, said);
  world.Turn();
  CHECK(world.accounts.size() == 1);
  CHECK(world.refusals.size() == 1);
}

TEST_CASE("Strangers get nothing, and harm nobody") {
  World world;
  REQUIRE(world.listener.Announce(kId, {world.key, world.hash}, {1000, 1001, {}}).ok());
  SUBCASE("another protocol") { World::Write(world.Connect(), "GET / HTTP/1.1\r\n"); }
  SUBCASE("no key") {
    const sys::UniqueFd socket = world.Connect();
    World::Write(socket, wire::Handshake::Client("ffffffffffffffff", {world.key, world.hash}).TakeOutput());
    world.Turn();
    CHECK(World::Read(socket).empty());
    REQUIRE(world.refusals.size() == 1);
    return;
  }
  SUBCASE("the wrong key uses up the id") {
    const sys::UniqueFd socket = world.Connect();
    World::Write(socket, wire::Handshake::Client(kId, {wire::NewKey(), world.hash}).TakeOutput());
    world.Turn();
    CHECK(world.refusals.size() == 1);
    const sys::UniqueFd second = world.Connect();
    World::Write(second, wire::Handshake::Client(kId, {world.key, world.hash}).TakeOutput());
  }
  world.Turn();
  CHECK(world.accounts.empty());
  CHECK_FALSE(world.refusals.empty());
}

TEST_CASE("Silent connections in numbers shut out nobody who says who he is") {
  World world;
  REQUIRE(world.listener.Announce(kId, {world.key, world.hash}, {1000, 1001, {}}).ok());
  std::vector<sys::UniqueFd> idle;
  for (size_t i = 0; i < SecureListener::kMostHandshakes + 10; ++i) idle.push_back(world.Connect());
  // A refusal ends a turn.
  for (int i = 0; i < 20; ++i) world.Turn(50);
  CHECK(world.refusals.size() == 10);
  size_t closed = 0;
  for (size_t i = 0; i < idle.size(); ++i) {
    char byte;
    if (::recv(idle[i].get(), &byte, 1, MSG_DONTWAIT) != 0) continue;
    ++closed;
    CHECK(i < 10);  // those that were silent for longest
  }
  CHECK(closed == 10);
  const sys::UniqueFd socket = world.Connect();
  World::Write(socket, wire::Handshake::Client(kId, {world.key, world.hash}).TakeOutput());
  for (int i = 0; i < 4 && world.accounts.empty(); ++i) world.Turn(100);
  CHECK(world.accounts.size() == 1);
}

}  // namespace
}  // namespace mxc::daemon
