#include "linux_runtime/sandbox/host_lookup.h"

namespace mxc::sandbox {

const std::string* HostLookup::MissingAbove(const std::string& path) const {
  for (std::string above = ParentOf(path); above != "/"; above = ParentOf(above)) {
    const auto known = known_.find(above);
    if (known != known_.end()) return known->second ? nullptr : &known->first;
  }
  return nullptr;
}

Result<HostObject> HostLookup::Open(const std::string& path) {
  if (const std::string* missing = MissingAbove(path)) {
    if (!MayLeadOverLink(*missing)) straight_.insert(path);
    return MissingObject(path, ENOENT);
  }
  bool through_link = false;
  Result<HostObject> object = open_(path, &through_link);
  // A walk that may follow no link says so before it says that a name is missing. Other errors prove nothing.
  const bool conclusive = object.ok() || object.error().code() == Code::kNotFound;
  if (conclusive && !through_link) straight_.insert(path);
  return object;
}

Result<HostLookup::Folder> HostLookup::NearestAbove(const std::string& path) {
  for (std::string above = ParentOf(path);; above = ParentOf(above)) {
    if (const auto known = known_.find(above); known != known_.end()) {
      if (known->second) return *known->second;
      continue;
    }
    Result<HostObject> object = Open(above);
    if (object.ok()) {
      return *known_.emplace(above, Folder{above, object->canonical, object->directory()}).first->second;
    }
    if (object.error().code() != Code::kNotFound || above == "/") return std::move(object).error();
    known_.emplace(above, std::nullopt);
  }
}

}  // namespace mxc::sandbox
