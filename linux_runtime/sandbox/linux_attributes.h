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
Result<void> PlanBeforeRoot(Plan& plan, const oci::Spec& spec, const PlanContext& context);

// A time namespace with offsets. A process enters the one that clone3(2) makes at once, and then its offsets are frozen
// (time_namespaces(7)); so the child unshares it, writes the offsets, and then joins what is otherwise for its children only.
// Comes before the switch to the container's root: the kernel lets only the owner of /proc/self write there.
Result<void> PlanTimeOffsets(Plan& plan, const oci::Spec& spec);

// The labels of process.apparmorProfile and process.selinuxLabel, which hold from exec on. Also for another process of a
// running container. Errors: kUnsupported naming the field where the module isn't enabled.
Result<void> PlanLabels(Plan& plan, const oci::Process& process);

// What follows from the whole: the attributes of /linux that are the process's, when the filters are installed, and whether
// the child waits for the parent. Called when all else is planned. Errors: kInvalid.
Result<void> FinishBundlePlan(Plan& plan, const oci::Spec& spec, const PlanContext& context);

// The spec's entry for a kind of namespace; nullptr: shared with the host.
const oci::Namespace* FindNamespace(const oci::Spec& spec, std::string_view type);

// What a bundle may ask for and a sandbox of ours doesn't apply is an error that names the field (kUnsupported).
Result<void> RefuseBundleFields(const oci::Spec& spec);

// What our own sandboxes may ask for and a plain bundle can't have is an error that names the annotation (kUnsupported).
Result<void> RefuseSandboxFields(const oci::Extension& extension);

// Denied and protected paths of a bundle hold only as long as its processes can't take mounts off, and its end is the end of
// all that see them. For the first process and for those that enter later. Errors: kRefused naming the field in the way.
Result<void> CheckDenialsHold(const Plan& plan, const oci::Extension& extension, const PlanContext& context);

// podman's annotation run.oci.keep_original_groups=1 (--group-add keep-groups): the caller's supplementary groups stay.
bool KeepsGroups(const oci::Spec& spec);

// "net.ipv4.ip_forward" or "net/ipv4/ip_forward" → "net/ipv4/ip_forward". The first separator decides, as for sysctl(8), so
// that an interface's name may hold the other one: "net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0/1.forwarding".
std::string SysctlPath(std::string_view name);

}  // namespace mxc::sandbox
