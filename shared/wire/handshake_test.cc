#include "shared/wire/handshake.h"

#include <map>
#include <string>

#include "doctest/doctest.h"
#include "shared/wire/frame.h"

namespace mxc::wire {
namespace {

Transcript Talk() { return {"hello of 1.0", "open by S-1-5-21", "0123456789abcdef", "{vm}", 783}; }

// What mxcd keeps of openings.
class Announced {
 public:
  void Add(const Transcript& talk, const Key& key) { secrets_[talk.id] = Secret{key, talk.Hash()}; }
  TakeSecret Taker() {
    return [this](std::string_view id) -> std::optional<Secret> {
      const auto found = secrets_.find(std::string(id));
      if (found == secrets_.end()) return std::nullopt;
      Secret secret = found->second;
      secrets_.erase(found);
      return secret;
    };
  }

 private:
  std::map<std::string, Secret> secrets_;
};

struct Pair {
  Pair() {
    announced.Add(Talk(), key);
    client.emplace(Handshake::Client(Talk().id, Secret{key, Talk().Hash()}));
    server.emplace(Handshake::Server(announced.Taker()));
  }
  // Runs both to their end, in pieces; the streams afterwards.
  void Finish(size_t step = SIZE_MAX) {
    std::string plain;
    Feed(*server, client->TakeOutput(), step);
    Feed(*client, server->TakeOutput(), step);
    REQUIRE(client->done());
    REQUIRE(server->done());
    from_client = client->TakeStream(plain);
    CHECK(plain.empty());
    from_server = server->TakeStream(plain);
    CHECK(plain.empty());
  }
  static void Feed(Handshake& to, const std::string& bytes, size_t step) {
    for (size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at)) {
      REQUIRE(to.Receive(std::string_view(bytes).substr(at, step)).ok());
    }
  }

