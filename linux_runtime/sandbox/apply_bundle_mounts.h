// The child's steps that only the roots of plain bundles have. System calls only; 0 or -errno.
#pragma once

#include "linux_runtime/sandbox/apply.h"

namespace mxc::sandbox {

// Attaches a detached mount at the step's mount point, which is made where it is missing.
int AttachInBundle(int mount, RootState& state, const Step& step);

// Attaches the new root over the bundle's root folder, where hooks that enter the mount namespace look for it (the state
// names the bundle, config.md "createRuntime Hooks"); where the child can't reach that, at kRootPlace.
int AttachBundleRoot(int mount, const Step& step);

int ApplyBundleMountStep(const Step& step, RootState& state);

}  // namespace mxc::sandbox
