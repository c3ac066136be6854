package node

import "flag"

// How long, and along which schedule, the simulations run: by default a few
// seconds, each with a seed that is printed.
var (
	simSeed     = flag.Uint64("sim.seed", 0, "seed of the simulations (0: several of their own)")
	simSteps    = flag.Uint64("sim.steps", 0, "steps of the kernel simulation (0: a few seconds of them)")
	simDuration = flag.Duration("sim.duration", 0, "simulated time of the node simulation (0: a short one)")
)