  Key key = NewKey();
  Announced announced;
  std::optional<Handshake> client, server;
  std::unique_ptr<SecretStream> from_client, from_server;
};

std::string Sealed(SecretStream& stream, std::string_view plain) {
  std::string out;
  stream.Encrypt(plain, out);
  return out;
}

TEST_CASE("Two sides with one key and one conversation agree, however the bytes are cut") {
  for (const size_t step : {size_t{1}, size_t{5}, SIZE_MAX}) {
    Pair pair;
    pair.Finish(step);
    std::string plain;
    const std::string long_text(200'000, 'x');
    CHECK(pair.from_server->Decrypt(Sealed(*pair.from_client, long_text), plain).ok());
    CHECK(plain == long_text);
    plain.clear();
    CHECK(pair.from_client->Decrypt(Sealed(*pair.from_server, "back"), plain).ok());
    CHECK(plain == "back");
  }
}

TEST_CASE("A squatter on the port without the key is found out, and learns nothing") {
  Pair pair;
  const std::string said = pair.client->TakeOutput();
  CHECK(said.find("open by") == std::string::npos);
  SUBCASE("another protocol") { CHECK_FALSE(pair.client->Receive("HTTP/1.1 200 OK").ok()); }
  SUBCASE("another key") {
    Announced squatters;
    squatters.Add(Talk(), NewKey());
    Handshake squatter = Handshake::Server(squatters.Taker());
    CHECK_FALSE(squatter.Receive(said).ok());
    CHECK(squatter.TakeOutput().empty());
    // One that answers all the same.
    SecretStream forged(NewKey(), Side::kServer);
    std::string answer = std::string(kHandshakeMagic) + forged.header();
    forged.Encrypt(Talk().Hash(), answer);
    CHECK_FALSE(pair.client->Receive(answer).ok());
  }
  SUBCASE("what the client said comes back") {
    // Without the id, as a server's.
    std::string reflected = said;
    reflected.erase(kHandshakeMagic.size(), kConnectionIdSize);
    CHECK_FALSE(pair.client->Receive(reflected).ok());
  }
  CHECK_FALSE(pair.client->done());
}

TEST_CASE("A client without the key, or with one that was used, is refused") {
  Pair pair;
  const std::string said = pair.client->TakeOutput();
  SUBCASE("an id that nobody announced") {
    Handshake stranger = Handshake::Client("ffffffffffffffff", Secret{pair.key, Talk().Hash()});
    CHECK_FALSE(pair.server->Receive(stranger.TakeOutput()).ok());
    CHECK(pair.server->TakeOutput().empty());
  }
  SUBCASE("a known id and another key") {
    Handshake stranger = Handshake::Client(Talk().id, Secret{NewKey(), Talk().Hash()});
    CHECK_FALSE(pair.server->Receive(stranger.TakeOutput()).ok());
    CHECK_FALSE(pair.server->done());
  }
  SUBCASE("the same connection again") {
    REQUIRE(pair.server->Receive(said).ok());
    Handshake again = Handshake::Server(pair.announced.Taker());
    CHECK_FALSE(again.Receive(said).ok());
  }
}

TEST_CASE("A conversation that was changed on its way is found out by both sides") {
  struct Change {
    const char* what;
    void (*change)(Transcript&);
  };
  const Change changes[] = {
      {"an older greeting", [](Transcript& talk) { talk.greeting = "hello of 0.9"; }},
      {"another opening", [](Transcript& talk) { talk.opening = "open by S-1-5-18"; }},
      {"another machine", [](Transcript& talk) { talk.vm_id = "{other}"; }},
      {"another port", [](Transcript& talk) { talk.port = 5005; }},
      {"a byte moved from one part to the next",
       [](Transcript& talk) {
         talk.opening = talk.greeting.back() + talk.opening;
         talk.greeting.pop_back();
       }},
  };
  for (const Change& change : changes) {
    CAPTURE(change.what);
    Transcript other = Talk();
    change.change(other);
    CHECK(other.Hash() != Talk().Hash());
    const Key key = NewKey();
    Announced announced;
    announced.Add(other, key);
    Handshake client = Handshake::Client(Talk().id, Secret{key, Talk().Hash()});
    Handshake server = Handshake::Server(announced.Taker());
    CHECK_FALSE(server.Receive(client.TakeOutput()).ok());
    CHECK(server.TakeOutput().empty());
    // The client finds it out as well, should the server go on.
    SecretStream careless(key, Side::kServer);
    std::string answer = std::string(kHandshakeMagic) + careless.header();
    careless.Encrypt(other.Hash(), answer);
    CHECK_FALSE(client.Receive(answer).ok());
  }
}

TEST_CASE("Every changed, repeated, left out or turned-back record is found") {
  Pair pair;
  pair.Finish();
  std::string plain;
  const std::string first = Sealed(*pair.from_client, "first"), second = Sealed(*pair.from_client, "second");
  SUBCASE("a bit changed, anywhere") {
    for (size_t at = 0; at < first.size(); ++at) {
      Pair other;
      other.Finish();
      std::string bytes = Sealed(*other.from_client, "first");
      bytes[at] = static_cast<char>(bytes[at] ^ 1);
      // A larger size waits for more, which doesn't fit then either.
      Result<void> read = other.from_server->Decrypt(bytes, plain);
      if (read.ok()) read = other.from_server->Decrypt(std::string(kMaxRecord + 64, 'x'), plain);
      CHECK_FALSE(read.ok());
    }
    CHECK(plain.empty());
  }
  SUBCASE("replayed") {
    REQUIRE(pair.from_server->Decrypt(first, plain).ok());
    CHECK_FALSE(pair.from_server->Decrypt(first, plain).ok());
    CHECK(plain == "first");
  }
  SUBCASE("left out") { CHECK_FALSE(pair.from_server->Decrypt(second, plain).ok()); }
  SUBCASE("reflected") { CHECK_FALSE(pair.from_client->Decrypt(first, plain).ok()); }
  SUBCASE("cut off") {
    REQUIRE(pair.from_server->Decrypt(first + second, plain).ok());
    CHECK_FALSE(pair.from_server->finished());
    std::string last;
    pair.from_client->Finish(last);
    pair.from_client->Encrypt("more", last);
    REQUIRE(pair.from_server->Decrypt(last, plain).ok());
    CHECK(pair.from_server->finished());
    CHECK(plain == "firstsecond");
    CHECK_FALSE(pair.from_server->Decrypt("x1234", plain).ok());
  }
  SUBCASE("a record of an impossible size") {
    CHECK_FALSE(pair.from_server->Decrypt(std::string("\xff\xff\xff\xff", 4), plain).ok());
    Pair other;
    other.Finish();
    CHECK_FALSE(other.from_server->Decrypt(std::string("\x03\0\0\0", 4), plain).ok());
  }
}

TEST_CASE("Another process goes on with a stream in the middle of a record") {
  Pair pair;
  pair.Finish();
  std::string sealed = Sealed(*pair.from_client, "one");
  sealed += Sealed(*pair.from_client, "two");
  std::string plain;
  REQUIRE(pair.from_server->Decrypt(std::string_view(sealed).substr(0, 30), plain).ok());
  const std::string exported = pair.from_server->Export();
  std::unique_ptr<SecretStream> there = SecretStream::Import(exported);
  REQUIRE(there != nullptr);
  REQUIRE(there->Decrypt(std::string_view(sealed).substr(30), plain).ok());
  CHECK(plain == "onetwo");
  plain.clear();
  CHECK(pair.from_client->Decrypt(Sealed(*there, "answer"), plain).ok());
  CHECK(plain == "answer");
  CHECK(Sealed(*pair.from_server, "no more from here").empty());
  CHECK(SecretStream::Import("") == nullptr);
  CHECK(SecretStream::Import(std::string(10, 'x')) == nullptr);
}

TEST_CASE("Keys change after 2^20 records, on both sides alike") {
  Pair pair;
  pair.Finish();
  std::string sealed, plain;
  for (int i = 0; i < (1 << 20) + 10; ++i) {
    sealed.clear();
    plain.clear();
    pair.from_client->Encrypt("x", sealed);
    if (!pair.from_server->Decrypt(sealed, plain).ok() || plain != "x") FAIL("record " << i);
  }
}

}  // namespace
}  // namespace mxc::wire
