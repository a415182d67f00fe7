#include "linux_runtime/container/store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace mxc::container {
namespace {

class Folder {
 public:
  Folder() : path_(std::string(std::getenv("TEST_TMPDIR") ? std::getenv("TEST_TMPDIR") : "/tmp") + "/store.XXXXXX") {
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

State Named(const std::string& id) {
  State state;
  state.id = id;
  return state;
}

TEST_CASE("an id is taken from create to delete") {
  Folder folder;
  Result<Store> store = Store::Open(folder.path() + "/deep/below");
  REQUIRE(store.ok());
  {
    Result<Entry> entry = store->Create("one");
    REQUIRE(entry.ok());
    // Under way: nobody else gets the name, though no state is written.
    CHECK_FALSE(store->Create("one").ok());
    REQUIRE(entry->AppendState(IdentityLine(Named("one"))).ok());
  }
  Result<Entry> again = store->Create("one");
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().message().find("already exists") != std::string::npos);

  Result<Entry> found = store->Find("one");
  REQUIRE(found.ok());
  REQUIRE(found->Lock().ok());
  Result<std::optional<State>> state = found->ReadState();
  REQUIRE(state.ok());
  REQUIRE(state->has_value());
  CHECK((*state)->id == "one");
  REQUIRE(found->Remove().ok());
  CHECK(store->Find("one").error().code() == Code::kNotFound);
  CHECK(store->Create("one").ok());
}

TEST_CASE("what a killed create left is taken over") {
  Folder folder;
  Result<Store> store = Store::Open(folder.path());
  REQUIRE(store.ok());
  { REQUIRE(store->Create("left").ok()); }
  Result<Entry> entry = store->Create("left");
  CHECK(entry.ok());
}

TEST_CASE("a deleted container can't be locked any more") {
  Folder folder;
  Result<Store> store = Store::Open(folder.path());
  REQUIRE(store->Create("gone").ok());
  Result<Entry> late = store->Find("gone");
  REQUIRE(store->Find("gone")->Remove().ok());
  CHECK(late->Lock().error().code() == Code::kNotFound);
}

TEST_CASE("ids that are no names of files are refused") {
  Folder folder;
  Result<Store> store = Store::Open(folder.path());
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("../x"), std::string("a b"),
        std::string("a\nb"), std::string("\xc3\xa9"), std::string(256, 'a'), std::string("a\0b", 3)}) {
    CAPTURE(id);
    CHECK(store->Create(id).error().code() == Code::kInvalid);
    CHECK(store->Find(id).error().code() == Code::kInvalid);
  }
  for (const char* id : {"a", "A-b_c.d+e", "0", "-x", "..."}) CHECK(store->Create(id).ok());
}

TEST_CASE("a folder that others may write is not trusted") {
  Folder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  CHECK(Store::Open(folder.path()).error().code() == Code::kRefused);
}

TEST_CASE("a link in place of a container's folder is not followed") {
  Folder folder, elsewhere;
  Result<Store> store = Store::Open(folder.path());
  REQUIRE(::symlink(elsewhere.path().c_str(), (folder.path() + "/link").c_str()) == 0);
  CHECK_FALSE(store->Find("link").ok());
}

}  // namespace
}  // namespace mxc::container
