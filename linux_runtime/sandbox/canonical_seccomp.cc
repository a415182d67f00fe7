#include "linux_runtime/sandbox/seccomp_cache.h"

namespace mxc::sandbox {
namespace {

// Length-prefixed, so that no two lists have the same text.
class Writer {
 public:
  void Number(uint64_t value) { text_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void Text(const std::string& value) {
    Number(value.size());
    text_ += value;
  }
  void Texts(const oci::Strings& values) {
    Number(values.size());
    for (const std::string& value : values) Text(value);
  }
  void Optional(const std::optional<uint32_t>& value) { Number(value ? uint64_t{*value} : ~uint64_t{0}); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string CanonicalSeccomp(const oci::LinuxSeccomp& list) {
  Writer out;
  out.Text(list.default_action);
  out.Optional(list.default_errno_ret);
  out.Texts(list.architectures);
  out.Texts(list.flags);
  out.Text(list.listener_path);
  out.Text(list.listener_metadata);
  out.Number(list.syscalls.size());
  for (const oci::SeccompSyscall& entry : list.syscalls) {
    out.Texts(entry.names);
    out.Text(entry.action);
    out.Optional(entry.errno_ret);
    out.Number(entry.args.size());
    for (const oci::SeccompArg& arg : entry.args) {
      out.Number(arg.index);
      out.Number(arg.value);
      out.Number(arg.value_two);
      out.Text(arg.op);
    }
  }
  return out.Take();
}

}  // namespace mxc::sandbox
