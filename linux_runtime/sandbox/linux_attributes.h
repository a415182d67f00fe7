// From the parts of an OCI spec's `linux` object that are neither mounts nor resources to steps of a bundle's Plan. Each
// error names the field.
#pragma once

#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::sandbox {

// What is done once all mounts stand and hooks outside have run, while the root is still the host's: kernel parameters are
// written through the host's /proc, never through one that the bundle brings, and the working folder is made.
// Errors: kInvalid for a parameter that would change the host; kSystem when /proc is no procfs.
Result<void> PlanBeforeRoot(Plan& plan, const oci::Spec& spec);

// What follows from the whole: the attributes of /linux that are the process's, when the filters are installed, and whether
// the child waits for the parent. Called when all else is planned. Errors: kInvalid.
Result<void> FinishBundlePlan(Plan& plan, const oci::Spec& spec);

// The spec's entry for a kind of namespace; nullptr: shared with the host.
const oci::Namespace* FindNamespace(const oci::Spec& spec, std::string_view type);

// podman's annotation run.oci.keep_original_groups=1 (--group-add keep-groups): the caller's supplementary groups stay.
bool KeepsGroups(const oci::Spec& spec);

// "net.ipv4.ip_forward" or "net/ipv4/ip_forward" → "net/ipv4/ip_forward". The first separator decides, as for sysctl(8), so
// that an interface's name may hold the other one: "net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0/1.forwarding".
std::string SysctlPath(std::string_view name);

}  // namespace mxc::sandbox
