#include "linux_runtime/sandbox/mount_options.h"

#include <sys/mount.h>

#include "doctest/doctest.h"

namespace mxc::sandbox {
namespace {

ParsedOptions Parse(std::vector<std::string> words, const std::string& type = "bind", bool whole = false) {
  oci::Mount mount;
  mount.type = type;
  mount.options = std::move(words);
  Result<ParsedOptions> parsed = ParseMountOptions(mount, whole);
  REQUIRE_MESSAGE(parsed.ok(), parsed.error().Describe());
  return std::move(parsed).value();
}

TEST_CASE("attributes are the mount's own, with an r in front also those of what is below") {
  const ParsedOptions own = Parse({"rbind", "ro", "nosuid"});
  CHECK(own.recursive);
  CHECK(own.top_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
  CHECK(own.set == 0);
  const ParsedOptions below = Parse({"rbind", "rro", "rnoexec", "rsuid", "nodev"});
  CHECK(below.set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
  CHECK(below.clear == MOUNT_ATTR_NOSUID);
  CHECK(below.top_set == MOUNT_ATTR_NODEV);
  CHECK(Parse({"ro"}, "bind", true).set == MOUNT_ATTR_RDONLY);
}

TEST_CASE("the last of two opposite words counts") {
  CHECK_FALSE(Parse({"ro", "rw"}).readonly());
  CHECK(Parse({"ro", "rw"}).top_clear == MOUNT_ATTR_RDONLY);
  CHECK(Parse({"rw", "ro"}).readonly());
  CHECK(Parse({"rw", "ro"}).top_clear == 0);
  const ParsedOptions times = Parse({"noatime", "strictatime"});
  CHECK(times.top_set == MOUNT_ATTR_STRICTATIME);
  CHECK(times.top_clear == MOUNT_ATTR__ATIME);
  CHECK(Parse({"strictatime", "atime"}).top_set == MOUNT_ATTR_RELATIME);
  CHECK(Parse({"rbind", "bind"}).recursive == false);
}

TEST_CASE("propagation") {
  CHECK(Parse({"rbind", "rslave"}).propagation == (MS_SLAVE | MS_REC));
  CHECK(Parse({"rbind", "shared"}).propagation == MS_SHARED);
  CHECK(Parse({"rbind", "runbindable"}).propagation == (MS_UNBINDABLE | MS_REC));
  CHECK(Parse({"rbind"}).propagation == 0);
  CHECK(Propagation("rprivate") == (MS_PRIVATE | MS_REC));
  CHECK(Propagation("") == 0);
  CHECK(Propagation("rw") == 0);
}

TEST_CASE("what only plain bundles may ask for is named") {
  for (const char* word : {"rslave", "shared", "unbindable", "idmap", "ridmap", "copy-symlink", "src-nofollow",
                           "dest-nofollow", "remount"}) {
    CAPTURE(word);
    CHECK(Parse({"rbind", word}).bundle_only == word);
  }
  CHECK(Parse({"rbind", "rprivate", "ro", "defaults"}).bundle_only.empty());
  CHECK(Parse({"ridmap"}).idmap_below);
  CHECK_FALSE(Parse({"idmap"}).idmap_below);
}

TEST_CASE("the words of a file system are passed on") {
  const ParsedOptions parsed = Parse({"size=64k", "sync", "mode=755", "inode64", "iversion", "silent", "ro"}, "tmpfs");
  const std::vector<std::pair<std::string, std::string>> wanted{
      {"size", "64k"}, {"sync", ""}, {"mode", "755"}, {"inode64", ""}};
  CHECK(parsed.data == wanted);
  CHECK(parsed.legacy == MS_I_VERSION);
  CHECK(parsed.readonly());
  CHECK_FALSE(parsed.bind);
}

TEST_CASE("a bind takes no words of a file system, and none that nobody knows") {
  for (const char* word : {"sync", "size=64k", "iversion", "foo", "r", "rfoo", "ROx", ""}) {
    CAPTURE(word);
    oci::Mount mount;
    mount.options = {"rbind", word};
    Result<ParsedOptions> parsed = ParseMountOptions(mount, false);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code() == Code::kUnsupported);
    CHECK(parsed.error().message().find("\"" + std::string(word) + "\"") != std::string::npos);
  }
}

TEST_CASE("the options alone can make it a bind") {
  for (const char* word : {"bind", "rbind", "bind-nonrecursive"}) CHECK(Parse({word}, "").bind);
  CHECK(Parse({"rbind"}, "none").recursive);
  CHECK_FALSE(Parse({"bind-nonrecursive"}, "bind").recursive);
}

}  // namespace
}  // namespace mxc::sandbox
