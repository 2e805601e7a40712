// The engine's operators, by their kinds: which kernel or primitive computes each.
#pragma once
#include "plan.h"
#include "primitives.h"

namespace gdn {

// make_step is a step ready to run. An operator that is not known, or that oneDNN refuses, is an exception. What s points at can be
// freed afterwards, but not the memory of the values.
Step make_step(Primitives& primitives, const gdn_step& s);

}  // namespace gdn
