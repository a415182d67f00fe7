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
  return "\1"s + Sized("\3\3"s + std::string(32, 'r') + Sized("", 1) + Sized("\x13\1"s, 2) + Sized("\0"s, 1) + Sized(extensions, 2), 3);
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
       {""s, Extension(0x2B, "\2\3\4"s), ServerName("a.org") + ServerName("b.org"), ServerName("a.org") + ServerName("a.org"),
        ServerName(""), ServerName("10.0.0.1 "), ServerName("a\0.org"s), ServerName("a.org."),
        Extension(0, Sized("\0"s + Sized("a.org", 2) + "\0"s + Sized("b.org", 2), 2)), Extension(0, Sized("\1"s + Sized("a.org", 2), 2)),
        Extension(0, ""), ServerName("a.org") + "\0"s}) {
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
    CHECK(hello.kind == HelloKind::kNamed);
    CHECK(hello.name == "pypi.org");
  }
}

TEST_CASE("What isn't TLS is told from it by its first bytes") {
  for (const char* text : {"GET / HTTP/1.1\r\n", "SSH-2.0-x", "\x15\3\1", "\x16\2", "\x17\3\3"}) {
    CHECK(ReadHello(text).kind == HelloKind::kNotTls);
  }
  CHECK(ReadHello("").kind == HelloKind::kPartial);
  CHECK(ReadHello("\x16").kind == HelloKind::kPartial);
}

TEST_CASE("A handshake that isn't a hello, empty records, and one that never ends are no name") {
  CHECK(ReadHello(Record("\2"s + Sized("x", 3))).kind == HelloKind::kUnnamed);
  CHECK(ReadHello(Record("")).kind == HelloKind::kUnnamed);
  CHECK(ReadHello(Record("\1\0"s) + "\x15\3\3\0\2xx"s).kind == HelloKind::kUnnamed);
  const std::string endless = "\1\xFF\xFF\xFF"s + std::string(kMaxHello, 'x');
  CHECK(ReadHello(Record(endless.substr(0, 16000)) + Record(endless.substr(16000))).kind == HelloKind::kUnnamed);
}

}  // namespace
}  // namespace mxc::network
