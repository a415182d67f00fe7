#include "linux_runtime/network/gateway/tls_hello.h"

#include <doctest/doctest.h>

namespace mxc::network {
namespace {

using namespace std::string_literals;

std::string Sized(const std::string& text, int bytes) {
  std::string size;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) size += static_cast<char>(text.size() >> shift & 0xFF);
  return size + text;
}

std::string Extension(uint16_t type, const std::string& data) {
  return std::string{static_cast<char>(type >> 8), static_cast<char>(type)} + Sized(data, 2);
}
std::string ServerName(const std::string& name) { return Extension(0, Sized("\0"s + Sized(name, 2), 2)); }

std::string Handshake(const std::string& extensions) {
  return "\1"s + Sized("\3\3"s + std::string(32, 'r') + Sized("", 1) + Sized("\x13\1"s, 2) + Sized("\0"s, 1) +
                           Sized(extensions, 2),
                       3);
}
std::string Record(const std::string& part) { return "\x16\3\1"s + Sized(part, 2); }

Hello Read(const std::string& extensions) { return ReadHello(Record(Handshake(extensions))); }

TEST_CASE("The name is found behind other extensions, in any case of letters") {
  const Hello hello = Read(Extension(0x2B, "\2\3\4"s) + ServerName("PyPI.org") + Extension(0x10, "x"));
  CHECK(hello.kind == HelloKind::kNamed);
  CHECK(hello.name == "pypi.org");
}

TEST_CASE("None, two, or what is no host name is no name") {
  for (const std::string& extensions :
       {""s, Extension(0x2B, "\2\3\4"s), ServerName("a.org") + ServerName("b.org"),
        ServerName("a.org") + ServerName("a.org"), ServerName(""), ServerName("10.0.0.1 "), ServerName("a\0.org"s),
        ServerName("a.org."), Extension(0, Sized("\0"s + Sized("a.org", 2) + "\0"s + Sized("b.org", 2), 2)),
        Extension(0, Sized("\1"s + Sized("a.org", 2), 2)), Extension(0, ""), ServerName("a.org") + "\0"s}) {
    CHECK(Read(extensions).kind == HelloKind::kUnnamed);
  }
}

TEST_CASE("However it is cut, by bytes and into records, the answer is the same or not yet there") {
  const std::string handshake = Handshake(ServerName("pypi.org") + Extension(21, std::string(300, '\0')));
  const std::string whole = Record(handshake);
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(ReadHello(whole.substr(0, size)).kind == HelloKind::kPartial);
  }
  for (size_t cut = 1; cut < handshake.size(); ++cut) {
    CAPTURE(cut);
    const Hello hello = ReadHello(Record(handshake.substr(0, cut)) + Record(handshake.substr(cut)) + "more");
    CHECK(hello.size == handshake.size() + 10);
    CHECK(hello.kind == HelloKind::kNamed);
    CHECK(hello.name == "pypi.org");
  }
}

TEST_CASE("What isn't TLS is told from it by its first bytes; what some server takes for TLS isn't") {
  for (const std::string& text :
       {"GET / HTTP/1.1\r\n"s, "SSH-2.0-x"s, "\x00\x01\x02\x03"s, "\x18\3\3"s, "\x80\x2e\2\3"s}) {
    CHECK(ReadHello(text).kind == HelloKind::kNotTls);
  }
  CHECK(ReadHello("").kind == HelloKind::kPartial);
  CHECK(ReadHello("\x16").kind == HelloKind::kPartial);
  CHECK(ReadHello("\x80").kind == HelloKind::kPartial);
  const std::string hello = Record(Handshake(ServerName("evil.org")));
  // A warning in front, another version, SSL 2's form.
  CHECK(ReadHello("\x15\3\1\0\2\1\x5a"s + hello).kind == HelloKind::kUnnamed);
  CHECK(ReadHello("\x14\3\3\0\1\1"s + hello).kind == HelloKind::kUnnamed);
  CHECK(ReadHello("\x17\3\3\0\1x"s + hello).kind == HelloKind::kUnnamed);
  CHECK(ReadHello("\x16\0\1"s + hello.substr(3)).name == "evil.org");
  CHECK(ReadHello("\x80\x2e\1\3\1"s).kind == HelloKind::kUnnamed);
}

TEST_CASE("After a request for another hello, that one counts, behind what a server passes over") {
  const std::string hello = Record(Handshake(ServerName("evil.org")));
  for (const std::string& front : {""s, "\x14\3\3\0\1\1"s, "\x17\3\3\0\4abcd"s, "\x17\3\3\0\4abcd\x14\3\3\0\1\1"s}) {
    CHECK(ReadSecondHello(front + hello).name == "evil.org");
    for (size_t size = 0; size < front.size() + hello.size(); ++size) {
      CHECK(ReadSecondHello((front + hello).substr(0, size)).kind == HelloKind::kPartial);
    }
  }
  CHECK(ReadSecondHello("\x15\3\3\0\2\1\x5a"s + hello).kind == HelloKind::kUnnamed);
  CHECK(ReadSecondHello(Record("\x10"s + Sized("key exchange", 3))).kind == HelloKind::kUnnamed);
}

TEST_CASE("A server's request for another hello is told from its hello") {
  const std::string retry =
      "\x16\3\3\0\x58\2\0\0\x54\3\3\xCF\x21\xAD\x74\xE5\x9A\x61\x11\xBE\x1D\x8C\x02\x1E\x65\xB8\x91\xC2\xA2\x11\x16"
      "\x7A\xBB\x8C\x5E\x07\x9E\x09\xE2\xC8\xA8\x33\x9C"s;
  CHECK(ReadServerHello(retry) == ServerSays::kRetry);
  for (size_t size = 0; size < retry.size(); ++size)
    CHECK(ReadServerHello(retry.substr(0, size)) == ServerSays::kPartial);
  std::string hello = retry;
  hello.back() ^= 1;
  CHECK(ReadServerHello(hello) == ServerSays::kSomething);
  CHECK(ReadServerHello("\x15\3\3\0\2\2\x28"s) == ServerSays::kSomething);
  CHECK(ReadServerHello("HTTP/1.1 400 Bad"s) == ServerSays::kSomething);
}

TEST_CASE("A handshake that isn't a hello, empty records, and one that never ends are no name") {
  CHECK(ReadHello(Record("\2"s + Sized("x", 3))).kind == HelloKind::kUnnamed);
  CHECK(ReadHello(Record("")).kind == HelloKind::kUnnamed);
  CHECK(ReadHello(Record(Handshake(ServerName("a.org")) + Handshake(ServerName("b.org")))).kind == HelloKind::kUnnamed);
  CHECK(ReadHello(Record("\1\0"s) + "\x15\3\3\0\2xx"s).kind == HelloKind::kUnnamed);
  const std::string endless = "\1\xFF\xFF\xFF"s + std::string(kMaxHello, 'x');
  CHECK(ReadHello(Record(endless.substr(0, 16000)) + Record(endless.substr(16000))).kind == HelloKind::kUnnamed);
}

}  // namespace
}  // namespace mxc::network
